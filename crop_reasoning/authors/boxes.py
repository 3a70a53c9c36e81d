"""The offline author: rationales that claim only what geometry proves.

For a record with a subject box and known elements (procedural scenes) it speaks of them; for a photograph of which only
the crops are known it speaks of size and position. The target's place among the proposals is uniform, the answers of a
pair differ in the decision alone, and their proposals are the same whichever crop is preferred, so that neither order
nor style nor the company a crop is in can be the signal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crop_reasoning.composition.placement import position_word, served_elements, size_word, subject_words
from crop_reasoning.geometry import WHOLE, Box, centered, iou, place
from crop_reasoning.reasoning.rationale import Decision, Proposal, Rationale
from crop_reasoning.reasoning.store import element_from_json
from crop_reasoning.records import CropRecord

AUTHOR = "boxes/3"
PROPOSALS = 4
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_DISTINCT = 0.85  # two proposals that overlap more than this would be one
_CENTERED = (0.7, 0.8, 0.9)
Rng = np.random.Generator


def author_rationale(record: CropRecord, targets: tuple[Box, ...], rng: Rng) -> tuple[Rationale, ...]:
    """One answer a target crop, all with the same analysis and the same proposals, which hold every target.

    The proposals follow from the set of targets, whichever of them comes first: they cannot tell which one is better.
    """
    boxes = sorted(targets, key=lambda box: box.xyxy)
    for rival in _rivals(record.subject, tuple(boxes), rng):
        if len(boxes) == PROPOSALS:
            break
        if all(iou(rival, box) < _DISTINCT for box in boxes):
            boxes.append(rival)
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
    """The decision's reason: the measured differences from the other candidates, by their places in the list.

    Places are words, so that in an answer every integer is a coordinate.
    """
    words = subject_words(subject, crop) if subject else position_word(crop)
    others = [(name, box) for name, box in zip(ORDINALS, candidates, strict=False) if box != crop]
    tighter = [name for name, box in others if crop.area < 0.97 * box.area]
    if not tighter:
        return f"widest, {words}"
    return f"tighter than the {' and '.join(tighter)}, {words}"


def _rivals(subject: Box | None, targets: tuple[Box, ...], rng: Rng) -> Iterator[Box]:
    """Crops to propose beside the targets: in random order the whole and those that place the subject on thirds or in
    the middle, of each target's size and as far as they fit; centered ones last.

    Without a subject they are the whole and centered crops: others of a target's size would be as good as the target
    for all that can be seen, and a model would learn to decide by chance.
    """
    rivals = [WHOLE]
    if subject:
        for size in sorted({(target.width, target.height) for target in targets}):
            rivals += _placed(subject, size)
    else:
        rivals += [centered(scale) for scale in _CENTERED]
    for index in rng.permutation(len(rivals)):
        yield rivals[index]
    yield from (centered(scale) for scale in (*_CENTERED, 0.6, 0.5))


def _placed(subject: Box, size: tuple[float, float]) -> Iterator[Box]:
    """The crops of a size that hold the subject's center in their middle or on a crossing of thirds."""
    (x, y), (width, height) = subject.center, size
    for tx, ty in ((1 / 2, 1 / 2), (1 / 3, 1 / 3), (2 / 3, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 2 / 3)):
        center = (x + (0.5 - tx) * width, y + (0.5 - ty) * height)
        if all(side / 2 <= at <= 1 - side / 2 for at, side in zip(center, size, strict=True)):
            yield place(center, size)
