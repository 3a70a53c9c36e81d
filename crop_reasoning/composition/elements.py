"""The ten compositional elements, in one table.

CROP (arXiv 2605.12545) names six of its ten in public: rule of thirds, center, golden ratio, horizontal, symmetric,
diagonal. The other four here (vertical, curved, triangle, pattern) complete the list from the KU-PCP vocabulary; that
half is our reconstruction. Leading lines and vanishing points are evidence inside `diagonal` and `triangle`.
"""

from __future__ import annotations

ELEMENTS: dict[str, str] = {
    "rule of thirds": "the subject stands on a line or a crossing of lines at one and two thirds of the frame",
    "center": "the subject stands in the middle of the frame",
    "golden ratio": "the subject stands on a line at 0.382 or 0.618 of the frame",
    "horizontal": "a level line, often the horizon, carries the picture",
    "vertical": "upright lines carry the picture",
    "diagonal": "slanted or leading lines draw the eye through the frame",
    "curved": "a curve leads through the frame",
    "triangle": "lines or masses form a triangle",
    "symmetric": "the two sides of an axis mirror each other",
    "pattern": "a repeated motif fills the frame",
}

THRESHOLD = 0.5
"""An element whose measured strength reaches this is said to be seen."""


def ramp(value: float, low: float, high: float) -> float:
    """A measure as a strength: 0 at `low`, 1 at `high`, linear between; `low` may be the larger one.

    >>> ramp(0.3, 0.2, 0.4), ramp(9, 0, 1), ramp(0.3, 0.4, 0.2)
    (0.5, 1.0, 0.5)
    """
    return float(round(min(max((value - low) / (high - low), 0.0), 1.0), 6))
