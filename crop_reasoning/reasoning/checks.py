"""Claims against what was measured: by what margin each is true, and the words for what is true instead.

A margin is in units of the kind's band: 0 at the tolerance, positive where the claim is true. Affirmed claims pass from
-1 on, denied ones up to +1, so that neither a claim nor its denial is called a lie near the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from crop_reasoning.composition.analysis import Evidence
from crop_reasoning.composition.elements import THRESHOLD
from crop_reasoning.composition.placement import NEAR, position_word
from crop_reasoning.geometry import Box
from crop_reasoning.reasoning.claim_rules import ELEMENT_OF
from crop_reasoning.reasoning.claims import Claim
from crop_reasoning.reasoning.frames import Seen
from crop_reasoning.reasoning.geometry_checks import stands_out
from crop_reasoning.reasoning.places import GOLDEN_NEAR, Place, off, place_of

PLACE_BAND = 0.012
"""Of the frame's side: by so much a place may miss its line's tolerance (`placement.NEAR`, `places.GOLDEN_NEAR`)."""
STRENGTH_BAND = 0.08
"""Of an element's strength, about `elements.THRESHOLD`."""
SHARE_TOLERANCE = 0.04
"""Shares of area, of the subject, of a line's reach, of empty space: 4 points; "about" adds as much again."""
FAR = 0.45
"""Nobody says "more than half" of what is all there: a share may be so far from the one that is named as its bound."""
SIZE_BAND = 0.02
"""Of the photo's area, at the limits of the size words."""
WHOLE_KEPT, KEPT, LOST, TOUCHED = 0.95, 0.9, 0.5, 0.98
"""Shares of the subject inside a crop: "whole" and "kept" from, "lost" below; below the last it is cut."""
KEPT_BAND = 0.02
LEVEL_DEGREES, TILT_BAND = 1.5, 0.5
"""A horizon within this many degrees is level; a tilt that is given in degrees may be off by as many."""
AREA_TIE, SUBJECT_TIE, EMPTY_TIE, BALANCE_TIE, STRENGTH_TIE = 0.03, 0.02, 0.02, 0.01, 0.05
"""Differences from which two frames differ: log of areas and of the subject's shares, shares, distances, strengths."""
BALANCED = 0.08
"""The centroid of visual weight this close to the middle, each way, is balanced."""
SIDE_WEIGHT, SIDE_BAND = 0.53, 0.02
EMPTY_SIDE, EMPTY_FRAME, EMPTY_BAND = 0.5, 0.3, 0.05
"""Empty share of a third of the frame that is called empty; of the frame to speak of empty space at all."""
ROOM, ROOM_AROUND = 0.15, 0.04
"""Of the frame's side: gap between subject and side that is room; on every side, that is margin."""
ASPECT_TOLERANCE = 0.02
"""Of the ratio in pixels."""
SMALL, LARGE = 0.12, 0.2
"""Share of the frame: a subject is small up to the one, large from the other."""
TRIMMED = 0.02
"""Of the photo's side: a crop's border this far inside it trims that side."""
EQUAL_ROOM = 0.06
"""Of the frame's side: gaps that differ by less are equal."""
SURE = 99.0


class Judged(NamedTuple):
    """A claim's margin, and what was measured in words."""

    margin: float
    measured: str


def passes(claim: Claim, judged: Judged) -> bool:
    """Whether a claim, affirmed or denied, stands."""
    slack = 2.0 if claim.hedged else 1.0
    return judged.margin >= -slack if claim.positive else judged.margin <= slack


def _yes(truth: bool, measured: str) -> Judged:
    return Judged(SURE if truth else -SURE, measured)


def _subject(seen: Seen) -> str:
    if seen.place is None:
        return "no subject stands out"
    x, y = seen.place
    return f"the subject's center is at {x:.2f}, {y:.2f} of the frame, {seen.kept:.0%} of it inside"


def _place(claim: Claim, seen: Seen) -> Judged:
    place = place_of(claim.args["run"])
    if seen.place is None or place is None or seen.kept < LOST:
        return _yes(False, _subject(seen))
    return Judged(-off(place, seen.place) / PLACE_BAND, _subject(seen))


def _off_center(claim: Claim, seen: Seen) -> Judged:
    judged = _place(claim, seen)
    return judged if seen.place is None or seen.kept < LOST else Judged(-judged.margin, judged.measured)


