"""The ten elements in a photo and in any crop of it, measured.

`measure` looks at the pixels once; `analyse_crop` judges a crop from what was measured, `analyse` the whole photo.
Every geometry of an `Analysis` is in [0,1] of the frame that was judged: of the photo for `analyse`, of the crop for
`analyse_crop`. Nothing that was not seen is claimed: an empty analysis is a valid one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crop_reasoning.composition import (
    curves,
    lines,
    patterns,
    placement,
    subject,
    symmetry,
    triangles,
    weight,
)
from crop_reasoning.composition.elements import ELEMENTS, THRESHOLD
from crop_reasoning.composition.evidence import Evidence as Evidence
from crop_reasoning.composition.line_evidence import line_evidence
from crop_reasoning.composition.primitives import (
    LEAST_SIDE,
    Floats,
    Frame,
    Primitives,
    frame_of,
    primitives,
    working_frame,
)
from crop_reasoning.composition.subject import Subject, Subjects
from crop_reasoning.composition.weight import Balance, EdgeCuts, Weights
from crop_reasoning.geometry import WHOLE, Box, Size, clip, inside, iou

VERSION = "composition/3"
"""Changes whenever the same pixels may be judged otherwise: part of every cache key."""
_LEAST_CROP = 12.0  # px of the working frame
_LEAST_KEPT = 0.6  # of the subject: a crop that keeps less does not show it
_OF_A_PATTERN = ("horizontal", "vertical", "diagonal", "triangle", "curved", "symmetric")
_PLACEMENTS = ("rule of thirds", "center", "golden ratio")
_CLEARLY = 0.2  # of strength
_MOST_POINTS = 24  # of a curve: enough to draw it by
_SAME = 0.6  # IoU of a subject with an element that is all there is of it
_WHOLE_SUBJECT = 0.9  # of the subject: a crop that keeps less places it nowhere


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was seen in a frame of `wh` px: the elements at or above `THRESHOLD` (strongest first), the strengths of
    all ten, the subjects, the main subject's box, visual balance, the share of empty space, and how far the horizon
    (or the longest level line) is from level: degrees, positive where it falls to the right; None without one."""

    wh: Size
    elements: tuple[Evidence, ...] = ()
    strengths: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ELEMENTS, 0.0))
    subjects: tuple[Subject, ...] = ()
    subject: Box | None = None
    balance: Balance = field(default_factory=lambda: Balance((0.5, 0.5), 0.5, 0.5))
    negative_space: float = 1.0
    tilt: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found in a photo of `wh` px; geometry in px of its working frame. None of it for a tiny photo."""

    wh: Size
    work: Size
    lines: tuple[lines.Line, ...] = ()
    curves: tuple[curves.Curve, ...] = ()
    triangles: tuple[triangles.Triangle, ...] = ()
    structure: symmetry.Structure | None = None
    pattern: patterns.Pattern | None = None
    subjects: Subjects | None = None
    weights: Weights | None = None


def analyse(image: Image.Image | NDArray[Any]) -> Analysis:
    """The composition of a whole photo (upright; any size and mode), in at most about 0.4 s of one core."""
    return analyse_crop(measure(image), WHOLE)


def measure(image: Image.Image | NDArray[Any], neural: bool = True) -> Measured:
    """Everything about a photo that its crops share. `neural=False` leaves the networks aside, three times faster."""
    rgb, wh = working_frame(image)
    work = (rgb.shape[1], rgb.shape[0])
    if min(work) < LEAST_SIDE:
        return Measured(wh, work)
    return _measured(primitives(rgb), wh, neural)


def _measured(found: Primitives, wh: Size, neural: bool) -> Measured:
    frame = Frame(0, 0, *found.wh)
    segments, coarse = lines.find_segments(found)
    straight = lines.find_lines(segments, found)
    structure = symmetry.find_structure(found)
    subjects = subject.find_subjects(found, neural)
    return Measured(
        wh,
        found.wh,
        straight,
        curves.find_curves(coarse, found, subjects),
        triangles.find_triangles(straight, frame, found.noise),
        structure,
        patterns.find_pattern(structure),
        subjects,
        weight.find_weights(found, subjects),
    )


def analyse_crop(measured: Measured, crop: Box) -> Analysis:
    """The composition of a crop (in [0,1] of the photo), as if it were a photo of its own; its geometry is the crop's.

    Only the mirror axes are looked for anew; the rest is judged from what was measured, in a few ms.
    """
    wh = (max(1, round(crop.width * measured.wh[0])), max(1, round(crop.height * measured.wh[1])))
    frame = frame_of(crop, measured.work)
    subjects, weights = measured.subjects, measured.weights
    if subjects is None or weights is None or min(frame.width, frame.height) < _LEAST_CROP:
        return Analysis(wh)
    boxes = tuple(
        Subject(_within(found.box, crop), found.score, found.kind)
        for found in subjects.found
        if inside(found.box, crop) >= _LEAST_KEPT
    )
    main = subjects.box if subjects.box and inside(subjects.box, crop) >= _LEAST_KEPT else None
    inner = _within(main, crop) if main else None
    mirrored = symmetry.mirror(measured.structure, frame) if measured.structure else None
    curve, path = _longest_curve(measured, frame, mirrored)
    shown = lines.stretches(measured.lines, frame)
    if curve >= THRESHOLD:  # lines along it are its pieces
        shown = [each for each in shown if not curves.along(each.start, each.end, path, frame)]
    seen, tilt = line_evidence(shown, measured.triangles, frame, mirrored)
    if curve > 0:
        seen.append(_curved(curve, path, frame))
    if "triangle" not in {each.name for each in seen if each.strength >= THRESHOLD}:
        seen += _masses([found.box for found in boxes if found.kind == "salient"], frame)
    seen = _settled([*seen, *_repeating(measured, frame, mirrored), *_placed(subjects, crop)], inner)
    strengths = dict.fromkeys(ELEMENTS, 0.0)
    for each in seen:
        strengths[each.name] = max(strengths[each.name], each.strength)
    kept = sorted((each for each in seen if each.strength >= THRESHOLD), key=lambda each: -each.strength)
    return Analysis(
        wh,
        tuple(kept),
        strengths,
        boxes,
        inner,
        weight.balance(weights, frame),
        weight.negative_space(weights, frame),
        tilt if strengths["horizontal"] >= THRESHOLD else None,
    )


def edge_cuts(measured: Measured, crop: Box) -> EdgeCuts:
    """What the border of a crop (in [0,1] of the photo) cuts through."""
    return weight.cuts(measured.subjects, crop) if measured.subjects else EdgeCuts(0.0, 0.0, 0, 0.0)


def _masses(boxes: list[Box], frame: Frame) -> list[Evidence]:
    strength, corners = triangles.of_masses(boxes, (frame.width, frame.height)) if boxes else (0.0, ())
    words = "three like masses stand on the corners of a triangle"
    return [Evidence("triangle", strength, words, polygon=corners)] if strength > 0 else []


def _longest_curve(measured: Measured, frame: Frame, mirrored: symmetry.Mirror | None) -> tuple[float, Floats]:
    """The strength of the curve that leads best and its points, px (n, 2). A curve whose mirror image is there, too, is
    the symmetry's."""
    judged = sorted((curves.curve_strength(each, frame) for each in measured.curves), key=lambda pair: -pair[0])
    sure = mirrored is not None and mirrored.strength >= THRESHOLD
    for strength, path in judged:
        if not (mirrored and sure and len(path) and curves.twin(path, measured.curves, mirrored, frame)):
            return strength, path
    return 0.0, np.zeros((0, 2), np.float32)


