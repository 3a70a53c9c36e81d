"""The offline author: rationales that claim only what geometry proves.

For a record with a subject box and known elements (procedural scenes) it speaks of them; for a photograph of which only
the crops are known it speaks of size and position. The target's place among the proposals is uniform, and the answers of
a pair differ in the decision alone, so that neither order nor style can be the signal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crop_reasoning.composition.placement import position_word, served_elements, size_word, subject_words
from crop_reasoning.geometry import WHOLE, Box, centered, iou, place
from crop_reasoning.reasoning.rationale import Decision, Proposal, Rationale
from crop_reasoning.reasoning.store import element_from_json
from crop_reasoning.records import CropRecord

AUTHOR = "boxes/1"
PROPOSALS = 4
_DISTINCT = 0.85  # two proposals that overlap more than this would be one
Rng = np.random.Generator


def author_rationale(record: CropRecord, targets: tuple[Box, ...], rng: Rng) -> tuple[Rationale, ...]:
    """One answer a target crop, all with the same analysis and the same proposals, which hold every target."""
    boxes = list(targets)
    for candidate in _alternatives(record, targets[0], rng):
        if len(boxes) == PROPOSALS:
            break
        if all(iou(candidate, box) < _DISTINCT for box in boxes):
            boxes.append(candidate)
    order = rng.permutation(len(boxes))
    boxes = [boxes[index] for index in order]
    proposals = tuple(Proposal(box, served_elements(record.subject, box), reason(box, record.subject)) for box in boxes)
    elements = tuple(element_from_json(element) for element in record.scene.get("elements", ()))
    return tuple(
        Rationale(record.subject, elements, proposals, Decision(target, why(target, boxes, record.subject)))
        for target in targets
    )


def reason(crop: Box, subject: Box | None) -> str:
    """What is true of a candidate: how much it keeps, and where the subject (or else the crop) lies."""
    return f"{size_word(crop)}, {subject_words(subject, crop) if subject else position_word(crop)}"


def why(crop: Box, candidates: list[Box], subject: Box | None) -> str:
    """The decision's reason: the measured differences from the other candidates, by their numbers."""
    if crop.is_whole:
        return "the photo is best as it is"
    others = [(number, box) for number, box in enumerate(candidates, 1) if box != crop]
    tighter = [str(number) for number, box in others if crop.area < 0.97 * box.area]
    words = subject_words(subject, crop) if subject else position_word(crop)
    if not tighter:
        return f"widest, {words}"
    return f"tighter than {' '.join(tighter)}, {words}"


def _alternatives(record: CropRecord, target: Box, rng: Rng) -> Iterator[Box]:
    """Real rival crops in random order: the whole, centered, other ranked crops, and the subject placed otherwise."""
    size = (target.width, target.height)
    rivals = [WHOLE, centered(float(rng.uniform(0.65, 0.9)))]
    rivals += [crop.box for crop in record.crops if crop.box != target]
    if record.subject:
        x, y = record.subject.center
        rivals.append(place((x, y), size))
        for tx, ty in ((1 / 3, 1 / 3), (2 / 3, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 2 / 3)):
            scale = float(rng.uniform(0.8, 1.2))
            width, height = min(size[0] * scale, 1.0), min(size[1] * scale, 1.0)
            rivals.append(place((x + (0.5 - tx) * width, y + (0.5 - ty) * height), (width, height)))
    for index in rng.permutation(len(rivals)):
        yield rivals[index]
    for _ in range(100):  # then near misses, until enough are distinct
        scale = float(rng.uniform(0.6, 1.3))
        shift = rng.uniform(-0.25, 0.25, 2)
        x, y = target.center
        yield place((x + float(shift[0]), y + float(shift[1])), (size[0] * scale, size[1] * scale))
