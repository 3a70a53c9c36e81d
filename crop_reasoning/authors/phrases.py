"""How the measured author says things: several wordings of every fact, and words for numbers.

An answer's only integers are its coordinates, so shares and counts are words. Every fact of a crop has wordings of two
forms: what the crop does ("keeps the whole subject") and what is so in it ("the whole subject is in it").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Rng = np.random.Generator
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
SHARES = {"a quarter": 0.25, "a third": 1 / 3, "half": 0.5, "two thirds": 2 / 3, "three quarters": 0.75}
_ABOUT = 0.045
_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Fact(NamedTuple):
    """Something measured: its kind (a key of the tables below), the words that fill its wordings, and whether it
    speaks for a crop: 1, against it: -1, or neither: 0."""

    kind: str
    words: dict[str, str]
    favor: int = 0


def share_word(share: float) -> str:
    """The share with a name that is near enough to be called "about" so much; empty if there is none.

    >>> share_word(0.64), share_word(0.9)
    ('two thirds', '')
    """
    name = min(SHARES, key=lambda name: abs(SHARES[name] - share))
    return name if abs(SHARES[name] - share) <= _ABOUT else ""


def count_word(count: int) -> str:
    return _COUNTS[count] if count < len(_COUNTS) else "many"


EVIDENCE: dict[str, tuple[str, ...]] = {
    "placed": (
        "the subject stands {where}",
        "the subject sits {where}",
        "the main subject rests {where}",
        "the main subject stands {where}",
    ),
    "horizontal": (
        "a level line lies {where}",
        "a level line runs {where}",
        "there is a level line {where}",
    ),
    "horizontal span": (
        "a level line runs across about {span} of the width",
        "the longest level line spans about {span} of the width",
        "a level line spans about {span} of the width",
    ),
    "vertical": ("an upright line stands in the frame", "upright lines stand in the frame"),
    "vertical span": (
        "an upright line over about {span} of the height",
        "an upright line spans about {span} of the height",
        "an upright line runs over about {span} of the height",
    ),
    "leading": (
        "{count} lines lead to one point",
        "{count} lines converge on one point",
        "{count} leading lines converge to a single point",
        "{count} lines lead to a common point",
    ),
    "slanted": ("a slanted line crosses the frame", "a diagonal crosses the frame", "a slanted line leads the eye"),
    "slanted span": (
        "a slanted line over about {span} of the diagonal",
        "a diagonal over about {span} of the diagonal",
    ),
    "curved": (
        "a long smooth curve leads through the frame",
        "a long curve runs through the frame",
        "a smooth curve leads the eye",
    ),
    "edges": ("three edges close a triangle", "three straight edges form a triangle"),
    "masses": ("objects form a triangle", "objects stand in a triangle"),
    "symmetric": ("{sides} mirror each other", "{sides} are mirrored"),
    "pattern": ("one motif repeats", "a motif repeats", "a repeated motif runs through the frame"),
}

PREDICATES: dict[str, tuple[str, ...]] = {
    "area": ("keeps about {share} of the photo", "holds about {share} of the photo"),
    "kept": ("keeps the whole subject", "keeps all of the subject", "shows the subject whole"),
    "cut": ("cuts the subject", "cuts into the subject", "clips the subject"),
    "reduced": (
        "cuts off about {rest} of the subject",
        "cuts about {rest} of the subject",
        "loses about {rest} of the subject",
    ),
    "lost": ("loses the subject", "drops the subject", "leaves the subject lost"),
    "placed": ("puts the subject {where}", "places the subject {where}", "brings the subject to stand {where}"),
    "horizontal": ("rests on a level line", "is carried by a level line", "shows a level line"),
    "vertical": ("stands on upright lines", "shows upright lines", "is carried by upright lines"),
    "diagonal": ("leads the eye along slanted lines", "shows slanted lines", "is crossed by a diagonal"),
    "curved": ("follows a curve", "leads the eye along a curve", "shows a long curve"),
    "triangle": ("shows a triangle", "is carried by a triangle"),
    "symmetric": ("mirrors itself about an axis", "is symmetric", "shows a symmetry"),
    "pattern": ("repeats a motif", "shows a repeating pattern"),
    "level": ("keeps its level line level", "has a level horizon"),
    "tilted": ("shows its level line tilted to the {side}", "has its level line tilted to the {side}"),
    "empty": (
        "is about {share} empty",
        "has about {share} empty space",
        "is about {share} empty space",
    ),
    "full": ("has little empty space", "leaves little empty space", "shows little empty space"),
    "balanced": ("is well balanced", "is balanced", "has its weight near the middle"),
    "leaning": ("carries its weight {at}", "has its weight {at}"),
    "clean": ("cuts nothing at its border", "leaves nothing cut"),
    "faces_cut": ("cuts {count}", "clips {count}"),
    "faces": ("shows {count}", "has {count} in it"),
    "upright": ("is higher than wide", "is taller than wide"),
    "square": ("is square",),
    "broad": ("is wider than high",),
}

CLAUSES: dict[str, tuple[str, ...]] = {
    "area": ("about {share} of the photo is kept", "about {share} of the photo remains"),
    "kept": ("the subject is whole", "the whole subject is kept", "all of the subject is kept"),
    "cut": ("the subject is cut", "the subject is clipped", "it cuts into the subject"),
    "reduced": (
        "about {rest} of the subject is left out",
        "about {rest} of the subject is cut",
        "about {rest} of the subject is lost",
    ),
    "lost": ("the subject is lost", "the subject is gone"),
    "placed": ("the subject stands {where}", "the subject sits {where}", "the subject rests {where}"),
    "horizontal": ("a level line carries it", "a level line runs through it"),
    "vertical": ("upright lines carry it", "upright lines stand in it"),
    "diagonal": ("slanted lines lead the eye", "slanted lines cross it", "a diagonal leads the eye"),
    "curved": ("a curve leads through it", "a long curve leads the eye"),
    "triangle": ("a triangle carries it", "a triangle stands in it"),
    "symmetric": ("its two sides mirror each other", "both sides mirror each other", "a symmetry carries it"),
    "pattern": ("a pattern carries it", "a motif repeats in it"),
    "level": ("its level line is level", "its level line runs straight"),
    "tilted": ("its level line tilts to the {side}", "its level line tilts down to the {side}"),
    "empty": ("about {share} of the frame is empty", "about {share} of the frame is empty space"),
    "full": ("there is little empty space", "it has little empty space"),
    "balanced": ("it is well balanced", "its weight lies near the middle", "its weight is balanced"),
    "leaning": ("its weight lies {at}", "its weight sits {at}"),
    "clean": ("its border cuts nothing", "nothing is cut at its border"),
    "faces_cut": ("it cuts {count}", "it clips {count}"),
    "faces": ("{count} can be seen", "it shows {count}"),
    "upright": ("it is higher than wide", "it is taller than wide"),
    "square": ("it is square",),
    "broad": ("it is wider than high",),
}

COMPARISONS: dict[str, tuple[str, ...]] = {
    "tighter": ("is tighter than {others}", "frames tighter than {others}", "comes closer than {others}"),
    "wider": (
        "is wider than {others}",
        "keeps more of the photo than {others}",
        "is looser than {others}",
        "shows more of the photo than {others}",
    ),
    "more of the subject": ("keeps more of the subject than {others}", "holds more of the subject than {others}"),
    "larger subject": (
        "shows the subject larger than {others}",
        "has the subject larger in the frame than {others}",
        "makes the subject larger than {others}",
    ),
    "fewer cuts": ("cuts fewer things at its border than {others}", "cuts less at its border than {others}"),
    "less empty": (
        "has less empty space than {others}",
        "leaves less room than {others}",
        "is less empty than {others}",
    ),
    "emptier": ("is emptier than {others}", "gives more room than {others}", "leaves more space than {others}"),
    "better balanced": (
        "is better balanced than {others}",
        "is more balanced than {others}",
        "has a better balance than {others}",
    ),
    "stronger": ("has a stronger {element} than {others}", "shows a stronger {element} than {others}"),
}

OPENINGS = ("", "", "", "chosen because it ", "taken because it ", "it ", "it ")
KEEPING = (
    "the photo is best as it is: it ",
    "best as it is, for it ",
    "keep the photo as it is: it ",
    "nothing is gained by a crop: it ",
    "best left as it is, for it ",
)
CONCESSIONS = (", though it {fact}", ", although it {fact}", "; still, it {fact}", ", but it {fact}")


def wording(table: dict[str, tuple[str, ...]], fact: Fact, rng: Rng) -> str:
    """One of a fact's wordings."""
    options = table[fact.kind]
    return options[rng.integers(len(options))].format(**fact.words)


def listed(names: Sequence[str]) -> str:
    """Proposals by their places.

    >>> listed(["second", "fourth"]), listed(["second", "third", "fourth"])
    ('the second and fourth', 'the second, third and fourth')
    """
    *front, last = names
    return f"the {', '.join(front)} and {last}" if front else f"the {last}"
