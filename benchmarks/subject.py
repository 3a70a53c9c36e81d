"""How well the subject's box fits ECSSD's masks, beside a centered box: mean IoU with its 95 % interval.

    python benchmarks/subject.py <ECSSD folder: images_320, masks_320, subjects.json>

The photos are the first `--photos` of the set in the order of their names' sha256; nothing was fitted on the first 300.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np

from crop_reasoning.composition.primitives import primitives, working_frame
from crop_reasoning.composition.subject import detectors, find_subjects
from crop_reasoning.geometry import WHOLE, Box, centered, clip, iou
from crop_reasoning.images import load_upright


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    arguments = parser.parse_args()
    rows = json.loads((arguments.folder / "subjects.json").read_text())
    rows = sorted(rows, key=lambda row: hashlib.sha256(row["file"].encode()).hexdigest())[: arguments.photos]
    found: dict[str, list[float]] = {}
    none, spent = 0, 0.0
    for row in rows:
        x1, y1, x2, y2 = row["subject_xyxy"]
        truth = clip(x1 / row["w"], y1 / row["h"], x2 / row["w"], y2 / row["h"])
        seen = primitives(working_frame(load_upright(arguments.folder / "images_320" / row["file"]))[0])
        start = time.process_time()
        box = find_subjects(seen).box
        spent += time.process_time() - start
        none += box is None
        answers: dict[str, Box] = {
            f"subject ({detectors()})": box or WHOLE,
            "subject (border alone)": find_subjects(seen, neural=False).box or WHOLE,
            "center box, 60 %": centered(0.6),
            "whole photo": WHOLE,
        }
        for name, answer in answers.items():
            found.setdefault(name, []).append(iou(answer, truth))
    print(f"n {len(rows)}, no subject found {none}, {1000 * spent / len(rows):.0f} ms of one core a photo")
    rng = np.random.default_rng(0)
    for name, values in found.items():
        means = rng.choice(values, (2000, len(values))).mean(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        good = np.mean(np.array(values) > 0.5)
        print(f"{name:40s} mean IoU {np.mean(values):.3f} [{low:.3f}, {high:.3f}], IoU > .5: {good:.3f}")


if __name__ == "__main__":
    main()
