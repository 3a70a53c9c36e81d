"""Qwen3-VL, ODinW-13/run_odinw.py: detections out of a list of dictionaries; anything else is no detection at all."""

from __future__ import annotations

import ast
from typing import Any


def read_text(text: str) -> dict[str, Any]:
    """`bbox_2d` and `label` of each entry; one entry without a label empties the answer, other lengths are left out."""
    boxes, labels = [], []
    try:
        for entry in ast.literal_eval(text.replace("```json", "").replace("```", "")):
            if len(entry.get("bbox_2d", [])) == 4:
                box, label = entry["bbox_2d"], entry["label"]
                boxes.append(box)
                labels.append(label)
    except Exception:  # the reference treats whatever goes wrong here as an answer without detections
        return {"bboxes": [], "labels": []}
    return {"bboxes": boxes, "labels": labels}
