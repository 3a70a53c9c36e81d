"""Held against the truth: hits, misses, false alarms and errors of geometry, scene by scene and summed up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.scenes.element_scenes import ElementScene
from benchmarks.scenes.element_truth import Line, Point, Truth, angle_of
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.geometry import Size

LINED = ("horizontal", "vertical", "diagonal")
Z = 1.959964  # 95 % of a normal distribution lie within


@dataclass(frozen=True, slots=True)
class Judged:
    """One scene's outcome: the element it was painted for, all that was true, ambiguous and reported, and errors.

    errors: {"horizontal angle": degrees, "symmetric axis": % of the diagonal, "vanishing point": % of the diagonal}
    of what was truly there and reported with geometry.
    """

    name: str | None
    degradation: str
    true: frozenset[str]
    ambiguous: frozenset[str]
    reported: frozenset[str]
    errors: dict[str, float] = field(default_factory=dict)
    owed: frozenset[str] = frozenset()


def judge_scene(name: str | None, degradation: str, scene: ElementScene, evidence: Iterable[Any]) -> Judged:
    """Compare a scene with the evidence of an analysis. Of several pieces for one element the strongest counts.

    `ValueError` for a name that is none of the ten.
    """
    strongest: dict[str, Any] = {}
    for piece in sorted(evidence, key=lambda piece: piece.strength):
        if piece.name not in ELEMENTS:
            raise ValueError(f"the analysis reports {piece.name!r}; expected one of {', '.join(ELEMENTS)}")
        strongest[piece.name] = piece
    errors, owed = {}, set()
    for element in sorted(scene.truths.keys() & strongest.keys()):
        for kind, error in _errors(element, scene.truths[element], strongest[element], scene.image.size).items():
            owed.add(kind)
            if error is not None:
                errors[kind] = error
    return Judged(name, degradation, scene.elements, scene.ambiguous, frozenset(strongest), errors, frozenset(owed))


def _errors(element: str, truth: Truth, piece: Any, wh: Size) -> dict[str, float | None]:
    """The errors that an element's geometry can have; None where the truth has it and the evidence does not."""
    errors: dict[str, float | None] = {}
    if element in LINED:
        errors[f"{element} angle"] = angle_error(piece.line, truth.lines, wh) if piece.line else None
    if truth.axis:
        errors["symmetric axis"] = axis_error(piece.line, truth.axis, wh) if piece.line else None
    if truth.vanishing:
        errors["vanishing point"] = point_error(piece.vanishing, truth.vanishing, wh) if piece.vanishing else None
    return errors


def angle_error(line: Sequence[float], truths: Sequence[Line], wh: Size) -> float:
    """Degrees in [0, 90] between a line and the true line nearest in angle.

    >>> angle_error((0, 0, 1, 1), [(0, 0, 1, 0), (0, 0.9, 1, 0)], (100, 100))
    45.0
    """
    turns = (abs(angle_of(line, wh) - angle_of(truth, wh)) for truth in truths)
    return min(min(turn, 180 - turn) for turn in turns)


def axis_error(line: Sequence[float], axis: Line, wh: Size) -> float:
    """How far the ends of the true axis lie from the found line, made endless: the greater, in % of the diagonal.

    >>> round(axis_error((0.5, 0.2, 0.5, 0.8), (0.53, 0, 0.53, 1), (100, 100)), 2)
    2.12
    """
    x1, y1, x2, y2 = (share * wh[k % 2] for k, share in enumerate(line))
    length = math.hypot(x2 - x1, y2 - y1)
    if length == 0:
        return math.inf
    ends = ((axis[0] * wh[0], axis[1] * wh[1]), (axis[2] * wh[0], axis[3] * wh[1]))
    away = max(abs((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / length for x, y in ends)
    return 100 * away / math.hypot(*wh)


def point_error(found: Point, truth: Point, wh: Size) -> float:
    """Distance of two points in % of the diagonal."""
    return 100 * math.hypot((found[0] - truth[0]) * wh[0], (found[1] - truth[1]) * wh[1]) / math.hypot(*wh)


def share(hits: int, n: int) -> dict[str, float | int] | None:
    """A share of `n` with its 95 % interval (Wilson 1927), which is one also where all or none hit; None of nothing.

    >>> share(9, 10)
    {'value': 0.9, 'low': 0.5958, 'high': 0.9821, 'n': 10}
    """
    if n == 0:
        return None
    p, spread = hits / n, Z * Z / n
    middle, half = p + spread / 2, Z * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    low, high = max((middle - half) / (1 + spread), 0.0), min((middle + half) / (1 + spread), 1.0)
    return {"value": round(p, 4), "low": round(low, 4), "high": round(high, 4), "n": n}


def summary(scenes: Sequence[Judged]) -> dict[str, Any]:
    """Recall and precision of each element, the confusion, and the errors, of scenes in one state.

    Recall counts scenes where the element is true; precision those where it is reported and not ambiguous. The
    confusion maps (painted for, reported) to a share: on the diagonal of hits; elsewhere of false alarms among the
    scenes where the element is absent, None where there is no such scene.
    """
    recall, precision = {}, {}
    for element in ELEMENTS:
        found = [element in scene.reported for scene in scenes if element in scene.true]
        claims = [
            element in scene.true for scene in scenes if element in scene.reported and element not in scene.ambiguous
        ]
        recall[element], precision[element] = share(sum(found), len(found)), share(sum(claims), len(claims))
    confusion = {
        row or "none": {column: _cell(scenes, row, column) for column in ELEMENTS} for row in (*ELEMENTS, None)
    }
    kinds = sorted({kind for scene in scenes for kind in scene.owed})
    errors = {kind: _spread(scenes, kind) for kind in kinds}
    return {"recall": recall, "precision": precision, "confusion": confusion, "errors": errors}


def _cell(scenes: Sequence[Judged], row: str | None, column: str) -> float | None:
    """A cell of the confusion. A scene where the column's element is true or ambiguous has no say off the diagonal."""
    own = [scene for scene in scenes if scene.name == row]
    fair = [scene for scene in own if row == column or column not in scene.true | scene.ambiguous]
    return round(sum(column in scene.reported for scene in fair) / len(fair), 4) if fair else None


def _spread(scenes: Sequence[Judged], kind: str) -> dict[str, float | int | None]:
    """Median and 90 % quantile of an error, over how many scenes, and how many hits came without that geometry."""
    values = [scene.errors[kind] for scene in scenes if kind in scene.errors]
    without = sum(kind in scene.owed and kind not in scene.errors for scene in scenes)
    if not values:
        return {"median": None, "q90": None, "n": 0, "without": without}
    median, q90 = np.quantile(values, [0.5, 0.9], method="higher")
    return {"median": round(float(median), 3), "q90": round(float(q90), 3), "n": len(values), "without": without}
