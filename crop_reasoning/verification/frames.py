"""What was measured of one frame (the photo or a crop of it), as the checks of claims need it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from crop_reasoning.composition import weight
from crop_reasoning.composition.analysis import Analysis, Evidence, Measured, analyse_crop, edge_cuts
from crop_reasoning.composition.placement import within
from crop_reasoning.composition.primitives import Point, frame_of
from crop_reasoning.composition.weight import EdgeCuts
from crop_reasoning.geometry import WHOLE, Box, aspect_px, clip, inside


@dataclass(frozen=True)
class Seen:
    """A frame of a photo and the subject that claims are about (in [0,1] of the photo; None where none stands out)."""

    measured: Measured
    box: Box
    subject: Box | None

    @cached_property
    def analysis(self) -> Analysis:
        return analyse_crop(self.measured, self.box)

    @cached_property
    def cuts(self) -> EdgeCuts:
        return edge_cuts(self.measured, self.box)

    @cached_property
    def kept(self) -> float:
        """Share of the subject inside the frame; 0 without one."""
        return inside(self.subject, self.box) if self.subject else 0.0

    @cached_property
    def subject_share(self) -> float:
        """Share of the frame that the subject takes."""
        return self.kept * self.subject.area / self.box.area if self.subject else 0.0

    @cached_property
    def place(self) -> Point | None:
        """Where the subject's center lies in [0,1] of the frame; outside it if the frame leaves it out."""
        return within(self.subject.center, self.box) if self.subject else None

    @cached_property
    def gaps(self) -> dict[str, float]:
        """Free room between the subject and each side, in [0,1] of the frame's sides; none without a subject inside."""
        if not self.subject or self.kept <= 0:
            return {}
        (x1, y1), (x2, y2) = (
            within(corner, self.box)
            for corner in ((self.subject.x1, self.subject.y1), (self.subject.x2, self.subject.y2))
        )
        return {"LEFT": max(x1, 0), "RIGHT": max(1 - x2, 0), "TOP": max(y1, 0), "BOTTOM": max(1 - y2, 0)}

    @cached_property
    def aspect(self) -> float:
        return aspect_px(self.box, self.measured.wh)

    @cached_property
    def faces(self) -> int:
        return sum(subject.kind == "face" for subject in self.analysis.subjects)

    @cached_property
    def imbalance(self) -> float:
        """How far the visual weight's centroid lies from the middle, in [0,1] of the frame's sides."""
        x, y = self.analysis.balance.centroid
        return math.hypot(x - 0.5, y - 0.5)

    @cached_property
    def emptiness_of_photo(self) -> float:
        """Share of empty space in the whole photo."""
        weights = self.measured.weights
        return 1.0 if weights is None else weight.negative_space(weights, frame_of(WHOLE, self.measured.work))

    def strength(self, element: str) -> float:
        return self.analysis.strengths.get(element, 0.0)

    def evidence(self, element: str) -> Evidence | None:
        return next((each for each in self.analysis.elements if each.name == element), None)

    def emptiness(self, part: Box) -> float:
        """Share of empty space in a part (in [0,1] of this frame)."""
        if self.measured.weights is None:
            return 1.0
        box = self.box
        inner = clip(
            box.x1 + part.x1 * box.width,
            box.y1 + part.y1 * box.height,
            box.x1 + part.x2 * box.width,
            box.y1 + part.y2 * box.height,
        )
        return weight.negative_space(self.measured.weights, frame_of(inner, self.measured.work))
