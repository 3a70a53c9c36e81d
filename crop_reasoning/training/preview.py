"""What a run is about to be taught, to be looked at before it costs anything: one sample as picture and exact text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from crop_reasoning.geometry import to_xyxy_px
from crop_reasoning.images import load_upright
from crop_reasoning.models.families import Family
from crop_reasoning.reasoning.pictures import pictures
from crop_reasoning.training import run_folder, samples
from crop_reasoning.training.preflight import Prepared
from crop_reasoning.training.samples import Sample

COLORS = ("lime", "red")  # chosen, rejected


def write_samples(prepared: Prepared, folder: Path) -> None:
    """One photo with its target boxes drawn (chosen green, rejected red), its copy with guides if one is shown, and the
    exact text that is supervised."""
    sample = prepared.rows[0].sample
    target = folder / run_folder.SAMPLES
    target.mkdir(exist_ok=True)
    name = re.sub(r"[^\w.-]", "_", sample.id)
    _draw(sample, prepared.family).save(target / f"{name}.png")
    for picture in pictures(load_upright(sample.image), sample.plan, sample.prompt_id)[1:]:
        picture.save(target / f"{name}.guides.png")
    opening, closings = samples.conversation(sample, prepared.processor)
    parts = [f"=== given, not trained ({len(prepared.rows[0].prompt_ids)} tokens with the pictures)\n{opening}"]
    parts += [f"=== trained ({title})\n{text}" for title, text in zip(("answer", "rejected"), closings, strict=False)]
    (target / f"{name}.txt").write_text("\n".join(parts), encoding="utf-8")


def _draw(sample: Sample, family: Family) -> Any:
    from PIL import ImageDraw

    image = load_upright(sample.image)
    image.thumbnail((1024, 1024))
    pen = ImageDraw.Draw(image)
    for answer, color in zip(range(len(sample.answers)), COLORS, strict=False):
        box = samples.target_box(sample, answer, family)
        x1, y1, x2, y2 = to_xyxy_px(box, image.size)
        pen.rectangle((x1, y1, x2 - 1, y2 - 1), outline=color, width=max(2, image.width // 200))
    return image