def _curved(strength: float, path: Floats, frame: Frame) -> Evidence:
    kept = np.linspace(0, len(path) - 1, min(len(path), _MOST_POINTS)).round().astype(int)
    points = tuple(frame.shares(float(x), float(y)) for x, y in path[kept])
    return Evidence("curved", strength, "a long smooth curve leads through the frame", path=points)


def _repeating(measured: Measured, frame: Frame, mirrored: symmetry.Mirror | None) -> list[Evidence]:
    """Symmetric and pattern."""
    seen: list[Evidence] = []
    if mirrored:
        place = mirrored.place
        line = (place, 0.0, place, 1.0) if mirrored.upright else (0.0, place, 1.0, place)
        sides = "left and right" if mirrored.upright else "top and bottom"
        seen.append(Evidence("symmetric", mirrored.strength, f"{sides} mirror each other", line=line))
    if measured.pattern:
        strength = patterns.pattern_strength(measured.pattern, frame)
        if strength > 0:
            box = patterns.extent(measured.pattern, frame)
            seen.append(Evidence("pattern", strength, "one motif repeats over the frame", box=box))
    return seen


def _placed(subjects: Subjects, crop: Box) -> list[Evidence]:
    """The placement element that the subject fits, if it is one compact thing and wholly in the crop."""
    box = subjects.place
    if box is None or inside(box, crop) < _WHOLE_SUBJECT:
        return []
    inner = _within(box, crop)
    found = placement.placement(inner)
    return [Evidence(found.name, found.strength, found.words, point=inner.center)] if found else []


def _settled(seen: list[Evidence], subject: Box | None) -> list[Evidence]:
    """The edges of a pattern's motifs, their rows and their mirror images are the pattern: it outweighs them."""
    sure = {each.name: each for each in seen if each.strength >= THRESHOLD}
    weaker: set[str] = set()
    if "pattern" in sure and "symmetric" in sure and sure["symmetric"].strength > sure["pattern"].strength + _CLEARLY:
        weaker.add("pattern")  # a few windows on both sides of a door
    elif "pattern" in sure:
        weaker.update(_OF_A_PATTERN)
    mirrored = sure["symmetric"].line if "symmetric" in sure else None
    if (
        subject
        and mirrored
        and not (  # off the axis it has a twin
            subject.x1 < mirrored[0] < subject.x2 or subject.y1 < mirrored[1] < subject.y2
        )
    ):
        weaker.update(_PLACEMENTS)
    if subject and any(_is_the_subject(each, subject) for each in sure.values()):
        weaker.update(_PLACEMENTS)  # what fills the picture always has a middle somewhere
    return [
        replace(each, strength=min(each.strength, 0.8 * THRESHOLD)) if each.name in weaker else each for each in seen
    ]


def _is_the_subject(seen: Evidence, subject: Box) -> bool:
    """Whether the thing that stands out is a line, a curve or a triangle itself."""
    ends = (seen.line[:2], seen.line[2:]) if seen.line and seen.name != "symmetric" else ()
    points = seen.polygon or seen.path or ends
    if not points:
        return False
    x, y = ([point[axis] for point in points] for axis in (0, 1))
    if max(x) - min(x) < 1e-6 or max(y) - min(y) < 1e-6:
        return False
    return iou(Box(min(x), min(y), max(x), max(y)), subject) > _SAME


def _within(box: Box, crop: Box) -> Box:
    """The part of a box inside a crop, in [0,1] of the crop."""
    return clip(*placement.within((box.x1, box.y1), crop), *placement.within((box.x2, box.y2), crop))