def _position(claim: Claim, seen: Seen) -> Judged:
    place = place_of(claim.args["run"])
    words = f"the crop lies {position_word(seen.box)}"
    return Judged(-off(place, seen.box.center) / PLACE_BAND, words) if place else _yes(False, words)


_SIZES = {
    "VERY TIGHT": (0, 0.2),
    "TIGHT": (0.2, 0.33),
    "MEDIUM": (0.33, 0.5),
    "WIDE": (0.5, 0.75),
    "VERY WIDE": (0.75, 1),
}


def _size(claim: Claim, seen: Seen) -> Judged:
    low, high = _SIZES[claim.args["size"]]
    area = seen.box.area
    margin = min(area - low, high - area) / SIZE_BAND
    return Judged(-SURE if seen.box.is_whole else min(margin, SURE), f"the crop keeps {area:.0%} of the photo")


def _number(claim: Claim) -> float:
    words = claim.args["number"]
    return float(words[8:]) if words.startswith("FRACTION") else float(words.split()[0]) / 100


def _near(value: float, claim: Claim, words: str) -> Judged:
    wanted, bound = _number(claim), claim.args.get("bound", "")
    if bound in ("MORE THAN", "ABOVE", "AS LEAST", "ON LEAST"):
        return Judged(min(value - wanted, wanted + FAR - value) / (SHARE_TOLERANCE / 2), words)
    if bound:
        return Judged(min(wanted - value, value - wanted + FAR) / (SHARE_TOLERANCE / 2), words)
    return Judged((SHARE_TOLERANCE * 0.75 - abs(value - wanted)) / (SHARE_TOLERANCE / 4), words)


def _share(claim: Claim, seen: Seen) -> Judged:
    of_subject = claim.args["of"] == "SUBJECT"
    kept = seen.kept if of_subject else seen.box.area
    gone = claim.args["what"] in ("REMOVE", "LOSE", "CUT", "GONE")
    words = f"{kept:.0%} of the {'subject' if of_subject else 'photo'} is kept"
    return _near(1 - kept if gone else kept, claim, words)


def _empty_share(claim: Claim, seen: Seen) -> Judged:
    share = seen.analysis.negative_space
    return _near(share, claim, f"{share:.0%} of the frame is empty")


def _whole_frame(claim: Claim, seen: Seen) -> Judged:
    return _yes(seen.box.is_whole, f"the crop keeps {seen.box.area:.0%} of the photo")


def _aspect(claim: Claim, seen: Seen) -> Judged:
    ratio, words = seen.aspect, f"width over height is {seen.aspect:.3f}"
    band = ASPECT_TOLERANCE
    match claim.args.get("shape"):
        case "ASPECTWIDE":
            return Judged((math.log(ratio) - band) / band, words)
        case "ASPECTTALL":
            return Judged((-math.log(ratio) - band) / band, words)
        case "ASPECTSQUARE":
            wanted = 1.0
        case "ASPECTSAME":
            wanted = seen.measured.wh[0] / seen.measured.wh[1]
        case _:
            w, h = (int(number) for number in claim.args["ratio"].split(":"))
            wanted = w / h if h and w else 0.0
    off_by = abs(math.log(ratio / wanted)) if wanted > 0 else SURE
    return Judged((0.75 * band - off_by) / (band / 4), words)


def _subject_kept(least: float) -> Callable[[Claim, Seen], Judged]:
    return lambda claim, seen: Judged((seen.kept - least) / KEPT_BAND, _subject(seen))


def _subject_lost(claim: Claim, seen: Seen) -> Judged:
    if seen.subject is None:
        return _yes(False, _subject(seen))
    return Judged((LOST - seen.kept) / KEPT_BAND, _subject(seen))


def _subject_cut(claim: Claim, seen: Seen) -> Judged:
    if seen.subject is None or seen.kept <= 0:
        return _yes(False, _subject(seen))
    return Judged((WHOLE_KEPT + KEPT_BAND / 2 - seen.kept) / (KEPT_BAND / 2), _subject(seen))


def _cut_nothing(claim: Claim, seen: Seen) -> Judged:
    cut = seen.cuts
    return _yes(
        cut.subjects == 0 and cut.faces == 0 and (not seen.subject or seen.kept > TOUCHED or seen.kept == 0),
        f"{cut.subjects:.0%} of the things shown are cut",
    )


