"""Places in a frame as rows of tokens: thirds, golden-ratio lines, the middle, halves; how far a point misses one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crop_reasoning.composition.placement import GOLDEN, NEAR, THIRD

_ACROSS = {"LEFT": 0, "RIGHT": 1}
_DOWN = {"TOP": 0, "ABOVE": 0, "BOTTOM": 1, "BELOW": 1}
Where = tuple[str, int | None] | None
GOLDEN_NEAR = 0.03
"""A subject's center this close to a golden-ratio line counts as standing on it."""
ASIDE = 0.03
"""Of the frame's side: what is nearer to the middle is neither on the left nor on the right."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a `kind` of line ("third", "golden", "middle", "half") across and down, with the side
    0 (left, upper), 1 (right, lower) or None (either); no entry where nothing is said of that direction. `region`
    tells "in the left third", all of it, from "on" its line; `any_line` is "on a third line", whichever way."""

    across: Where = None
    down: Where = None
    region: bool = False
    any_line: str = ""


def place_of(run: str) -> Place | None:
    """The place that a row of place tokens names; None if it names none, or contradicts itself.

    >>> place_of("ON TOP LEFT THIRD POINT")
    Place(across=('third', 0), down=('third', 0), region=False, any_line='')
    >>> place_of("LEFT THIRD & MIDDLE")
    Place(across=('third', 0), down=('middle', None), region=False, any_line='')
    """
    if "&" in run:
        first, _, second = run.partition("&")
        one, other = place_of(first), place_of(second)
        if one is None or other is None:
            return None
        across = one.across if "MIDDLE" not in first else ("middle", None)
        down = other.down if "MIDDLE" not in second else ("middle", None)
        return Place(across, down) if across and down else None
    words = run.split()
    kind = "golden" if "GOLDEN" in words else "third" if {"THIRD", "POINT", "RULEOFTHIRDS"} & {*words} else "half"
    columns = {_ACROSS[word] for word in words if word in _ACROSS}
    rows = {_DOWN[word] for word in words if word in _DOWN}
    if len(columns) > 1 or len(rows) > 1 or (kind != "half" and {"ABOVE", "BELOW"} & {*words}):
        return None
    x: Where = (kind, columns.pop()) if columns else None
    y: Where = (kind, rows.pop()) if rows else None
    if "MIDDLE" in words:
        return _about_middle(run, x, y)
    if x is None and y is None:
        return None if kind == "half" else Place(any_line=f"{kind} point" if "POINT" in words else kind)
    if "POINT" in words and (x is None or y is None):
        return Place(x, y, any_line=f"{kind} point")
    return Place(x, y, region=bool(re.match(r"IN\b", run)))


def _about_middle(run: str, x: Where, y: Where) -> Place | None:
    middle = ("middle", None)
    if x or y:  # "left of the middle", "upper middle"
        if re.search(r"(?:OF|ABOVE|BELOW) MIDDLE", run):
            return Place(x, y)
        return Place(x or middle, y or middle) if not (x and y) else None
    if "HORIZONTALLY" in run and "VERTICALLY" not in run:
        return Place(across=middle)
    if "VERTICALLY" in run and "HORIZONTALLY" not in run:
        return Place(down=middle)
    return Place(middle, middle)


def off(place: Place, point: tuple[float, float]) -> float:
    """By how much a point in [0,1] of the frame misses a place; 0 or less where it stands there."""
    if place.any_line:
        kind = place.any_line.split()[0]
        misses = [min(_off((kind, side), value, False) for side in (0, 1)) for value in point]
        wanted = [
            _off(each, value, False) for each, value in ((place.across, point[0]), (place.down, point[1])) if each
        ]
        return max(*wanted, *misses) if "point" in place.any_line else max(min(misses), *wanted, -1.0)
    return max(
        _off(each, value, place.region)
        for each, value in ((place.across, point[0]), (place.down, point[1]))
        if each is not None
    )


def _off(line: tuple[str, int | None], value: float, region: bool) -> float:
    kind, side = line
    if kind == "middle":
        return abs(value - 0.5) - NEAR
    folded = value if side == 0 else 1 - value
    if kind == "half":
        return folded - 0.5 + ASIDE
    at, near = (THIRD, NEAR) if kind == "third" else (GOLDEN, GOLDEN_NEAR)
    return folded - at - near if region else abs(folded - at) - near
