"""Guards: what was asked for explicitly holds exactly, whoever has to see to it.

A guard acts only where the model's box does not fulfill a checkable wish, and every act is a sentence in the answer.
This module must not know models or texts: boxes go in, a box goes out.
"""

from __future__ import annotations

from dataclasses import dataclass

from crop_reasoning.geometry import WHOLE, Box, Size, fit_aspect, from_xyxy_px, place, to_xyxy_px
from crop_reasoning.serving.wishes import Aspect, Wishes

SHRINK = 0.85
"""Tighter: the sides of the crop before times this; looser and wider: divided by it."""
STEP = 0.1
"""A move, as a share of the crop's own side."""
MODEL, GUARD = "model", "guard"
BoxPx = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who produced what: `model` or `guard` for each field.

    `box`: whose box the crop's place and size follow. `aspect`: whose ratio it has. `model_box`: the model's own box
    before any guard, [0,1], None if its answer held none.
    """

    box: str
    aspect: str
    model_box: Box | None


@dataclass(frozen=True, slots=True)
class Guarded:
    """A crop after the guards: [0,1] and upright pixels, who produced it, and a sentence for each guard that acted."""

    box: Box
    box_px: BoxPx
    provenance: Provenance
    notes: tuple[str, ...]


def guard(model_box: Box | None, previous: Box | None, wishes: Wishes, aspect: Aspect | None, wh: Size) -> Guarded:
    """The crop that follows the model as far as the wishes allow.

    Without a model's box it follows the crop before, or else the whole photo. `DataError` if the photo cannot hold the
    ratio.

    >>> answer = guard(Box(0.1, 0.1, 0.9, 0.9), None, Wishes(), (1, 1), (400, 200))
    >>> answer.box_px, answer.provenance.box, answer.provenance.aspect
    ((100, 0, 300, 200), 'model', 'guard')
    """
    base, by, note = _base(model_box, previous, wishes)
    box_px = _fit(base, aspect, wh)
    if wishes.relative and not wishes.keep:
        if previous is None:
            note = f"{note}; there is no earlier crop to compare with, so that wish was left to the model".lstrip("; ")
        elif not _fulfilled(wishes, box_px, before := to_xyxy_px(previous, wh)):
            base, by = _adjusted(previous, wishes, aspect), GUARD
            box_px = _fit(base, aspect, wh)
            note = _relative_note(wishes, model_box, fulfilled=_fulfilled(wishes, box_px, before))
    notes = [note] if note else []
    fitted = box_px != to_xyxy_px(base, wh)
    if fitted and aspect:
        whose = "the model's" if by == MODEL else "that"
        notes.append(f"the guard fitted {whose} box to exactly {aspect[0]}:{aspect[1]}")
    box = from_xyxy_px(box_px, wh) if fitted else base
    return Guarded(box, box_px, Provenance(by, GUARD if fitted else by, model_box), tuple(notes))


def _base(model_box: Box | None, previous: Box | None, wishes: Wishes) -> tuple[Box, str, str]:
    if wishes.keep and (model_box is None or not model_box.is_whole):
        return WHOLE, GUARD, "everything was to be kept, so the guard took the whole photo"
    if model_box is not None:
        return model_box, MODEL, ""
    if previous is not None:
        return previous, GUARD, "the model gave no box, so the guard kept the crop before"
    return WHOLE, GUARD, "the model gave no box, so the guard took the whole photo"


def _fit(box: Box, aspect: Aspect | None, wh: Size) -> BoxPx:
    x1, y1, x2, y2 = plain = to_xyxy_px(box, wh)
    if aspect is None or (x2 - x1) * aspect[1] == (y2 - y1) * aspect[0]:
        return plain
    return fit_aspect(box, aspect, wh)


def _fulfilled(wishes: Wishes, now: BoxPx, before: BoxPx) -> bool:
    (width, height), (width_before, height_before) = _sides(now), _sides(before)
    area, area_before = width * height, width_before * height_before
    holds = {
        None: True,
        "tighter": area < area_before,
        "looser": area > area_before,
        "wider": width > width_before,
    }[wishes.scale]
    shift = (now[0] + now[2] - before[0] - before[2], now[1] + now[3] - before[1] - before[3])
    return holds and all(wanted * moved > 0 for wanted, moved in zip(wishes.move, shift, strict=True) if wanted)


def _sides(box_px: BoxPx) -> Size:
    return (box_px[2] - box_px[0], box_px[3] - box_px[1])


def _adjusted(previous: Box, wishes: Wishes, aspect: Aspect | None) -> Box:
    factor = {None: 1.0, "tighter": SHRINK, "looser": 1 / SHRINK, "wider": 1 / SHRINK}[wishes.scale]
    # a wider crop of a fixed ratio is a larger one; without a ratio only the width grows
    taller = 1.0 if wishes.scale == "wider" and aspect is None else factor
    x, y = previous.center
    center = (x + wishes.move[0] * STEP * previous.width, y + wishes.move[1] * STEP * previous.height)
    return place(center, (previous.width * factor, previous.height * taller))


def _relative_note(wishes: Wishes, model_box: Box | None, *, fulfilled: bool) -> str:
    words = {
        None: "",
        "tighter": f"shrank it about its center to {SHRINK} of its sides",
        "looser": f"enlarged it about its center by 1/{SHRINK}",
        "wider": f"widened it about its center by 1/{SHRINK}",
    }[wishes.scale]
    x, y = wishes.move
    ways = [name for name, on in (("left", x < 0), ("right", x > 0), ("up", y < 0), ("down", y > 0)) if on]
    if ways:
        words += (" and " if words else "") + f"moved it {' and '.join(ways)} by {STEP:.0%} of its side"
    reason = "the model gave no box" if model_box is None else "the model's box was not what was asked for"
    note = f"{reason}, so the guard took the crop before and {words}"
    return note if fulfilled else note + ", as far as the photo allows, which was not enough"