def _large(claim: Claim, seen: Seen) -> Judged:
    if seen.subject is None:
        return _yes(False, _subject(seen))
    share = seen.subject_share
    margin = (SMALL - share) if claim.args["large"] == "SMALL" else (share - LARGE)
    return Judged(margin / SIZE_BAND, f"the subject takes {share:.0%} of the frame")


def _subject_share(claim: Claim, seen: Seen) -> Judged:
    share = seen.subject_share
    return _near(share, claim, f"the subject takes {share:.0%} of the frame")


def _tighter(claim: Claim, seen: Seen) -> Judged:
    area = seen.box.area
    return Judged((1 - area - AREA_TIE) / (AREA_TIE / 2), f"the crop keeps {area:.0%} of the photo")


def _count_of(claim: Claim, found: int, words: str) -> Judged:
    said = claim.args.get("count", "1").strip()
    match said:
        case "NO" | "WITHOUT" | "NEITHER":
            return _yes(found == 0, words)
        case "SEVERAL" | "EVERY":
            return _yes(found >= 1, words)
        case "BOTH":
            return _yes(found == 2, words)
    return _yes(found == int(said), words)


def _cut_faces(claim: Claim, seen: Seen) -> Judged:
    words = f"{seen.cuts.faces} faces are cut"
    if "count" not in claim.args:
        return _yes(seen.cuts.faces > 0, words)
    return _count_of(claim, seen.cuts.faces, words)


def _faces(claim: Claim, seen: Seen) -> Judged:
    return _count_of(claim, seen.faces, f"{seen.faces} faces are in the frame")


def _no_subject(claim: Claim, seen: Seen) -> Judged:
    return _yes(stands_out(seen.measured) is None or seen.kept < 1 - TOUCHED, _subject(seen))


def _several_subjects(claim: Claim, seen: Seen) -> Judged:
    found = len(seen.analysis.subjects)
    if claim.args["count"] == "1":
        return _yes(seen.subject is not None, f"{found} things stand out")
    wanted = 2 if claim.args["count"] == "SEVERAL" else int(claim.args["count"])
    true = found >= wanted if claim.args["count"] == "SEVERAL" else found == wanted
    return _yes(true, f"{found} things stand out")


def _some_subject(claim: Claim, seen: Seen) -> Judged:
    return _yes(seen.subject is not None, _subject(seen))


def _tilt(claim: Claim, seen: Seen) -> Judged:
    tilt = seen.analysis.tilt
    if tilt is None:
        return _yes(False, "no level line is seen")
    words = f"the level line is {tilt:+.1f} degrees off level"
    if "degrees" in claim.args:
        near = (LEVEL_DEGREES * 0.6 - abs(abs(tilt) - float(claim.args["degrees"]))) / TILT_BAND
    else:
        near = (abs(tilt) - LEVEL_DEGREES * 0.6) / TILT_BAND
    side = claim.args.get("side")
    if side and (tilt > 0) != (side == "RIGHT"):
        return _yes(False, words)
    return Judged(near, words)


def _level(claim: Claim, seen: Seen) -> Judged:
    tilt = seen.analysis.tilt
    if tilt is None:
        return _yes(False, "no level line is seen")
    return Judged((LEVEL_DEGREES - abs(tilt)) / TILT_BAND, f"the level line is {tilt:+.1f} degrees off level")


def _line_place(name: str) -> Callable[[Claim, Seen], Judged]:
    """Of a level line its height, of a mirror axis its place along the side it halves, of leading lines their meeting."""

    def check(claim: Claim, seen: Seen) -> Judged:
        found, place = seen.evidence(name), place_of(claim.args["run"])
        point = _spot(found) if found else None
        if point is None or place is None:
            return _yes(False, f"no {name} line is seen" if found is None else "it has no such point")
        x, y = point
        wanted = Place(place.across if x is not None else None, place.down if y is not None else None)
        if wanted == Place():
            return _yes(False, "it has no such place")
        words = ", ".join(f"{value:.2f} {way}" for value, way in ((x, "across"), (y, "down")) if value is not None)
        return Judged(-off(wanted, (x or 0.0, y or 0.0)) / PLACE_BAND, f"it is at {words}")

    return check


