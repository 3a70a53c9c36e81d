"""What the boxes alone prove about a crop: its size, where it lies, and where the subject stands inside it.

Nothing here looks at pixels, so nothing here can be untrue of a photo. Words are the ones rationales use.
"""

from __future__ import annotations

from crop_reasoning.geometry import Box, inside

NEAR = 0.07
"""A subject's center this close (share of the crop's side) to a line counts as standing on it."""


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
