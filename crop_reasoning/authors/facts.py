"""What is measured of a candidate crop, and what of it differs from the other candidates: facts, not yet words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from crop_reasoning.authors.phrases import Fact, count_word, share_word
from crop_reasoning.composition.analysis import Analysis, Evidence, Measured, analyse_crop, edge_cuts
from crop_reasoning.composition.elements import THRESHOLD
from crop_reasoning.composition.placement import GOLDEN, NEAR, THIRD, line_word, within
from crop_reasoning.composition.primitives import Point
from crop_reasoning.composition.subject import Subject
from crop_reasoning.composition.weight import EdgeCuts
from crop_reasoning.geometry import Box, inside, intersection, iou
from crop_reasoning.records import CropRecord
from crop_reasoning.verification.places import GOLDEN_NEAR
from crop_reasoning.verification.tolerances import SHOWN

PLACEMENTS = ("rule of thirds", "center", "golden ratio")
_WHOLE, _CUT, _LOST = 0.97, 0.93, 0.15  # of the subject that a crop keeps
_LEFT = 0.1  # of a crop: what fills more of it is not gone, however little of the subject it is
_REDUCED = 0.78  # of the subject: a crop that keeps less says how much
_SURE = 0.58  # an element this strong is named
_LEVEL, _TILTED = 0.7, 2.0  # degrees
_FULL, _EMPTY = 0.12, 0.5  # of a crop's area
_BALANCED, _LEANING = 0.03, 0.08  # of a side, from the middle
_CLEARLY = 0.7  # of the tolerance of a line
_MOST_WEIGHT = 0.54
_NAMES = {"symmetric": "symmetry", "horizontal": "level line", "curved": "curve", "vertical": "upright line"}


@dataclass(frozen=True, slots=True)
class View:
    """A candidate crop as it was measured. `kept` is the share of the photo's main subject inside it and `filled` the
    share of the crop that the subject covers; both None where no subject stands out."""

    box: Box
    analysis: Analysis
    cuts: EdgeCuts
    subject: Box | None
    kept: float | None
    filled: float | None

    @property
    def off_center(self) -> float:
        """How far the visual weight lies from the middle, in shares of the sides."""
        return math.dist(self.analysis.balance.centroid, (0.5, 0.5))


def known(record: CropRecord, measured: Measured) -> Measured:
    """What was found in a photo, with the subject that the record tells, where it tells one, for the one found."""
    if record.subject is None or measured.subjects is None:
        return measured
    told, found = record.subject, measured.subjects.found
    others = tuple(each for each in found if iou(each.box, told) < THRESHOLD)
    return replace(
        measured,
        subjects=replace(measured.subjects, box=told, place=told, found=(Subject(told, 1.0, "salient"), *others)),
    )


def view(measured: Measured, box: Box) -> View:
    """Measure a crop of the photo."""
    subject = measured.subjects.box if measured.subjects else None
    return View(
        box,
        analyse_crop(measured, box),
        edge_cuts(measured, box),
        subject,
        inside(subject, box) if subject else None,
        intersection(subject, box) / box.area if subject else None,
    )


def evidence(seen: Evidence, photo: View) -> list[Fact]:
    """What may be said of an element of the photo, any of it being enough; nothing where another thing than the main
    subject stands on a line."""
    wh = photo.analysis.wh
    x1, y1, x2, y2 = seen.line or (0.0, 0.0, 0.0, 0.0)
    across, down = abs(x2 - x1), abs(y2 - y1)
    if seen.name in PLACEMENTS:
        where = place_words(photo.subject.center) if photo.subject else ""
        kind = {"rule of thirds": "third", "golden ratio": "golden", "center": "middle"}[seen.name]
        return [Fact("placed", {"where": where})] if kind in where else []
    if seen.name == "horizontal":
        return [Fact("horizontal", {"where": _row((y1 + y2) / 2)}), *_span("horizontal", across)]
    if seen.name == "vertical":
        return _span("vertical", down) or [Fact("vertical", {})]
    if seen.name == "diagonal" and seen.vanishing:
        return [Fact("leading", {"count": count_word(len(seen.leading))})]
    if seen.name == "diagonal":
        return [Fact("slanted", {}), *_span("slanted", math.hypot(across * wh[0], down * wh[1]) / math.hypot(*wh))]
    if seen.name == "triangle":
        return [Fact("edges" if "edges" in seen.words else "masses", {})]
    if seen.name == "symmetric":
        return [Fact("symmetric", {"sides": "left and right" if across < down else "top and bottom"})]
    return [Fact(seen.name, {})]


def _span(name: str, share: float) -> list[Fact]:
    word = share_word(share)
    return [Fact(f"{name} span", {"span": word})] if word else []


def _row(y: float) -> str:
    """Where a level line lies."""
    word = line_word(y, "upper", "lower")
    return "in the middle" if word == "middle" else f"on the {word}" if "third" in word else f"in the {word} half"


def facts(seen: View) -> dict[str, Fact]:
    """What may be said of a crop by itself, at most one fact a topic; clear cases only."""
    found = {**_of_subject(seen), **_of_elements(seen)}
    if not seen.box.is_whole and (share := share_word(seen.box.area)):
        found["area"] = Fact("area", {"share": share})
    empty = seen.analysis.negative_space
    if empty >= _EMPTY and (share := share_word(empty)):
        found["space"] = Fact("empty", {"share": share}, -1)
    elif empty <= _FULL:
        found["space"] = Fact("full", {}, 1)
    if side := _leaning(seen):
        found["balance"] = Fact("leaning", _at(side), -1)
    elif seen.off_center <= _BALANCED:
        found["balance"] = Fact("balanced", {}, 1)
    if seen.cuts.faces:
        count = "a face" if seen.cuts.faces == 1 else f"{count_word(seen.cuts.faces)} faces"
        found["border"] = Fact("faces_cut", {"count": count}, -1)
    elif not seen.box.is_whole and seen.cuts.subjects == 0 and (seen.kept or 1) > _WHOLE and seen.analysis.subjects:
        found["border"] = Fact("clean", {}, 1)
    if faces := sum(each.kind == "face" for each in seen.analysis.subjects):
        found["faces"] = Fact("faces", {"count": "one face" if faces == 1 else f"{count_word(faces)} faces"})
    width, height = seen.analysis.wh
    shape = "square" if abs(width / height - 1) <= 0.02 else "upright" if width < 0.95 * height else "broad"
    if shape != "broad" or width > 1.05 * height:
        found["shape"] = Fact(shape, {})
    return found


def _of_subject(seen: View) -> dict[str, Fact]:
    if seen.subject is None or seen.kept is None or seen.filled is None:
        return {}
    if seen.kept < _LOST and seen.filled <= _LEFT:
        return {"subject": Fact("lost", {}, -1)}
    if seen.kept < _CUT:
        rest = share_word(1 - seen.kept) if seen.kept < _REDUCED else ""
        if rest:
            return {"subject": Fact("reduced", {"rest": rest}, -1)}
        return {"subject": Fact("cut", {}, -1)} if seen.kept >= SHOWN else {}
    found = {}
    if seen.kept >= _WHOLE:
        found["subject"] = Fact("kept", {}, 1)
        if where := place_words(within(seen.subject.center, seen.box)):
            found["place"] = Fact("placed", {"where": where}, 1)
    return found


def _at(side: str) -> dict[str, str]:
    return {"side": side, "at": f"{'on' if side in ('left', 'right') else 'at'} the {side}"}


def place_words(center: Point) -> str:
    """On what line or crossing of lines a point in [0,1] of the frame stands; empty if it stands on none.

    >>> place_words((0.34, 0.66)), place_words((0.34, 0.1)), place_words((0.5, 0.1))
    ('on the crossing of the left and lower third lines', 'on the left third line', '')
    """
    across, down = (_line(value) for value in center)
    sides = ("left" if center[0] < 0.5 else "right", "upper" if center[1] < 0.5 else "lower")
    if across == down == "middle":
        return "in the middle"
    if across == down and across:
        return f"on the crossing of the {sides[0]} and {sides[1]} {across} lines"
    for line, side in ((across, sides[0]), (down, sides[1])):
        if line and line != "middle":
            return f"on the {side} {line} line"
    return ""


def _line(value: float) -> str:
    """The line across a side on which a place clearly stands; empty if none."""
    folded = min(value, 1 - value)
    lines = {"third": (THIRD, NEAR), "golden-ratio": (GOLDEN, GOLDEN_NEAR), "middle": (0.5, NEAR)}
    name = min(lines, key=lambda name: abs(folded - lines[name][0]))
    at, near = lines[name]
    return name if abs(folded - at) <= _CLEARLY * near else ""


def _of_elements(seen: View) -> dict[str, Fact]:
    """The strongest element that needs no subject, and how level the crop is."""
    found: dict[str, Fact] = {}
    for each in seen.analysis.elements:
        if each.name not in PLACEMENTS and each.strength >= _SURE and "element" not in found:
            found["element"] = Fact(each.name, {}, 1)
    tilt = seen.analysis.tilt
    if tilt is not None and abs(tilt) >= _TILTED:
        found["level"] = Fact("tilted", {"side": "right" if tilt > 0 else "left"}, -1)
    elif tilt is not None and abs(tilt) <= _LEVEL:
        found["level"] = Fact("level", {}, 1)
    return found


def _leaning(seen: View) -> str:
    """The side on which the visual weight lies: its centroid is there, and so is more than half of it."""
    balance = seen.analysis.balance
    x, y = (at - 0.5 for at in balance.centroid)
    if max(abs(x), abs(y)) < _LEANING:
        return ""
    across = abs(x) >= abs(y)
    side = ("left" if x < 0 else "right") if across else ("top" if y < 0 else "bottom")
    return side if getattr(balance, side) >= _MOST_WEIGHT else ""


def differences(seen: View, others: Sequence[View]) -> dict[str, tuple[Fact, tuple[int, ...]]]:
    """In what a crop surpasses others, by topic: the fact and the places in `others` of those it surpasses in it."""
    found: dict[str, tuple[Fact, tuple[int, ...]]] = {}

    def add(topic: str, fact: Fact, surpasses: Sequence[bool]) -> None:
        places = tuple(place for place, true in enumerate(surpasses) if true)
        if places:
            found[topic] = (fact, places)

    own = seen.analysis
    add("tighter", Fact("tighter", {}), [seen.box.area < 0.93 * other.box.area for other in others])
    add("wider", Fact("wider", {}), [0.93 * seen.box.area > other.box.area for other in others])
    if seen.kept is not None and seen.filled is not None:
        more = [seen.kept > (other.kept or 0) + 0.08 for other in others]
        add("kept", Fact("more of the subject", {}, 1), more)
        larger = [seen.filled > 1.15 * (other.filled or 0) for other in others]
        if seen.kept >= _CUT:
            add("larger", Fact("larger subject", {}, 1), larger)
    add("cuts", Fact("fewer cuts", {}, 1), [_cuts_less(seen, other) for other in others])
    space = [other.analysis.negative_space for other in others]
    add("less empty", Fact("less empty", {}, 1), [own.negative_space < empty - 0.06 for empty in space])
    add("emptier", Fact("emptier", {}), [own.negative_space > empty + 0.06 for empty in space])
    add("balance", Fact("better balanced", {}, 1), [seen.off_center < other.off_center - 0.025 for other in others])
    for each in own.elements:
        if each.name in PLACEMENTS or "element" in found:
            continue
        stronger = [each.strength > other.analysis.strengths[each.name] + 0.2 for other in others]
        add("element", Fact("stronger", {"element": _NAMES.get(each.name, each.name)}, 1), stronger)
    return found


def _cuts_less(seen: View, other: View) -> bool:
    return seen.cuts.subjects < other.cuts.subjects - 0.1 and seen.cuts.faces <= other.cuts.faces