def _spot(found: Evidence) -> tuple[float | None, float | None] | None:
    if found.name == "diagonal":
        return found.vanishing
    if found.line is None:
        return None
    x1, y1, x2, y2 = found.line
    upright = found.name == "symmetric" and x1 == x2
    return ((x1 + x2) / 2, None) if upright else (None, (y1 + y2) / 2)


def _horizon_off_center(claim: Claim, seen: Seen) -> Judged:
    judged = _line_place("horizontal")(Claim("", {"run": "MIDDLE"}), seen)
    return judged if seen.evidence("horizontal") is None else Judged(-judged.margin, judged.measured)


def _line_share(claim: Claim, seen: Seen) -> Judged:
    name = ELEMENT_OF[claim.args["element"]]
    found = seen.evidence(name)
    if found is None or found.line is None:
        return _yes(False, f"no {name} line is seen")
    x1, y1, x2, y2 = found.line
    across, down = abs(x2 - x1), abs(y2 - y1)
    w, h = seen.analysis.wh
    reach = {"horizontal": across, "vertical": down}.get(name, math.hypot(across * w, down * h) / math.hypot(w, h))
    words = f"the {name} line reaches over {reach:.0%}"
    angle = math.degrees(math.atan2(down * h, across * w))
    if "degrees" in claim.args and abs(angle - float(claim.args["degrees"])) > 3:
        return _yes(False, f"{words}, at {angle:.0f} degrees")
    if found.words and f"{_number(claim):.0%}".rstrip("%") in found.words.split():  # what is seen of it, gaps left out
        return _yes(True, words)
    if _number(claim) >= 1:
        return Judged((reach - 0.9) / SHARE_TOLERANCE, words)
    return _near(reach, claim, words)


def _axis(claim: Claim, seen: Seen) -> Judged:
    found = seen.evidence("symmetric")
    if found is None or found.line is None:
        return _element(Claim("element", {"element": "SYMMETRY"}), seen)
    upright = found.line[0] == found.line[2]
    return _yes(upright == (claim.args["way"] == "upright"), found.words)


def _lines_meet(claim: Claim, seen: Seen) -> Judged:
    found = seen.evidence("diagonal")
    count = len(found.leading) if found else 0
    true = count >= 3 if claim.args["count"] == "SEVERAL" else count == int(claim.args["count"])
    return _yes(true, f"{count} lines meet")


_STRIPS = {
    "LEFT": Box(0, 0, 1 / 3, 1),
    "RIGHT": Box(2 / 3, 0, 1, 1),
    "TOP": Box(0, 0, 1, 1 / 3),
    "BOTTOM": Box(0, 2 / 3, 1, 1),
}
_SAME_SIDE = {"ABOVE": "TOP", "BELOW": "BOTTOM"}


def _sides(claim: Claim) -> list[str]:
    words = (_SAME_SIDE.get(word, word) for word in claim.args["sides"].split())
    return [word for word in words if word in _STRIPS]


def _space_side(claim: Claim, seen: Seen) -> Judged:
    empty = {side: seen.emptiness(_STRIPS[side]) for side in _sides(claim)}
    margins = [max(seen.gaps.get(side, 0.0) - ROOM, share - EMPTY_SIDE) / EMPTY_BAND for side, share in empty.items()]
    words = (f"{side.lower()}: {share:.0%} empty, gap {seen.gaps.get(side, 0):.2f}" for side, share in empty.items())
    return Judged(min(margins, default=-SURE), ", ".join(words))


def _space_equal(claim: Claim, seen: Seen) -> Judged:
    if not seen.gaps:
        return _yes(False, _subject(seen))
    pair = ("LEFT", "RIGHT") if claim.args["way"] == "across" else ("TOP", "BOTTOM")
    one, other = (seen.gaps[side] for side in pair)
    return Judged((EQUAL_ROOM - abs(one - other)) / (EQUAL_ROOM / 3), f"the gaps are {one:.2f} and {other:.2f}")


def _trim(claim: Claim, seen: Seen) -> Judged:
    box = seen.box
    cut = {"LEFT": box.x1, "TOP": box.y1, "RIGHT": 1 - box.x2, "BOTTOM": 1 - box.y2}
    least = min((cut[side] for side in _sides(claim)), default=SURE) if "sides" in claim.args else 1 - box.area
    words = ", ".join(f"{side.lower()} {share:.2f}" for side, share in cut.items())
    trimmed = (least - TRIMMED) / (TRIMMED / 2)
    if "empty" not in claim.args or box.area > 1 - TRIMMED:
        return Judged(trimmed, f"trimmed: {words}")
    kept = seen.analysis.negative_space * box.area
    gone = (seen.emptiness_of_photo - kept) / (1 - box.area)
    return Judged(min(trimmed, (gone - EMPTY_SIDE) / EMPTY_BAND), f"trimmed: {words}; {gone:.0%} of that is empty")


