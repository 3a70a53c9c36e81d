"""Checks of claims about room, emptiness and visual weight."""

from __future__ import annotations

from collections.abc import Callable

from crop_reasoning.geometry import Box
from crop_reasoning.verification.claims import Claim
from crop_reasoning.verification.frames import Seen
from crop_reasoning.verification.places import place_of
from crop_reasoning.verification.tolerances import (
    BALANCED,
    EMPTY_BAND,
    EMPTY_FRAME,
    EMPTY_SIDE,
    EQUAL_ROOM,
    ROOM,
    ROOM_AROUND,
    SIDE_BAND,
    SIDE_WEIGHT,
    SURE,
    TRIMMED,
    Judged,
    certain,
    near_share,
    subject_words,
)

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
    """Beside the subject there is room only where it does not touch the border itself."""
    empty = {side: seen.emptiness(_STRIPS[side]) for side in _sides(claim)}
    margins = [max(seen.gaps.get(side, 0.0) - ROOM, share - EMPTY_SIDE) / EMPTY_BAND for side, share in empty.items()]
    if "of" in claim.args and seen.gaps:
        margins += [(seen.gaps[side] - ROOM_AROUND) / (ROOM_AROUND / 2) for side in empty]
    words = (f"{side.lower()}: {share:.0%} empty, gap {seen.gaps.get(side, 0):.2f}" for side, share in empty.items())
    return Judged(min(margins, default=-SURE), ", ".join(words))


def _space_equal(claim: Claim, seen: Seen) -> Judged:
    if not seen.gaps:
        return certain(False, subject_words(seen))
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


def _empty_share(claim: Claim, seen: Seen) -> Judged:
    share = seen.analysis.negative_space
    return near_share(share, claim, f"{share:.0%} of the frame is empty")


SPACE: dict[str, Callable[[Claim, Seen], Judged]] = {
    "empty share": _empty_share,
    "trim": _trim,
    "space equal": _space_equal,
    "space side": _space_side,
    "space around": _space_around,
    "space": _space,
    "balance": _balance,
    "weight": _weight,
}
