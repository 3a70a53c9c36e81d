"""What people ask of a crop in a conversation, and whether a box does it: the one table of intents.

Every intent can be checked from boxes alone. The writer of dialogues checks what it teaches here, the evaluation what a
model answered. This module must not know words or models: what people say is read elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crop_reasoning.geometry import Box, Size, inside, iou, to_xyxy_px

WHOLE_SUBJECT = 0.95
"""Share of a subject inside a crop from which it counts as kept whole."""
SAME = 0.98
"""IoU from which two crops count as the same one."""
ASPECT, SUBJECT, KEEP = "aspect", "subject", "keep"
"""Tasks of a first turn; those of later turns are named by their intents, joined by `+`."""
CANNOT = "cannot "
"""Before an intent that the photo does not allow: the right answer leaves the crop as it is and says so."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer is checked against: the crop before (None in a first turn), the subject that is spoken of, the
    ratio (width, height) in force, and the size of the upright photo in pixels."""

    previous: Box | None
    subject: Box | None
    aspect: tuple[int, int] | None
    wh: Size


def _against(holds: Callable[[Box, Box], bool]) -> Callable[[Box, Facts], bool]:
    return lambda box, facts: facts.previous is not None and holds(box, facts.previous)


CHECKS: dict[str, Callable[[Box, Facts], bool]] = {
    "tighter": _against(lambda box, before: box.area < before.area),
    "looser": _against(lambda box, before: box.area > before.area),
    "wider": _against(lambda box, before: box.width > before.width),
    "room above": _against(lambda box, before: box.y1 < before.y1),
    "room below": _against(lambda box, before: box.y2 > before.y2),
    "room left": _against(lambda box, before: box.x1 < before.x1),
    "room right": _against(lambda box, before: box.x2 > before.x2),
    "move left": _against(lambda box, before: box.center[0] < before.center[0]),
    "move right": _against(lambda box, before: box.center[0] > before.center[0]),
    "move up": _against(lambda box, before: box.center[1] < before.center[1]),
    "move down": _against(lambda box, before: box.center[1] > before.center[1]),
    "include": lambda box, facts: facts.subject is not None and inside(facts.subject, box) >= WHOLE_SUBJECT,
    "everything": lambda box, facts: box.is_whole,
    "ratio": lambda box, facts: facts.aspect is not None and has_aspect(box, facts.aspect, facts.wh),
}
"""Intent to its check. A ratio holds exactly, in whole pixels of the photo."""
INTENTS = tuple(CHECKS)


def intents_of(task: str) -> tuple[str, ...]:
    """The intents that a task's name holds.

    >>> intents_of("tighter+ratio"), intents_of("cannot looser"), intents_of("keep")
    (('tighter', 'ratio'), ('looser',), ())
    """
    return tuple(name for name in task.removeprefix(CANNOT).split("+") if name in CHECKS)


def fulfilled(task: str, box: Box, facts: Facts) -> bool:
    """Whether `box` does everything that a task of a later turn asks.

    >>> facts = Facts(Box(0.2, 0.2, 0.8, 0.8), None, None, (100, 100))
    >>> fulfilled("tighter", Box(0.3, 0.3, 0.7, 0.7), facts), fulfilled("tighter+room above", Box(0, 0, 1, 1), facts)
    (True, False)
    """
    if task.startswith(CANNOT):
        return facts.previous is not None and iou(box, facts.previous) >= SAME
    return all(CHECKS[name](box, facts) for name in intents_of(task))


def has_aspect(box: Box, aspect: tuple[int, int], wh: Size) -> bool:
    """Whether a box has exactly this ratio on the pixel grid of a photo of `wh` px."""
    x1, y1, x2, y2 = to_xyxy_px(box, wh)
    return (x2 - x1) * aspect[1] == (y2 - y1) * aspect[0]
