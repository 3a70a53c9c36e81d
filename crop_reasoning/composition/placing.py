"""Where the subject stands in a frame: on the thirds, in the golden ratio, in the center.

Lines at 1/3 and at 0.382 are 0.049 apart, so the nearer one wins: half-way between them both are worth 0.5. Of the
three elements at most the best fitting one is kept, as their guides are too near to each other to serve two.
"""

from __future__ import annotations

from dataclasses import dataclass

from crop_reasoning.composition.primitives import ramp
from crop_reasoning.geometry import Box

THIRD, GOLDEN = 1 / 3, 0.382
_LARGEST = 0.62  # of a side: a larger subject stands on no line
_LARGEST_CENTERED = 0.95
_LINE_ALONE = 0.92  # a line is worth less than a crossing


@dataclass(frozen=True, slots=True)
class Placement:
    """One of the three placement elements, its strength, and in words where the subject stands."""

    name: str
    strength: float
    words: str


def placement(subject: Box) -> Placement | None:
    """The placement element that a subject (in [0,1] of the frame) fits best; None if it fits none."""
    x, y = subject.center
    centered = min(_near(x, 0.5, 0.09, 0.09), _near(y, 0.5, 0.09, 0.09))
    if max(subject.width, subject.height) > _LARGEST:
        if centered <= 0 or max(subject.width, subject.height) > _LARGEST_CENTERED:
            return None
        return Placement("center", centered, "the subject stands in the middle")
    found = [Placement("center", centered, "the subject stands in the middle")]
    for name, line, outer, inner in (("rule of thirds", THIRD, 0.1, 0.049), ("golden ratio", GOLDEN, 0.049, 0.1)):
        across, down = _near(_folded(x), line, outer, inner), _near(_folded(y), line, outer, inner)
        both, alone = min(across, down), _LINE_ALONE * max(across, down)
        words = _words(name, x, y, across >= 0.5, down >= 0.5)
        found.append(Placement(name, max(both, alone), words))
        if both >= 0.5:  # a crossing outweighs every single line
            return Placement(name, max(both, alone), words)
    best = max(found, key=lambda each: each.strength)
    return best if best.strength > 0 else None


def _folded(value: float) -> float:
    return min(value, 1 - value)


def _near(value: float, line: float, outer: float, inner: float) -> float:
    """1 on a line, 0 at `outer` below or `inner` above it."""
    return ramp(abs(value - line), outer if value < line else inner, 0)


def _words(name: str, x: float, y: float, across: bool, down: bool) -> str:
    kind = "third" if name == "rule of thirds" else "golden-ratio"
    column, row = "left" if x < 0.5 else "right", "upper" if y < 0.5 else "lower"
    if across and down:
        return f"the subject stands on the crossing of the {column} and {row} {kind} lines"
    return f"the subject stands on the {column if across else row} {kind} line"
