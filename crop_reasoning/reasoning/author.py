"""The offline author: rationales that claim only what geometry proves.

For a record with a subject box and known elements (procedural scenes) it speaks of them; for a photograph of which only
the crops are known it speaks of size and position. The target's place among the proposals is uniform, and the answers
of a pair differ in the decision alone, so that neither order nor style can be the signal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crop_reasoning.composition.placement import position_word, served_elements, size_word, subject_words
from crop_reasoning.geometry import WHOLE, Box, centered, iou, place
from crop_reasoning.reasoning.rationale import Decision, Proposal, Rationale
from crop_reasoning.reasoning.store import element_from_json
from crop_reasoning.records import CropRecord

AUTHOR = "boxes/2"
PROPOSALS = 4
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
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
    """The decision's reason: the measured differences from the other candidates, by their places in the list.

    Places are words, so that in an answer every integer is a coordinate.
    """
    words = subject_words(subject, crop) if subject else position_word(crop)
    others = [(name, box) for name, box in zip(ORDINALS, candidates, strict=False) if box != crop]
    tighter = [name for name, box in others if crop.area < 0.97 * box.area]
    if not tighter:
        return f"widest, {words}"
    return f"tighter than the {' and '.join(tighter)}, {words}"


def _alternatives(record: CropRecord, target: Box, rng: Rng) -> Iterator[Box]:
    """Rival crops: in random order the whole and crops of the target's size placed otherwise, as far as they fit.

    Those follow from the subject and the target alone, so that a model can learn to propose them. If they are too few,
    other ranked crops of the record come next, centered ones last.
    """
    size = (target.width, target.height)
    if record.subject:
        x, y = record.subject.center
        spots = [(x, y)]
        for tx, ty in ((1 / 3, 1 / 3), (2 / 3, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 2 / 3)):
            spots.append((x + (0.5 - tx) * size[0], y + (0.5 - ty) * size[1]))
    else:
        ends = [(side / 2, 0.5, 1 - side / 2) for side in size]
        spots = [(x, y) for y in ends[1] for x in ends[0]]
    fits = [all(side / 2 <= at <= 1 - side / 2 for at, side in zip(spot, size, strict=True)) for spot in spots]
    rivals = [WHOLE, *(place(spot, size) for spot, whole in zip(spots, fits, strict=True) if whole)]
    for index in rng.permutation(len(rivals)):
        yield rivals[index]
    others = [crop.box for crop in record.crops]
    for index in rng.permutation(len(others)):
        yield others[index]
    for scale in (0.8, 0.6, 0.7, 0.5, 0.9):
        yield centered(scale)
