"""Where the crop goes when people ask for something: the boxes of dialogues' answers, from boxes alone.

What is not asked for stays: the subject keeps its place in the frame, the ratio in force holds in whole pixels, and
what was kept whole stays whole if it can.
"""

from __future__ import annotations

import math

from crop_reasoning.geometry import WHOLE, Box, Size, clip, fit_aspect, from_xyxy_px, inside, iou, place
from crop_reasoning.reasoning.intents import WHOLE_SUBJECT, Facts, fulfilled
from crop_reasoning.records import CropRecord
from crop_reasoning.serving.guards import SHRINK, STEP

Aspect = tuple[int, int]
ASPECTS: tuple[Aspect, ...] = ((1, 1), (4, 5), (5, 4), (3, 2), (2, 3), (16, 9), (9, 16), (21, 9), (4, 3), (3, 4))
ROOM = 0.2
"""More room on a side: this share of the crop's own side, or as much as the photo holds."""
LEAST_SIDE = 0.15
"""A crop whose narrower side is at most this share of the photo's is tight enough."""
LEAST_CHANGE = 0.012
"""An answer that moves no edge by more (share of the photo) is none: nobody would see it."""
_MARGIN = 0.08  # of the subject's sides: what is included stands a little inside the border
_FURTHEST = 12  # ranked crops from which candidates of a ratio are made
_SCALES = (1.0, 0.85, 1.18)


def answer_to(
    intents: tuple[str, ...], amounts: tuple[float, ...], facts: Facts, *, about_center: bool = False
) -> Box | None:
    """The crop that does all that is asked of the crop before; None if the photo does not allow it, or hardly.

    Changes of size keep the subject where it stands in the frame; `about_center` keeps the crop's center instead.
    """
    assert facts.previous is not None
    box = facts.previous
    for name, amount in zip(intents, amounts, strict=True):
        box = _step(name, amount, box, facts.subject, about_center)
    if "everything" not in intents:
        kept = facts.subject and inside(facts.subject, facts.previous) >= WHOLE_SUBJECT
        box = _fitted(box, facts.aspect, facts.wh, facts.subject if kept or "include" in intents else None)
    changed = max(abs(new - old) for new, old in zip(box.xyxy, facts.previous.xyxy, strict=True)) >= LEAST_CHANGE
    return box if changed and fulfilled("+".join(intents), box, facts) else None


def cannot(intent: str, previous: Box, subject: Box | None) -> str:
    """Why the photo does not allow an intent at all, in words that the boxes prove; empty where it might."""
    if intent == "tighter":
        if min(previous.width, previous.height) <= LEAST_SIDE:
            return "the crop before is as tight as is of use"
        if subject and inside(subject, previous) >= WHOLE_SUBJECT and _filled(subject, previous) > 0.98:
            return "a tighter crop would cut the subject"
    at_border = {
        "looser": (previous.is_whole, "the crop before is the whole frame"),
        "wider": (previous.width == 1, "the crop before has the whole width"),
        "room above": (previous.y1 == 0, "the crop before touches the upper edge"),
        "move up": (previous.y1 == 0, "the crop before touches the upper edge"),
        "room below": (previous.y2 == 1, "the crop before touches the lower edge"),
        "move down": (previous.y2 == 1, "the crop before touches the lower edge"),
        "room left": (previous.x1 == 0, "the crop before touches the left edge"),
        "move left": (previous.x1 == 0, "the crop before touches the left edge"),
        "room right": (previous.x2 == 1, "the crop before touches the right edge"),
        "move right": (previous.x2 == 1, "the crop before touches the right edge"),
    }
    holds, words = at_border.get(intent, (False, ""))
    return words if holds else ""


def of_aspect(record: CropRecord, aspect: Aspect) -> list[Box]:
    """The crops of a ratio that a record's ranked crops suggest, the best first; each exact in pixels.

    Best is what overlaps the ranked crops most, the better ones above all, and keeps the subject. `DataError` if the
    photo cannot hold the ratio.
    """
    ranked = sorted(record.crops, key=lambda crop: -crop.score)
    top, low = ranked[0].score, ranked[-1].score
    weights = [((crop.score - low) / (top - low)) ** 3 if top > low else 1.0 for crop in ranked]

    def value(box: Box) -> float:
        shared = sum(weight * iou(box, crop.box) for weight, crop in zip(weights, ranked, strict=True))
        lost = max(0.0, WHOLE_SUBJECT - inside(record.subject, box)) if record.subject else 0.0
        return shared / sum(weights) - 4 * lost

    boxes = []
    for crop in ranked[:_FURTHEST]:
        for scale in _SCALES:
            size = (crop.box.width * scale, crop.box.height * scale)
            boxes.append(_fitted(place(crop.box.center, size), aspect, record.image.wh, record.subject))
    boxes.append(_fitted(WHOLE, aspect, record.image.wh, record.subject))
    return sorted(dict.fromkeys(boxes), key=lambda box: -value(box))


