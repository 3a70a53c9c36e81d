"""What is measured of a crop, as numbers that can be compared between two crops of one photo.

Each measure has a name, which says what more of it is, and a formula in words. Where books on composition ask for more
or for less of something, more of the measure is what they ask for. A photo without a subject, a face or a level line
has no such value.
"""

from __future__ import annotations

import math

from crop_reasoning.composition.analysis import Analysis, Measured, analyse_crop, edge_cuts
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.placement import within
from crop_reasoning.composition.primitives import frame_of
from crop_reasoning.composition.weight import EdgeCuts
from crop_reasoning.geometry import WHOLE, Box, inside, intersection

VERSION = "crop measures/1"
"""Changes whenever a formula below does: part of the cache's key."""
Values = dict[str, float | None]

RULES: dict[str, str] = {
    "the bigger crop": "area of the crop",
    "the more central crop": "- distance of the crop's center from the photo's, in shares of the photo",
}
"""What needs no look at the photo."""
MEASURES: dict[str, str] = {
    **dict.fromkeys(ELEMENTS, "strength of the element"),
    "number of elements": "elements at or above the threshold",
    "strongest element": "greatest of the ten strengths",
    "placement": "greatest strength of rule of thirds, center, golden ratio",
    "subject near a crossing of thirds": "- distance of the subject's center from the nearest, in shares of the crop",
    "subject near the crop's middle": "- distance of the subject's center from it, in shares of the crop",
    "subject near the crop's middle in the photo": "- distance of the two middles, in shares of the photo",
    "subject kept": "share of the subject's box inside the crop; 1 - `EdgeCuts.lost`",
    "subject larger in the frame": "share of the crop that the subject's box covers",
    "room around the subject": "least distance of the subject's box from the crop's border, in shares of the crop",
    "subjects kept": "mean share of all salient boxes of the photo inside the crop",
    "saliency kept": "share of the photo's saliency inside the crop",
    "faces kept": "mean share of the photo's faces inside the crop",
    "fewer subjects cut": "- share of the shown subjects that the border cuts",
    "fewer faces cut": "- faces that the border cuts",
    "quieter border": "- mean saliency along the border",
    "less empty space": "- share of the crop that holds neither detail nor a subject",
    "balance": "- distance of the visual weight from the middle, in shares of the crop",
    "balance left and right": "- distance of the weight of the left half from a half",
    "balance top and bottom": "- distance of the weight of the upper half from a half",
    "more level": "- degrees of tilt of the level line",
}
"""What is seen in it."""


def crop_values(measured: Measured, crop: Box) -> Values:
    """The rules and measures of one crop by name, None where the photo or the crop has no such thing."""
    analysis, cuts = analyse_crop(measured, crop), edge_cuts(measured, crop)
    values: Values = {"the bigger crop": crop.area, "the more central crop": -_apart(crop.center, WHOLE.center)}
    values |= analysis.strengths
    values |= _of_elements(analysis) | _of_frame(analysis, cuts)
    values |= _of_subject(measured, crop, cuts) | _of_all_subjects(measured, crop, cuts)
    return {name: values.get(name) for name in (*RULES, *MEASURES)}


def _of_elements(analysis: Analysis) -> Values:
    return {
        "number of elements": len(analysis.elements),
        "strongest element": max(analysis.strengths.values()),
        "placement": max(analysis.strengths[name] for name in ("rule of thirds", "center", "golden ratio")),
    }


def _of_frame(analysis: Analysis, cuts: EdgeCuts) -> Values:
    return {
        "quieter border": -cuts.border,
        "less empty space": -analysis.negative_space,
        "balance": -_apart(analysis.balance.centroid, (0.5, 0.5)),
        "balance left and right": -abs(analysis.balance.left - 0.5),
        "balance top and bottom": -abs(analysis.balance.top - 0.5),
        "more level": -abs(analysis.tilt) if analysis.tilt is not None else None,
    }


def _of_subject(measured: Measured, crop: Box, cuts: EdgeCuts) -> Values:
    """What needs one main subject; where it stands is told of its middle, even if that lies outside the crop."""
    box = measured.subjects.box if measured.subjects else None
    if box is None:
        return {}
    place = within(box.center, crop)
    margins = (
        (box.x1 - crop.x1) / crop.width,
        (crop.x2 - box.x2) / crop.width,
        (box.y1 - crop.y1) / crop.height,
        (crop.y2 - box.y2) / crop.height,
    )
    return {
        "subject near a crossing of thirds": -min(_apart(place, (a / 3, b / 3)) for a in (1, 2) for b in (1, 2)),
        "subject near the crop's middle": -_apart(place, (0.5, 0.5)),
        "subject near the crop's middle in the photo": -_apart(box.center, crop.center),
        "subject kept": 1 - cuts.lost,
        "subject larger in the frame": intersection(box, crop) / crop.area,
        "room around the subject": max(0.0, min(margins)),
    }


def _of_all_subjects(measured: Measured, crop: Box, cuts: EdgeCuts) -> Values:
    subjects = measured.subjects
    if subjects is None:
        return {}
    kept = {kind: [inside(each.box, crop) for each in subjects.found if each.kind == kind] for kind in _KINDS}
    values: Values = {name: sum(kept[kind]) / len(kept[kind]) for kind, name in _KINDS.items() if kept[kind]}
    if kept["face"]:
        values["fewer faces cut"] = -cuts.faces
    if subjects.found:
        values["fewer subjects cut"] = -cuts.subjects
    total = float(subjects.saliency.sum())
    if total > 0:
        height, width = subjects.saliency.shape
        shown = subjects.saliency[frame_of(crop, (width, height)).window(subjects.saliency.shape)]
        values["saliency kept"] = float(shown.sum()) / total
    return values


_KINDS = {"salient": "subjects kept", "face": "faces kept"}


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])
