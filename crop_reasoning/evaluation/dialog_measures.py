"""What the answers in dialogues are worth: a table of measures, each over the model's own boxes and the guarded ones.

Outcomes in, numbers out. This module must not know models, engines or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean
from crop_reasoning.geometry import WHOLE, Box, Size, aspect_px, inside, iou
from crop_reasoning.reasoning.intents import (
    ASPECT,
    CANNOT,
    CHECKS,
    KEEP,
    SUBJECT,
    WHOLE_SUBJECT,
    Facts,
    fulfilled,
    has_aspect,
    intents_of,
)


@dataclass(frozen=True, slots=True)
class DialogOutcome:
    """One dialogue's answer: the model's own box (None if it gave none), the guarded crop (None if the photo failed),
    the stored answer's crop, what all are checked against, and the codec's grid (columns, rows)."""

    record_id: str
    task: str
    words: str
    raw: Box | None
    guarded: Box | None
    target: Box
    facts: Facts
    grid: Size
    problem: str = ""

    @property
    def photo(self) -> str:
        """The photo that this depends on: parts of a photo and changed copies of it are the same one."""
        return self.record_id.partition("~")[0]


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table: over `n` dialogues in which `asked` was asked, the mean of what `measured` names."""

    asked: str
    measured: str
    n: int
    raw: Interval
    guarded: Interval


Value = Callable[[Box, DialogOutcome], float]
Among = Callable[[DialogOutcome], bool]
_DOES = {
    "tighter": "area shrinks",
    "looser": "area grows",
    "wider": "width grows",
    "room above": "upper edge moves up",
    "room below": "lower edge moves down",
    "room left": "left edge moves left",
    "room right": "right edge moves right",
    "move left": "center moves left",
    "move right": "center moves right",
    "move up": "center moves up",
    "move down": "center moves down",
    "include": "subject inside",
    "everything": "whole frame",
}


def measures(outcomes: Sequence[DialogOutcome]) -> Iterator[Measure]:
    """Every line of the table that some of the outcomes are about.

    A share counts an answer without a box as 0; an error of a ratio counts it as the whole frame's.
    """
    for asked, measured, among, value in _table():
        chosen = [one for one in outcomes if among(one)]
        if chosen:
            photos = [one.photo for one in chosen]
            raw = bootstrap_mean([_value(value, one.raw, one) for one in chosen], photos)
            guarded = bootstrap_mean([_value(value, one.guarded, one) for one in chosen], photos)
            yield Measure(asked, measured, len(chosen), raw, guarded)


def _value(value: Value, box: Box | None, outcome: DialogOutcome) -> float:
    if box is None:
        return value(WHOLE, outcome) if value is _aspect_error else 0.0
    return value(box, outcome)


def _table() -> Iterator[tuple[str, str, Among, Value]]:
    for asked, among in (("a ratio, first turn", _task(ASPECT)), ("a ratio, later turn", _intent("ratio"))):
        yield asked, "exact in pixels", among, _exact
        yield asked, "as exact as the codec's grid allows", among, _within_grid
        yield asked, "relative error of the ratio", among, _aspect_error
    yield "a given subject", f"at least {WHOLE_SUBJECT:.0%} of it inside", _task(SUBJECT), _kept
    yield "a photo to keep", "kept", lambda one: one.task == KEEP and one.target.is_whole, _as_stored
    yield "a photo to crop", "cropped", lambda one: one.task == KEEP and not one.target.is_whole, _as_stored
    for intent, does in _DOES.items():
        yield intent, does, _intent(intent), _does(intent)
    yield "tighter", "a subject that was whole still is", lambda one: _intent("tighter")(one) and _held(one), _kept
    yield "tighter, nothing else", "area over the one before", _task("tighter"), _area_share
    yield "any later turn", "all that was asked is done", _is_possible, _done
    yield "what the photo does not allow", "the crop stays", lambda one: one.task.startswith(CANNOT), _done
    yield "any turn", "IoU with the stored answer", lambda one: True, lambda box, one: iou(box, one.target)


def _task(name: str) -> Among:
    return lambda one: one.task == name


def _intent(name: str) -> Among:
    return lambda one: name in intents_of(one.task) and _is_possible(one)


def _is_possible(one: DialogOutcome) -> bool:
    return bool(intents_of(one.task)) and not one.task.startswith(CANNOT)


def _held(one: DialogOutcome) -> bool:
    """Whether the crop before held the whole subject."""
    subject, previous = one.facts.subject, one.facts.previous
    return subject is not None and previous is not None and inside(subject, previous) >= WHOLE_SUBJECT


def _does(name: str) -> Value:
    return lambda box, one: float(CHECKS[name](box, one.facts))


def _done(box: Box, one: DialogOutcome) -> float:
    return float(fulfilled(one.task, box, one.facts))


def _as_stored(box: Box, one: DialogOutcome) -> float:
    return float(box.is_whole == one.target.is_whole)


def _kept(box: Box, one: DialogOutcome) -> float:
    return float(one.facts.subject is not None and inside(one.facts.subject, box) >= WHOLE_SUBJECT)


def _area_share(box: Box, one: DialogOutcome) -> float:
    assert one.facts.previous is not None
    return box.area / one.facts.previous.area


def _exact(box: Box, one: DialogOutcome) -> float:
    return float(one.facts.aspect is not None and has_aspect(box, one.facts.aspect, one.facts.wh))


def _within_grid(box: Box, one: DialogOutcome) -> float:
    """Whether some box that the codec writes with the same integers has exactly the ratio."""
    assert one.facts.aspect is not None
    (columns, rows), (w, h), wanted = one.grid, one.facts.wh, one.facts.aspect[0] / one.facts.aspect[1]
    least = (box.width - 1 / columns) * w / ((box.height + 1 / rows) * h)
    most = (box.width + 1 / columns) * w / max((box.height - 1 / rows) * h, 1e-9)
    return float(least <= wanted <= most)


def _aspect_error(box: Box, one: DialogOutcome) -> float:
    assert one.facts.aspect is not None
    return abs(aspect_px(box, one.facts.wh) * one.facts.aspect[1] / one.facts.aspect[0] - 1)


def balanced_accuracy(outcomes: Sequence[DialogOutcome]) -> Measure | None:
    """Keeping and cropping, each worth half, over the photos to keep and those to crop; None without both kinds.

    Each answer is weighed by its kind's share, so that the mean is the balanced accuracy and photos can be resampled.
    """
    asked = [one for one in outcomes if one.task == KEEP]
    n_keep = sum(one.target.is_whole for one in asked)
    if not 0 < n_keep < len(asked):
        return None
    weights = [len(asked) / 2 / (n_keep if one.target.is_whole else len(asked) - n_keep) for one in asked]
    photos = [one.photo for one in asked]

    def mean(boxes: list[Box | None]) -> Interval:
        right = [_value(_as_stored, box, one) for box, one in zip(boxes, asked, strict=True)]
        return bootstrap_mean([weight * value for weight, value in zip(weights, right, strict=True)], photos)

    raw, guarded = mean([one.raw for one in asked]), mean([one.guarded for one in asked])
    return Measure("keep or crop", "balanced accuracy", len(asked), raw, guarded)
