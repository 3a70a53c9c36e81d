"""The offline author's answers in conversations: what was asked, and what the boxes prove about it.

The grammar and the words are those of `boxes`. What is added compares with the crop before, which stands among the
proposals of every later turn; proposals are real ways to do what was asked, the target's place among them is uniform.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crop_reasoning.authors.boxes import PROPOSALS, reason, why
from crop_reasoning.composition.placement import served_elements
from crop_reasoning.geometry import Box, iou
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale

AUTHOR = "tasks/1"
BEFORE = "the crop before"
DISTINCT = 0.96
"""A rival that overlaps another proposal more than this would be the same one: steps between turns are small."""
PHRASES = {
    "tighter": "tighter than the crop before",
    "looser": "looser than the crop before",
    "wider": "wider than the crop before",
    "room above": "more room above than the crop before",
    "room below": "more room below than the crop before",
    "room left": "more room on the left than the crop before",
    "room right": "more room on the right than the crop before",
    "move left": "moved left of the crop before",
    "move right": "moved right of the crop before",
    "move up": "moved up from the crop before",
    "move down": "moved down from the crop before",
    "include": "the whole subject is in the crop",
    "everything": "everything is kept",
    "ratio": "of the asked ratio",
}
"""Intent to the words with which an answer says that it is done (see `intents`)."""
Rng = np.random.Generator


def task_answer(
    subject: Box | None,
    elements: Sequence[Element],
    target: Box,
    rivals: Sequence[Box],
    rng: Rng,
    *,
    previous: Box | None = None,
    said: Sequence[str] = (),
) -> Rationale:
    """An answer that decides on `target` after up to four proposals: it, the crop before, and rivals in their order.

    `said` are phrases about the target that stand before the usual words of the decision.
    """
    boxes = [target] if previous in (None, target) else [target, previous]
    for box in rivals:
        if len(boxes) < PROPOSALS and all(iou(box, other) < DISTINCT for other in boxes):
            boxes.append(box)
    boxes = [boxes[index] for index in rng.permutation(len(boxes))]
    proposals = tuple(Proposal(box, served_elements(subject, box), _reason(box, subject, previous)) for box in boxes)
    reasons = ", ".join([*said, why(target, boxes, subject)])
    return Rationale(subject, tuple(elements), proposals, Decision(target, reasons))


def _reason(box: Box, subject: Box | None, previous: Box | None) -> str:
    words = reason(box, subject)
    return f"{BEFORE}, {words}" if box == previous else words
