"""The geometry of an answer's analysis against what was measured: the subject's box, and where elements are."""

from __future__ import annotations

import math
from collections.abc import Iterator

from crop_reasoning.composition.analysis import Evidence, Measured
from crop_reasoning.composition.placement import within
from crop_reasoning.geometry import Box, Size, iou, point_px
from crop_reasoning.reasoning.rationale import Element, Line, Point
from crop_reasoning.verification.frames import Seen

SUBJECT_IOU = 0.4
"""Overlap of a subject's box with a measured box of a subject or a face."""
LINE_DEGREES, LINE_OFF, LINE_SHARED = 5.0, 0.04, 0.4
"""A line's angle, its ends' distance from the measured line (of the diagonal), the share of it that was measured."""
POINT_OFF, BOX_IOU = 0.06, 0.4
"""A point's distance from a measured one (of the diagonal), a box's overlap with a measured one."""


def subject_is_measured(subject: Box, measured: Measured) -> bool:
    """Whether a box is that of something which stands out."""
    found = measured.subjects
    if found is None:
        return False
    boxes = [found.box, found.place, *(each.box for each in found.found)]
    return any(box is not None and iou(box, subject) >= SUBJECT_IOU for box in boxes)


def stands_out(measured: Measured) -> Box | None:
    """The one thing that surely stands out (the compact one that outweighs all others, or else the largest face)."""
    if measured.subjects is None:
        return None
    faces = (each.box for each in measured.subjects.found if each.kind == "face")
    return measured.subjects.place or next(faces, None)


def element_is_there(element: Element, seen: Seen) -> bool:
    """Whether an element's geometry, if it has one, is near a measured geometry of that name."""
    wh = seen.analysis.wh
    found = [each for each in seen.analysis.elements if each.name == element.name]
    if element.line:
        return any(_same_line(element.line, line, wh) for line in _lines(element.name, found, seen))
    if element.point:
        return any(_apart(element.point, point, wh) <= POINT_OFF for point in _points(found, seen))
    if element.box:
        return any(iou(element.box, box) >= BOX_IOU for box in _boxes(found, seen))
    return True


def _lines(name: str, found: list[Evidence], seen: Seen) -> Iterator[Line]:
    for each in found:
        if each.line:
            yield each.line
        yield from each.leading
        if each.polygon:
            yield from ((*a, *b) for a, b in zip(each.polygon, (*each.polygon[1:], each.polygon[0]), strict=True))
    w, h = seen.measured.work
    for line in seen.measured.lines if name in ("horizontal", "vertical", "diagonal") else ():
        (x1, y1), (x2, y2) = (
            within((x / w, y / h), seen.box) for x, y in (line.at(line.runs[0][0]), line.at(line.runs[-1][1]))
        )
        angle = abs(_angle((x1, y1, x2, y2), seen.analysis.wh) + 90) % 180 - 90
        if {"horizontal": abs(angle) <= 12, "vertical": abs(angle) >= 78}.get(name, 10 <= abs(angle) <= 80):
            yield (x1, y1, x2, y2)


def _points(found: list[Evidence], seen: Seen) -> Iterator[Point]:
    for each in found:
        yield from filter(None, (each.point, each.vanishing))
        yield from each.polygon or ()
        yield from each.path or ()
    if seen.place is not None:
        yield seen.place


def _boxes(found: list[Evidence], seen: Seen) -> Iterator[Box]:
    for each in found:
        if each.box:
            yield each.box
        points = each.polygon or each.path or ()
        x, y = ([point[axis] for point in points] for axis in (0, 1))
        if points and max(x) > min(x) and max(y) > min(y):
            yield Box(min(x), min(y), max(x), max(y))
    if seen.analysis.subject:
        yield seen.analysis.subject


def _same_line(claimed: Line, measured: Line, wh: Size) -> bool:
    if abs((_angle(claimed, wh) - _angle(measured, wh) + 90) % 180 - 90) > LINE_DEGREES:
        return False
    (ax, ay), (bx, by) = point_px(measured[:2], wh), point_px(measured[2:], wh)
    length = math.hypot(bx - ax, by - ay)
    if length == 0:
        return False
    along = []
    for x, y in (point_px(claimed[:2], wh), point_px(claimed[2:], wh)):
        if abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length > LINE_OFF * math.hypot(*wh):
            return False
        along.append(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)
    shared = min(max(along), length) - max(min(along), 0.0)
    return shared >= LINE_SHARED * max(max(along) - min(along), 1e-9)


def _angle(line: Line, wh: Size) -> float:
    (x1, y1), (x2, y2) = point_px(line[:2], wh), point_px(line[2:], wh)
    return math.degrees(math.atan2(y2 - y1, x2 - x1))


def _apart(a: Point, b: Point, wh: Size) -> float:
    """Distance of two points, as a share of the diagonal."""
    return math.dist(point_px(a, wh), point_px(b, wh)) / math.hypot(*wh)
