"""Drawn photos of known geometry, each with a rationale that is true of it: where falsehoods are planted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from PIL import Image, ImageDraw

from crop_reasoning.composition.analysis import Measured, measure
from crop_reasoning.composition.subject import Subject
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale
from tests.composition_scenes import scene

WH = (600, 400)


@dataclass(frozen=True)
class Situation:
    """A photo's measures, a true rationale of it, and the subject's box as it was drawn."""

    measured: Measured
    rationale: Rationale
    drawn: Box | None = None

    def said(self, place: str, words: str) -> Rationale:
        """The rationale with other words as the evidence, as the decided proposal's reason, or as the why."""
        answer = self.rationale
        if place == "why":
            return replace(answer, decision=replace(answer.decision, why=words))
        if place == "evidence":
            return replace(answer, elements=(replace(answer.elements[0], evidence=words),))
        proposals = tuple(
            replace(each, reason=words) if each.box == answer.decision.box else each for each in answer.proposals
        )
        return replace(answer, proposals=proposals)

    def reasoned(self, index: int, words: str) -> Rationale:
        """The rationale with other words as the reason of a proposal."""
        proposals = list(self.rationale.proposals)
        proposals[index] = replace(proposals[index], reason=words)
        return replace(self.rationale, proposals=tuple(proposals))


def _canvas(ground: tuple[int, int, int] = (205, 210, 214)) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", WH, ground)
    return image, ImageDraw.Draw(image)


def _disc_photo(center: tuple[float, float] = (0.30, 0.40), radius: int = 34) -> tuple[Measured, Box]:
    image, draw = _canvas()
    x, y = center[0] * WH[0], center[1] * WH[1]
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(190, 30, 40))
    box = Box((x - radius) / WH[0], (y - radius) / WH[1], (x + radius) / WH[0], (y + radius) / WH[1])
    return measure(image), box


DISC_CROPS = (
    Box(0.10, 0.20, 0.70, 0.80),  # on the upper left power point, 36 %
    Box(0.02, 0.12, 0.58, 0.68),  # in the middle, 31 %
    Box(0.277, 0.10, 0.877, 0.70),  # cut by three tenths, 36 %
    Box(0.44, 0.28, 0.99, 0.98),  # lost, 38 %
    WHOLE,
)
_DISC_REASONS = (
    "medium, subject left third, upper third",
    "tight, the subject is centered",
    "medium, the subject is cut",
    "medium, subject lost",
    "the whole frame, subject left third",
)


def _disc(decided: int, why: str) -> Situation:
    measured, box = _disc_photo()
    proposals = tuple(
        Proposal(crop, (("rule of thirds",), ("center",), (), (), ())[index], reason)
        for index, (crop, reason) in enumerate(zip(DISC_CROPS, _DISC_REASONS, strict=True))
    )
    return Situation(measured, Rationale(box, (), proposals, Decision(DISC_CROPS[decided], why)), box)


def _upright() -> Situation:
    measured, box = _disc_photo()
    crop = Box(0.10, 0.05, 0.58, 0.95)
    proposals = (Proposal(WHOLE, (), "the whole frame"), Proposal(crop, (), "an upright crop"))
    return Situation(measured, Rationale(box, (), proposals, Decision(crop, "tighter than the first")), box)


HORIZON = 0.52


def _horizon(slope: float = 0.0) -> Situation:
    image, draw = _canvas((170, 195, 225))
    y, rise = HORIZON * WH[1], slope * WH[0] / 2
    draw.polygon([(0, y - rise), (WH[0], y + rise), WH, (0, WH[1])], fill=(40, 70, 95))
    crops = (Box(0.0, 0.12, 0.9, 0.72), Box(0.05, 0.22, 0.95, 0.82), WHOLE)
    reasons = ("wide, the horizon on the lower third", "the horizon in the middle", "the whole frame")
    proposals = tuple(Proposal(crop, ("horizontal",), reason) for crop, reason in zip(crops, reasons, strict=True))
    line = (0.0, HORIZON - rise / WH[1], 1.0, HORIZON + rise / WH[1])
    elements = (Element("horizontal", "a horizon", line=line),)
    return Situation(measure(image), Rationale(None, elements, proposals, Decision(crops[0], "tighter than the third")))


