"""What every check of a claim shares: its tolerances, in one place, and how a margin becomes a verdict.

A margin is in units of the kind's band: 0 at the tolerance, positive where the claim is true. Affirmed claims pass from
-1 on, denied ones up to +1, so that neither a claim nor its denial is called a lie near the tolerance.
"""

from __future__ import annotations

from typing import NamedTuple

from crop_reasoning.verification.claims import Claim
from crop_reasoning.verification.frames import Seen

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
SHOWN = 0.3
"""Share of the subject inside a crop that may be said to show it at all."""
KEPT_BAND = 0.02
LEVEL_DEGREES, TILT_BAND = 1.5, 0.5
"""A horizon within this many degrees is level; a tilt that is given in degrees may be off by as many."""
AREA_TIE, SUBJECT_TIE, EMPTY_TIE, BALANCE_TIE, STRENGTH_TIE = 0.03, 0.02, 0.02, 0.01, 0.05
"""Differences from which two frames differ: log of areas and of the subject's shares, shares, distances, strengths."""
BALANCED = 0.08
"""The centroid of visual weight this close to the middle, each way, is balanced."""
SIDE_WEIGHT, SIDE_BAND = 0.55, 0.015
EMPTY_SIDE, EMPTY_FRAME, EMPTY_BAND = 0.5, 0.3, 0.05
"""Empty share of a third of the frame that is called empty; of the frame to speak of empty space at all."""
ROOM, ROOM_AROUND = 0.15, 0.04
"""Of the frame's side: gap between subject and side that is room; on every side, that is margin."""
PANORAMA = 1.9
"""Width over height from which a crop is panoramic."""
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


def certain(truth: bool, measured: str) -> Judged:
    """A claim without a tolerance."""
    return Judged(SURE if truth else -SURE, measured)


def subject_words(seen: Seen) -> str:
    """Where the subject is in a frame."""
    if seen.place is None:
        return "no subject stands out"
    x, y = seen.place
    return f"the subject's center is at {x:.2f}, {y:.2f} of the frame, {seen.kept:.0%} of it inside"


def number_of(claim: Claim) -> float:
    """The share that a claim names."""
    words = claim.args["number"]
    return float(words[8:]) if words.startswith("FRACTION") else float(words.split()[0]) / 100


def near_share(value: float, claim: Claim, words: str) -> Judged:
    """A share that was measured against the one, or the bound, that a claim names."""
    wanted, bound = number_of(claim), claim.args.get("bound", "")
    if bound in ("MORE THAN", "ABOVE", "AS LEAST", "ON LEAST"):
        return Judged(min(value - wanted, wanted + FAR - value) / (SHARE_TOLERANCE / 2), words)
    if bound:
        return Judged(min(wanted - value, value - wanted + FAR) / (SHARE_TOLERANCE / 2), words)
    return Judged((SHARE_TOLERANCE * 0.75 - abs(value - wanted)) / (SHARE_TOLERANCE / 4), words)