def _space_around(claim: Claim, seen: Seen) -> Judged:
    gap = min(seen.gaps.values(), default=-SURE)
    return Judged((gap - ROOM_AROUND) / (ROOM_AROUND / 2), f"the least gap about the subject is {gap:.2f}")


def _space(claim: Claim, seen: Seen) -> Judged:
    share = seen.analysis.negative_space
    return Judged((share - EMPTY_FRAME) / EMPTY_BAND, f"{share:.0%} of the frame is empty")


def _balance(claim: Claim, seen: Seen) -> Judged:
    x, y = seen.analysis.balance.centroid
    worst = max(abs(x - 0.5), abs(y - 0.5))
    return Judged((BALANCED - worst) / (BALANCED / 4), f"the visual weight centers at {x:.2f}, {y:.2f}")


def _weight(claim: Claim, seen: Seen) -> Judged:
    balance, place = seen.analysis.balance, place_of(claim.args["run"])
    words = f"{balance.left:.0%} of the visual weight lies left, {balance.top:.0%} in the upper half"
    if place is None or (place.across or place.down) is None or "MIDDLE" in claim.args["run"]:
        return _balance(claim, seen)
    shares = []
    if place.across:
        shares.append(balance.left if place.across[1] == 0 else balance.right)
    if place.down:
        shares.append(balance.top if place.down[1] == 0 else balance.bottom)
    return Judged((min(shares) - SIDE_WEIGHT) / SIDE_BAND, words)


def _element(claim: Claim, seen: Seen) -> Judged:
    name = ELEMENT_OF[claim.args["element"]]
    strength = seen.strength(name)
    margin = (strength - THRESHOLD) / STRENGTH_BAND
    words = f"{name} has strength {strength:.2f} in the frame"
    if claim.args["element"] in ("CONVERGE", "VANISHING"):
        found = seen.evidence("diagonal")
        return _yes(found is not None and found.vanishing is not None, words)
    return Judged(max(margin, placed(name, seen)), words)


def placed(name: str, seen: Seen) -> float:
    """By what margin the subject stands where a placement element wants it, both ways; other elements: surely not."""
    near = {"rule of thirds": ("third", NEAR), "center": ("middle", NEAR), "golden ratio": ("golden", GOLDEN_NEAR)}.get(
        name
    )
    if near is None or seen.place is None or seen.kept < WHOLE_KEPT - KEPT_BAND:
        return -SURE
    place = Place(("middle", None), ("middle", None)) if near[0] == "middle" else Place(any_line=f"{near[0]} point")
    return -off(place, seen.place) / PLACE_BAND


CHECKS: dict[str, Callable[[Claim, Seen], Judged]] = {
    "place": _place,
    "off center": _off_center,
    "position": _position,
    "size": _size,
    "whole frame": _whole_frame,
    "share": _share,
    "empty share": _empty_share,
    "aspect": _aspect,
    "subject whole": _subject_kept(WHOLE_KEPT),
    "subject kept": _subject_kept(KEPT),
    "subject lost": _subject_lost,
    "subject cut": _subject_cut,
    "cut nothing": _cut_nothing,
    "cut faces": _cut_faces,
    "faces": _faces,
    "no subject": _no_subject,
    "subject": _some_subject,
    "several subjects": _several_subjects,
    "tilt": _tilt,
    "level": _level,
    "horizon place": _line_place("horizontal"),
    "horizon off center": _horizon_off_center,
    "axis place": _line_place("symmetric"),
    "vanishing place": _line_place("diagonal"),
    "trim": _trim,
    "space equal": _space_equal,
    "subject large": _large,
    "subject share": _subject_share,
    "tighter than the photo": _tighter,
    "line share": _line_share,
    "axis": _axis,
    "lines meet": _lines_meet,
    "space side": _space_side,
    "space around": _space_around,
    "space": _space,
    "balance": _balance,
    "weight": _weight,
    "element": _element,
}