def placed(subject: Box, scale: float) -> Box:
    """The crop `scale` times the subject's longer side (of the photo's), the subject on the nearest crossing of thirds,
    or as near to it as the photo allows."""
    side = min(scale * max(subject.width, subject.height), 1.0)
    x, y = subject.center
    thirds = [1 / 3 if value < 0.5 else 2 / 3 for value in (x, y)]
    return place((x + (0.5 - thirds[0]) * side, y + (0.5 - thirds[1]) * side), (side, side))


def _step(name: str, amount: float, box: Box, subject: Box | None, about_center: bool) -> Box:
    """One intent, done to a box of any ratio."""
    kind, _, way = name.partition(" ")
    room_x, room_y = ROOM * amount * box.width, ROOM * amount * box.height
    step_x, step_y = STEP * amount * box.width, STEP * amount * box.height
    if kind in ("tighter", "looser"):
        factor = SHRINK**amount if kind == "tighter" else SHRINK**-amount
        return _scaled(box, factor, subject, about_center)
    if kind == "wider":
        return place(box.center, (box.width * SHRINK**-amount, box.height))
    if kind == "room":
        grown = {
            "above": (box.x1, max(0.0, box.y1 - room_y), box.x2, box.y2),
            "below": (box.x1, box.y1, box.x2, min(1.0, box.y2 + room_y)),
            "left": (max(0.0, box.x1 - room_x), box.y1, box.x2, box.y2),
            "right": (box.x1, box.y1, min(1.0, box.x2 + room_x), box.y2),
        }
        return Box(*grown[way])
    if kind == "move":
        x, y = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}[way]
        return place((box.center[0] + x * step_x, box.center[1] + y * step_y), (box.width, box.height))
    if kind == "include" and subject:
        return _union(box, subject)
    return WHOLE if kind == "everything" else box


def _scaled(box: Box, factor: float, subject: Box | None, about_center: bool) -> Box:
    """The box with its sides times `factor`; a subject that it holds stays where it is in the frame, and whole."""
    size = (min(1.0, box.width * factor), min(1.0, box.height * factor))
    held = subject is not None and inside(subject, box) >= WHOLE_SUBJECT
    if subject is None or not held or about_center:
        return place(box.center, size)
    size = (max(size[0], min(subject.width, box.width)), max(size[1], min(subject.height, box.height)))
    x, y = subject.center
    center = (x + (box.center[0] - x) / box.width * size[0], y + (box.center[1] - y) / box.height * size[1])
    return _holding(place(center, size), subject)


def _holding(box: Box, subject: Box) -> Box:
    """The box, moved as little as makes it hold a subject that fits into it."""

    def start(low: float, high: float, first: float, last: float) -> float:
        return min(max(low, last - (high - low)), first) if last - first <= high - low else low

    x1 = start(box.x1, box.x2, subject.x1, subject.x2)
    y1 = start(box.y1, box.y2, subject.y1, subject.y2)
    return place((x1 + box.width / 2, y1 + box.height / 2), (box.width, box.height))


def _union(box: Box, subject: Box) -> Box:
    """The smallest box that holds a box and a subject with a little room around it."""
    x, y = _MARGIN * subject.width, _MARGIN * subject.height
    return clip(
        *(min(box.x1, subject.x1 - x), min(box.y1, subject.y1 - y)),
        *(max(box.x2, subject.x2 + x), max(box.y2, subject.y2 + y)),
    )


def _fitted(box: Box, aspect: Aspect | None, wh: Size, subject: Box | None) -> Box:
    """The box in whole pixels of exactly the ratio, moved by whole pixels so that it holds the subject if it can."""
    if aspect is None:
        return box
    x1, y1, x2, y2 = fit_aspect(box, aspect, wh)
    if subject is None:
        return from_xyxy_px((x1, y1, x2, y2), wh)
    moved = [
        _start_px(low, high, first * side, last * side, side)
        for low, high, first, last, side in (
            (x1, x2, subject.x1, subject.x2, wh[0]),
            (y1, y2, subject.y1, subject.y2, wh[1]),
        )
    ]
    return from_xyxy_px((moved[0], moved[1], moved[0] + x2 - x1, moved[1] + y2 - y1), wh)


def _start_px(low: int, high: int, first: float, last: float, side: int) -> int:
    length = high - low
    if last - first > length:  # cannot be held: centered on it
        return int(min(max(round((first + last - length) / 2), 0), side - length))
    return int(min(max(low, math.ceil(last - length)), math.floor(first)))


def _filled(subject: Box, box: Box) -> float:
    """The larger share of the box's sides that the subject takes."""
    return max(subject.width / box.width, subject.height / box.height)
