"""Analyses to draw: one that holds every kind of guide, one of each kind alone, and any at all."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from crop_reasoning.composition.analysis import Analysis, Evidence
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.render import GUIDE_COLORS
from crop_reasoning.composition.subject import Subject
from crop_reasoning.geometry import Box
from tests.strategies import boxes

LEADING = ((0.05, 0.95, 0.4, 0.45), (0.95, 0.97, 0.55, 0.47), (0.45, 0.98, 0.47, 0.5))
GEOMETRY: dict[str, dict[str, Any]] = {
    "rule of thirds": {"point": (1 / 3, 1 / 3)},
    "golden ratio": {"point": (0.618, 0.1)},
    "center": {"point": (0.5, 0.5)},
    "horizontal": {"line": (0.02, 0.57, 0.98, 0.56)},
    "vertical": {"line": (0.9, 0.05, 0.91, 0.95)},
    "diagonal": {"line": LEADING[0], "leading": LEADING, "vanishing": (0.47, 0.25)},
    "curved": {"path": tuple((step / 24, 0.85 + 0.08 * math.sin(step / 4)) for step in range(25))},
    "triangle": {"polygon": ((0.08, 0.55), (0.2, 0.12), (0.3, 0.56))},
    "symmetric": {"line": (0.5, 0.0, 0.5, 1.0)},
    "pattern": {"box": Box(0.04, 0.05, 0.8, 0.93)},
}
SUBJECT, FACE = Box(0.55, 0.2, 0.85, 0.8), Box(0.63, 0.24, 0.73, 0.42)
ON_STROKE = {
    "thirds": (1 / 3, 0.5),
    "golden ratio": (0.618, 0.5),
    "center": (0.46, 0.5),
    "horizontal": (0.5, 0.565),
    "vertical": (0.905, 0.5),
    "diagonal": (0.225, 0.7),
    "curved": (0.5, 0.8613),
    "triangle": (0.14, 0.335),
    "symmetric": (0.5, 0.5),
    "pattern": (0.04, 0.5),
    "subject": (0.55, 0.5),
    "face": (0.63, 0.28),
}
"""A point on a stroke of each kind, by itself in the frame when that kind alone is drawn."""


def analysis_of(*kinds: str) -> Analysis:
    """An analysis in which exactly these kinds of `GUIDE_COLORS` were seen."""
    seen = tuple(Evidence(name, 1.0, f"{name} & more", **GEOMETRY[name]) for name in ELEMENTS if name in kinds)
    faces = (Subject(FACE, 0.9, "face"),) if "face" in kinds else ()
    return Analysis((300, 200), seen, subjects=faces, subject=SUBJECT if "subject" in kinds else None)


EVERYTHING = analysis_of(*GUIDE_COLORS)

_coordinate = st.floats(-3, 4) | st.sampled_from([0.0, 1.0, 0.5, 1e6, -1e6])
_point = st.tuples(_coordinate, _coordinate)
_line = st.tuples(_coordinate, _coordinate, _coordinate, _coordinate)
_evidence = st.builds(
    Evidence,
    st.sampled_from(list(ELEMENTS)),
    st.floats(0.5, 1),
    st.text(max_size=8),
    point=st.none() | _point,
    line=st.none() | _line,
    box=st.none() | boxes(),
    polygon=st.none() | st.lists(_point, min_size=1, max_size=4).map(tuple),
    path=st.none() | st.lists(_point, max_size=8).map(tuple),
    vanishing=st.none() | _point,
    leading=st.lists(_line, max_size=3).map(tuple),
)
analyses = st.builds(
    Analysis,
    st.just((300, 200)),
    st.lists(_evidence, max_size=4).map(tuple),
    subjects=st.lists(
        st.builds(Subject, boxes(), st.floats(0, 1), st.sampled_from(["face", "salient"])), max_size=3
    ).map(tuple),
    subject=st.none() | boxes(),
)
"""Any geometry, also far outside the frame."""
