"""Frames against each other: tighter, wider, more of the subject, emptier, better balanced, an element stronger."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from crop_reasoning.verification.claim_rules import ELEMENT_OF
from crop_reasoning.verification.claims import Claim
from crop_reasoning.verification.frames import Seen
from crop_reasoning.verification.tolerances import (
    AREA_TIE,
    BALANCE_TIE,
    EMPTY_TIE,
    STRENGTH_TIE,
    SUBJECT_TIE,
    SURE,
    Judged,
)

SAME = 0.1
"""Log of areas: two frames, or the subject in them, are of "the same size"."""
_LESS = ("TIGHTER", "SMALLER", "LESS", "WORSE", "WEAKER", "TIGHTEST", "SMALLEST", "LEAST", "WEAKEST")


def _subject_size(seen: Seen, element: str) -> float:
    return math.log(max(seen.subject_share, 1e-6))


_QUANTITIES: dict[str, tuple[Callable[[Seen, str], float], float, str]] = {
    "area": (lambda seen, element: math.log(seen.box.area), AREA_TIE, "log of the area"),
    "subject size": (_subject_size, AREA_TIE, "log of the subject's share"),
    "subject kept": (lambda seen, element: seen.kept, SUBJECT_TIE, "share of the subject kept"),
    "subject lost": (lambda seen, element: 1 - seen.kept, SUBJECT_TIE, "share of the subject lost"),
    "cuts": (lambda seen, element: seen.cuts.subjects, SUBJECT_TIE, "share of things cut"),
    "empty": (lambda seen, element: seen.analysis.negative_space, EMPTY_TIE, "empty share"),
    "balanced": (lambda seen, element: -seen.imbalance, BALANCE_TIE, "nearness of the weight to the middle"),
    "element": (lambda seen, element: seen.strength(element), STRENGTH_TIE, "strength"),
}


def compare(claim: Claim, seen: Seen, others: Sequence[Seen]) -> Judged:
    """By what margin a frame has more (or less) of a quantity than every one of the others.

    "More" must differ by about a tie, "most" may tie. Without any other frame, or without a subject where one is
    compared, nothing is true.
    """
    degree, _, name = claim.kind.partition(" ")
    quantity, tie, words = _QUANTITIES[name]
    element = ELEMENT_OF.get(claim.args.get("element", ""), "")
    if not others or ("subject" in name and seen.subject is None):
        return Judged(-SURE, "there is nothing to compare with")
    if degree == "same":
        apart = max(abs(quantity(seen, element) - quantity(other, element)) for other in others)
        return Judged((SAME - apart) / (SAME / 4), f"{words} differs by {apart:.2f}")
    word = claim.args.get("more") or claim.args["most"]
    sign = -1 if word.split()[0] in _LESS else 1
    own = quantity(seen, element)
    least = min(sign * (own - quantity(other, element)) for other in others)
    margin = (least - tie) / (tie / 2) if degree == "more" else (least + tie) / (tie / 4)
    return Judged(margin, f"{words} {own:.2f}, the others' {', '.join(f'{quantity(o, element):.2f}' for o in others)}")