def _lines() -> Situation:
    image, draw = _canvas((120, 130, 140))
    x, y = 0.5 * WH[0], 0.3 * WH[1]
    for foot in (-150, 60, 220, 380, 540, 750):
        draw.line((x, y, foot, WH[1]), fill=(245, 240, 225), width=5)
    return _with_element(
        measure(image), Element("diagonal", "lines lead to the vanishing point"), Box(0.05, 0.05, 0.95, 1)
    )


def _mirror() -> Situation:
    image, draw = _canvas((60, 70, 90))
    for dx, y, r, fill in (
        (0.32, 0.3, 40, (230, 200, 90)),
        (0.2, 0.65, 48, (90, 210, 190)),
        (0.38, 0.75, 30, (235, 120, 110)),
    ):
        for side in (-1, 1):
            cx, cy = (0.5 + side * dx) * WH[0], y * WH[1]
            draw.rectangle((cx - r, cy - r, cx + r, cy + r), fill=fill)
    return _with_element(
        measure(image), Element("symmetric", "left and right mirror each other"), Box(0.03, 0.03, 0.97, 0.97)
    )


def _vertical() -> Situation:
    image, draw = _canvas((190, 200, 180))
    for x, half in ((0.18, 14), (0.43, 20), (0.71, 12), (0.9, 16)):
        draw.rectangle((x * WH[0] - half, 0, x * WH[0] + half, WH[1]), fill=(60, 45, 35))
    return _with_element(measure(image), Element("vertical", "upright lines"), Box(0.02, 0.02, 0.98, 0.98))


def _from_scene(name: str, words: str, keep: bool = False) -> Situation:
    measured = measure(scene(name, 1).image)
    return _with_element(measured, Element(name, words), WHOLE if keep else Box(0.02, 0.02, 0.98, 0.98))


def _with_element(measured: Measured, element: Element, crop: Box) -> Situation:
    box = measured.subjects.place if measured.subjects else None
    proposals = (
        Proposal(crop, (element.name,), "the whole frame" if crop.is_whole else "very wide"),
        Proposal(Box(0.4, 0.4, 0.7, 0.7), (), "very tight"),
    )
    why = "the photo is best as it is" if crop.is_whole else "wider than the second"
    return Situation(measured, Rationale(box, (element,), proposals, Decision(crop, why)), box)


FACES = (Box(0.30, 0.30, 0.40, 0.48), Box(0.58, 0.28, 0.68, 0.46))


def _faces() -> Situation:
    """Faces as the detector would give them: what a face is cannot be drawn."""
    measured, _ = _disc_photo((0.35, 0.4))
    assert measured.subjects
    found = tuple(Subject(box, 0.95, "face") for box in FACES)
    subjects = replace(measured.subjects, box=Box(0.30, 0.28, 0.68, 0.48), place=None, found=found)
    crops = (Box(0.2, 0.1, 0.8, 0.7), Box(0.35, 0.1, 0.95, 0.7), WHOLE)
    reasons = ("both faces are inside", "a face is cut", "the whole frame")
    proposals = tuple(Proposal(crop, (), reason) for crop, reason in zip(crops, reasons, strict=True))
    answer = Rationale(FACES[0], (), proposals, Decision(crops[0], "tighter than the third"))
    return Situation(replace(measured, subjects=subjects), answer, FACES[0])


@cache
def situation(name: str) -> Situation:
    match name:
        case "thirds":
            return _disc(0, "tighter than the fifth, subject left third, upper third")
        case "center":
            return _disc(1, "the tightest, the subject is centered")
        case "upright":
            return _upright()
        case "horizon":
            return _horizon()
        case "tilted":
            return _horizon(slope=0.07)  # 4 degrees, falling to the right
        case "lines":
            return _lines()
        case "mirror":
            return _mirror()
        case "pattern":
            return _from_scene("pattern", "one motif repeats over the frame", keep=True)
        case "curve":
            return _from_scene("curved", "a long curve leads through the frame")
        case "triangle":
            return _from_scene("triangle", "three straight edges close a triangle")
        case "vertical":
            return _vertical()
        case "faces":
            return _faces()
    raise ValueError(name)


SITUATIONS = (
    *("thirds", "center", "upright", "horizon", "tilted", "lines"),
    *("mirror", "pattern", "curve", "triangle", "vertical", "faces"),
)
