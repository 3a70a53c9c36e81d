"""Checks of claims about elements: level lines, mirror axes, lines that meet, presence."""

from __future__ import annotations

import math
from collections.abc import Callable

from crop_reasoning.composition.analysis import Evidence
from crop_reasoning.composition.elements import THRESHOLD
from crop_reasoning.composition.placement import NEAR
from crop_reasoning.verification.claim_rules import ELEMENT_OF
from crop_reasoning.verification.claims import Claim
from crop_reasoning.verification.frames import Seen
from crop_reasoning.verification.places import GOLDEN_NEAR, Place, off, place_of
from crop_reasoning.verification.tolerances import (
    KEPT_BAND,
    LEVEL_DEGREES,
    PLACE_BAND,
    SHARE_TOLERANCE,
    STRENGTH_BAND,
    SURE,
    TILT_BAND,
    WHOLE_KEPT,
    Judged,
    certain,
    near_share,
    number_of,
)


def _tilt(claim: Claim, seen: Seen) -> Judged:
    tilt = seen.analysis.tilt
    if tilt is None:
        return certain(False, "no level line is seen")
    words = f"the level line is {tilt:+.1f} degrees off level"
    if "degrees" in claim.args:
        near = (LEVEL_DEGREES * 0.6 - abs(abs(tilt) - float(claim.args["degrees"]))) / TILT_BAND
    else:
        near = (abs(tilt) - LEVEL_DEGREES * 0.6) / TILT_BAND
    side = claim.args.get("side")
    if side and (tilt > 0) != (side == "RIGHT"):
        return certain(False, words)
    return Judged(near, words)


def _level(claim: Claim, seen: Seen) -> Judged:
    tilt = seen.analysis.tilt
    if tilt is None:
        return certain(False, "no level line is seen")
    return Judged((LEVEL_DEGREES - abs(tilt)) / TILT_BAND, f"the level line is {tilt:+.1f} degrees off level")


def _line_place(name: str) -> Callable[[Claim, Seen], Judged]:
    """Of a level line its height, of a mirror axis its place across or down, of leading lines where they meet."""

    def check(claim: Claim, seen: Seen) -> Judged:
        found, place = seen.evidence(name), place_of(claim.args["run"])
        point = _spot(found) if found else None
        if point is None or place is None:
            return certain(False, f"no {name} line is seen" if found is None else "it has no such point")
        x, y = point
        wanted = Place(place.across if x is not None else None, place.down if y is not None else None)
        if wanted == Place():
            return certain(False, "it has no such place")
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
        return certain(False, f"no {name} line is seen")
    x1, y1, x2, y2 = found.line
    across, down = abs(x2 - x1), abs(y2 - y1)
    w, h = seen.analysis.wh
    reach = {"horizontal": across, "vertical": down}.get(name, math.hypot(across * w, down * h) / math.hypot(w, h))
    words = f"the {name} line reaches over {reach:.0%}"
    angle = math.degrees(math.atan2(down * h, across * w))
    if "degrees" in claim.args and abs(angle - float(claim.args["degrees"])) > 3:
        return certain(False, f"{words}, at {angle:.0f} degrees")
    if f" {number_of(claim):.0%}".replace("%", " %") in found.words:  # what is seen of it, gaps left out
        return certain(True, words)
    if number_of(claim) >= 1:
        return Judged((reach - 0.9) / SHARE_TOLERANCE, words)
    return near_share(reach, claim, words)


def _axis(claim: Claim, seen: Seen) -> Judged:
    found = seen.evidence("symmetric")
    if found is None or found.line is None:
        return _element(Claim("element", {"element": "SYMMETRY"}), seen)
    upright = found.line[0] == found.line[2]
    return certain(upright == (claim.args["way"] == "upright"), found.words)


def _lines_meet(claim: Claim, seen: Seen) -> Judged:
    found = seen.evidence("diagonal")
    count = len(found.leading) if found else 0
    true = count >= 3 if claim.args["count"] == "SEVERAL" else count == int(claim.args["count"])
    return certain(true, f"{count} lines meet")


def _element(claim: Claim, seen: Seen) -> Judged:
    name = ELEMENT_OF[claim.args["element"]]
    strength = seen.strength(name)
    margin = (strength - THRESHOLD) / STRENGTH_BAND
    words = f"{name} has strength {strength:.2f} in the frame"
    if claim.args["element"] in ("CONVERGE", "VANISHING"):
        found = seen.evidence("diagonal")
        return certain(found is not None and found.vanishing is not None, words)
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


LINES: dict[str, Callable[[Claim, Seen], Judged]] = {
    "tilt": _tilt,
    "level": _level,
    "horizon place": _line_place("horizontal"),
    "horizon off center": _horizon_off_center,
    "axis place": _line_place("symmetric"),
    "vanishing place": _line_place("diagonal"),
    "line share": _line_share,
    "axis": _axis,
    "lines meet": _lines_meet,
    "element": _element,
}
