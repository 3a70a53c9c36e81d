"""Checks of claims about a crop itself (its size, place and shape), and the table of all checks."""

from __future__ import annotations

import math
from collections.abc import Callable

from crop_reasoning.composition.placement import NEAR, position_word
from crop_reasoning.verification.claims import Claim
from crop_reasoning.verification.frames import Seen
from crop_reasoning.verification.line_checks import LINES
from crop_reasoning.verification.places import ASIDE, off, place_of
from crop_reasoning.verification.space_checks import SPACE
from crop_reasoning.verification.subject_checks import SUBJECTS
from crop_reasoning.verification.tolerances import (
    AREA_TIE,
    ASPECT_TOLERANCE,
    PANORAMA,
    PLACE_BAND,
    SIZE_BAND,
    SURE,
    Judged,
    certain,
    near_share,
)


def _position(claim: Claim, seen: Seen) -> Judged:
    place = place_of(claim.args["run"])
    words = f"the crop lies {position_word(seen.box)}"
    if place is None:
        return certain(False, words)
    aside = (
        0.0 if "MIDDLE" in claim.args["run"] else NEAR - ASIDE
    )  # as `position_word`: what is nearly central is not "left"
    return Judged(-(off(place, seen.box.center) + aside) / PLACE_BAND, words)


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


def _share(claim: Claim, seen: Seen) -> Judged:
    of_subject = claim.args["of"] == "SUBJECT"
    kept = seen.kept if of_subject else seen.box.area
    gone = claim.args["what"] in ("REMOVE", "LOSE", "CUT", "GONE")
    words = f"{kept:.0%} of the {'subject' if of_subject else 'photo'} is kept"
    return near_share(1 - kept if gone else kept, claim, words)


def _whole_frame(claim: Claim, seen: Seen) -> Judged:
    return certain(seen.box.is_whole, f"the crop keeps {seen.box.area:.0%} of the photo")


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


def _tighter(claim: Claim, seen: Seen) -> Judged:
    area = seen.box.area
    return Judged((1 - area - AREA_TIE) / (AREA_TIE / 2), f"the crop keeps {area:.0%} of the photo")


_CROPS: dict[str, Callable[[Claim, Seen], Judged]] = {
    "position": _position,
    "size": _size,
    "whole frame": _whole_frame,
    "share": _share,
    "aspect": _aspect,
    "tighter than the photo": _tighter,
    "panorama": lambda claim, seen: Judged((seen.aspect - PANORAMA) / 0.1, f"width over height is {seen.aspect:.2f}"),
    "named": lambda claim, seen: certain(True, ""),
}
CHECKS = _CROPS | SUBJECTS | LINES | SPACE
"""The check of every kind of claim about one frame; those that compare frames are `comparisons.compare`'s."""
