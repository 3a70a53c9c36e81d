"""What the boxes alone prove about a crop: its size, where it lies, and where the subject stands inside it.

Nothing here looks at pixels, so nothing here can be untrue of a photo. Words are the ones rationales use.

`placement` measures the three elements that need a subject. Lines at 1/3 and at 0.382 are 0.049 apart, so the nearer
one wins: half-way between them both are worth 0.5. Of the three at most the best fitting one is kept, as their guides
are too near to each other to serve two.
"""

from __future__ import annotations

from dataclasses import dataclass

from crop_reasoning.composition.elements import ramp
from crop_reasoning.geometry import Box, inside

NEAR = 0.07
"""A subject's center this close (share of the crop's side) to a line counts as standing on it."""
THIRD, GOLDEN = 1 / 3, 0.382
_LARGEST = 0.62  # of a side: a larger subject stands on no line
_LARGEST_CENTERED = 0.95
_LINE_ALONE = 0.92  # a line is worth less than a crossing


def size_word(crop: Box) -> str:
    """How much of the photo a crop keeps, in words.

    >>> size_word(Box(0.2, 0.2, 0.8, 0.8))
    'medium'
    """
    if crop.is_whole:
        return "the whole frame"
    for limit, word in ((0.2, "very tight"), (0.33, "tight"), (0.5, "medium"), (0.75, "wide")):
        if crop.area < limit:
            return word
    return "very wide"


def position_word(crop: Box) -> str:
    """Where in the photo a crop lies.

    >>> position_word(Box(0.0, 0.4, 0.5, 0.9))
    'lower left'
    """
    x, y = crop.center
    column = "left" if x < 0.5 - NEAR else "right" if x > 0.5 + NEAR else ""
    row = "upper" if y < 0.5 - NEAR else "lower" if y > 0.5 + NEAR else ""
    return f"{row} {column}".strip() or "central"


def within(point: tuple[float, float], crop: Box) -> tuple[float, float]:
    """A point of the photo in fractions of the crop; outside [0,1] if the crop leaves it out."""
    return ((point[0] - crop.x1) / crop.width, (point[1] - crop.y1) / crop.height)


def line_word(share: float, low: str, high: str) -> str:
    """The line (a third or the middle) on which a share of the crop's side falls, else its half.

    >>> line_word(0.35, "left", "right"), line_word(0.9, "left", "right")
    ('left third', 'right')
    """
    for line, word in ((1 / 3, f"{low} third"), (2 / 3, f"{high} third"), (0.5, "middle")):
        if abs(share - line) <= NEAR:
            return word
    return low if share < 0.5 else high


def subject_words(subject: Box, crop: Box) -> str:
    """Where the subject stands in a crop, or how much of it is lost."""
    kept = inside(subject, crop)
    if kept < 0.5:
        return "subject lost"
    if kept < 0.95:
        return "subject cut"
    x, y = within(subject.center, crop)
    return f"subject {line_word(x, 'left', 'right')}, {line_word(y, 'upper', 'lower')}"


def served_elements(subject: Box | None, crop: Box) -> tuple[str, ...]:
    """The elements that a subject's place in a crop serves: rule of thirds (both ways) or center (both ways)."""
    if subject is None or inside(subject, crop) < 0.95:
        return ()
    words = subject_words(subject, crop)
    if words.count("third") == 2:
        return ("rule of thirds",)
    return ("center",) if words.count("middle") == 2 else ()


@dataclass(frozen=True, slots=True)
class Placement:
    """One of the three placement elements, its strength, and in words where the subject stands."""

    name: str
    strength: float
    words: str


def placement(subject: Box) -> Placement | None:
    """The placement element that a subject (in [0,1] of the frame) fits best; None if it fits none."""
    x, y = subject.center
    centered = min(_fit(x, 0.5, 0.09, 0.09), _fit(y, 0.5, 0.09, 0.09))
    if max(subject.width, subject.height) > _LARGEST:
        if centered <= 0 or max(subject.width, subject.height) > _LARGEST_CENTERED:
            return None
        return Placement("center", centered, "the subject stands in the middle")
    found = [Placement("center", centered, "the subject stands in the middle")]
    for name, line, outer, inner in (("rule of thirds", THIRD, 0.1, 0.049), ("golden ratio", GOLDEN, 0.049, 0.1)):
        across, down = _fit(_folded(x), line, outer, inner), _fit(_folded(y), line, outer, inner)
        both, alone = min(across, down), _LINE_ALONE * max(across, down)
        words = _words(name, x, y, across >= 0.5, down >= 0.5)
        found.append(Placement(name, max(both, alone), words))
        if both >= 0.5:  # a crossing outweighs every single line
            return Placement(name, max(both, alone), words)
    best = max(found, key=lambda each: each.strength)
    return best if best.strength > 0 else None


def golden_lines(point: tuple[float, float]) -> tuple[float | None, float | None]:
    """The golden-ratio lines (upright one, level one) that a subject's center stands on, by `placement`'s measure.

    >>> golden_lines((0.6, 0.9))
    (0.618, None)
    """
    x, y = (
        (GOLDEN if value < 0.5 else 1 - GOLDEN) if _fit(_folded(value), GOLDEN, 0.049, 0.1) >= 0.5 else None
        for value in point
    )
    return x, y


def _folded(value: float) -> float:
    return min(value, 1 - value)


def _fit(value: float, line: float, outer: float, inner: float) -> float:
    """1 on a line, 0 at `outer` below or `inner` above it."""
    return ramp(abs(value - line), outer if value < line else inner, 0)


def _words(name: str, x: float, y: float, across: bool, down: bool) -> str:
    kind = "third" if name == "rule of thirds" else "golden-ratio"
    column, row = "left" if x < 0.5 else "right", "upper" if y < 0.5 else "lower"
    if across and down:
        return f"the subject stands on the crossing of the {column} and {row} {kind} lines"
    return f"the subject stands on the {column if across else row} {kind} line"
