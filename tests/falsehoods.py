"""Falsehoods planted by systematic edits: (kind, situation, rationale), each false by the geometry that was drawn.

What is true is computed here from the drawn shapes alone, never with the verifier's own measures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.geometry import Box
from crop_reasoning.reasoning.rationale import Decision, Element, Rationale
from tests.paraphrases import PARAPHRASES
from tests.rationale_scenes import DISC_CROPS, Situation, situation

Planted = tuple[str, Situation, Rationale]
ORDINALS = ("first", "second", "third", "fourth", "fifth")
SUBJECT_AT = {0: (1 / 3, 1 / 3), 1: (0.5, 0.5), 4: (0.30, 0.40)}
"""Where the disc's center lies in those of `DISC_CROPS` that hold it."""
_LINES = {"left third": (0, 1 / 3), "right third": (0, 2 / 3), "upper third": (1, 1 / 3), "lower third": (1, 2 / 3)}
_HALVES = {"left": (0, 0.25), "right": (0, 0.75), "upper": (1, 0.25), "lower": (1, 0.75)}
PLACE_WORDS = (
    "subject {}",
    "The subject stands on the {}.",
    "Places the main subject along the {}",
    "a warm evening mood, with the subject on the {}",
    "the subject sits neatly on the {} line",
)
HALF_WORDS = ("The subject lies in the {} half of the frame", "the subject stands on the {} side")
CENTERED = ("The subject is centered.", "Centers the subject in the frame", "the subject stands in the middle")
AREA_WORDS = {
    -1: ("tighter than the {}", "It is smaller than the {}.", "This crop keeps less of the photo than the {}"),
    1: ("wider than the {}", "It is looser than the {} proposal.", "This crop keeps more of the photo than the {}"),
}
KEPT_WORDS: tuple[tuple[str, frozenset[int]], ...] = (
    ("keeps the whole subject", frozenset({0, 1, 4})),
    ("holds all of the subject", frozenset({0, 1, 4})),
    ("the subject remains intact", frozenset({0, 1, 4})),
    ("it never cuts the subject", frozenset({0, 1, 3, 4})),
    ("cuts the subject", frozenset({2})),
    ("the subject is clipped", frozenset({2})),
    ("keeps about 70 % of the subject", frozenset({2})),
    ("loses the subject", frozenset({3})),
    ("leaves out the subject", frozenset({3})),
    ("the subject is left out", frozenset({3})),
    ("does not lose the subject", frozenset({0, 1, 2, 4})),
    ("does not keep the whole subject", frozenset({2, 3})),
)


def placed_words(true: bool) -> Iterator[tuple[int, str]]:
    """(crop, words) about where the disc stands that are true, or false by more than any tolerance."""
    for crop, point in SUBJECT_AT.items():
        for words, (axis, line) in _LINES.items():
            if abs(point[axis] - line) < 0.05 if true else abs(point[axis] - line) > 0.12:
                yield from ((crop, form.format(words)) for form in PLACE_WORDS)
        for words, (axis, middle) in _HALVES.items():
            if abs(point[axis] - 0.5) > 0.08 and (abs(point[axis] - middle) < 0.25) == true:
                yield from ((crop, form.format(words)) for form in HALF_WORDS)
        if (max(abs(value - 0.5) for value in point) < 0.05) == true:
            yield from ((crop, words) for words in CENTERED)


def compared_words(true: bool) -> Iterator[tuple[int, str]]:
    """(decided crop, words) that compare its area with another's, and superlatives."""
    areas = [crop.area for crop in DISC_CROPS]
    for own, other in permutations(range(5), 2):
        if own == 4 or abs(areas[own] - areas[other]) < 0.04:
            continue
        sign = 1 if areas[own] > areas[other] else -1
        for form in AREA_WORDS[sign if true else -sign]:
            yield own, form.format(ORDINALS[other])
    tightest = areas.index(min(areas))
    for own in range(4):
        if (own == tightest) == true:
            yield from (
                (own, words) for words in ("the tightest of all", "It is the tightest crop", "the smallest of the five")
            )
        if not true:
            yield from ((own, words) for words in ("the widest", "It keeps the most of the photo"))


def kept_words(true: bool) -> Iterator[tuple[int, str]]:
    for words, where in KEPT_WORDS:
        yield from ((crop, words) for crop in range(5) if (crop in where) == true)


def disc_with(crop: int, words: str) -> Planted:
    base = situation("thirds")
    return ("", base, base.reasoned(crop, words))


def disc_decided(crop: int, why: str) -> Planted:
    base = situation("thirds")
    return ("", base, replace(base.rationale, decision=Decision(DISC_CROPS[crop], why)))


def reasons(true: bool) -> Iterator[Planted]:
    """Words about single crops as their reasons, and about crops by their places in the why."""
    for words in (*placed_words(true), *kept_words(true)):
        yield ("reason of a crop", *disc_with(*words)[1:])
    for crop, words in kept_words(true):
        if words.startswith(("keeps", "holds", "cuts", "loses", "leaves out", "does not")):
            yield ("said of an ordinal", *disc_decided(0, f"The {ORDINALS[crop]} crop {words}.")[1:])
    for crop, words in compared_words(true):
        yield ("comparison", *disc_decided(crop, words)[1:])


def moved_reasons() -> Iterator[Planted]:
    """A crop's true reason at another crop."""
    base = situation("thirds")
    for one, other in permutations(range(5), 2):
        words = base.rationale.proposals[one].reason
        if not (one == 4 and other == 0):
            yield "reason of another crop", base, base.reasoned(other, words)


def shares() -> Iterator[Planted]:
    for crop, box in enumerate(DISC_CROPS[:4]):
        for wrong in (10, 20, 55, 65, 75, 90):
            if abs(wrong / 100 - box.area) > 0.12:
                yield ("share", *disc_with(crop, f"keeps about {wrong} % of the photo")[1:])
                yield ("share", *disc_with(crop, f"It removes {100 - wrong} percent of the original")[1:])


def geometry() -> Iterator[Planted]:
    """Boxes, lines and points of the analysis that are elsewhere; elements that are not there."""
    base = situation("thirds")
    assert base.drawn
    width, height = base.drawn.width, base.drawn.height
    for x, y in ((0.5, 0.4), (0.3, 0.6), (0.7, 0.7), (0.05, 0.05), (0.8, 0.2), (0.45, 0.55)):
        moved = Box(x, y, x + width, y + height)
        yield "subject moved", base, replace(base.rationale, subject=moved)
    yield "subject denied", base, replace(base.rationale, subject=None)
    nothing = situation("horizon")
    yield "subject invented", nothing, replace(nothing.rationale, subject=Box(0.4, 0.1, 0.6, 0.3))
    for name, shown in (
        ("thirds", {"rule of thirds", "golden ratio", "center", "symmetric"}),
        ("horizon", {"horizontal", "symmetric"}),
    ):
        scene = situation(name)
        for element in sorted(set(ELEMENTS) - shown):
            for extra in ({}, {"line": (0.1, 0.2, 0.9, 0.7)}, {"point": (0.6, 0.6)}, {"box": Box(0.2, 0.2, 0.8, 0.8)}):
                invented = Element(element, "it is there", **extra)  # type: ignore[arg-type]
                yield "element invented", scene, replace(scene.rationale, elements=(invented,))
            served = [replace(each, serves=(*each.serves, element)) for each in scene.rationale.proposals]
            yield "element not served", scene, replace(scene.rationale, proposals=tuple(served))
    for line in (
        (0.0, 0.3, 1.0, 0.3),
        (0.0, 0.8, 1.0, 0.8),
        (0.0, 0.4, 1.0, 0.64),
        (0.5, 0.0, 0.5, 1.0),
        (0.0, 0.64, 1.0, 0.4),
    ):
        moved_line = Element("horizontal", "a horizon", line=line)
        yield "element moved", nothing, replace(nothing.rationale, elements=(moved_line,))
    lines = situation("lines")
    for point in ((0.1, 0.9), (0.9, 0.2), (0.5, 0.8), (0.2, 0.3)):
        yield (
            "element moved",
            lines,
            replace(lines.rationale, elements=(Element("diagonal", "they meet", point=point),)),
        )
    mirror = situation("mirror")
    for x in (0.2, 0.35, 0.7, 0.85):
        axis = Element("symmetric", "an axis", line=(x, 0.0, x, 1.0))
        yield "element moved", mirror, replace(mirror.rationale, elements=(axis,))
    yield "unknown element", base, replace(base.rationale, elements=(Element("fibonacci", "a spiral"),))


def decisions() -> Iterator[Planted]:
    base = situation("thirds")
    for box in (Box(0.1, 0.2, 0.7, 0.85), Box(0.2, 0.2, 0.8, 0.9), Box(0.0, 0.0, 0.5, 0.5)):
        yield "decision not proposed", base, replace(base.rationale, decision=Decision(box, "the subject is kept"))
    for crop in range(4):
        for why in (
            "The photo is best as it is.",
            "keep the whole frame",
            "Nothing to gain by cropping",
            "No crop improves on the original.",
            "The original framing is kept",
            "I keep it as it is.",
            "best left uncropped",
        ):
            yield ("keep said of a crop", *disc_decided(crop, why)[1:])
    for why in ("The subject is on the left third.", "tighter than the first", "a calm picture"):
        yield ("whole frame without a word of it", *disc_decided(4, why)[1:])
    for word in ("sixth", "proposal 7", "fifth option and the sixth"):
        yield ("no such proposal", *disc_decided(0, f"tighter than the {word}")[1:])


_NEGATED = (
    (r"\bkeeps\b", "does not keep"), (r"\bKeeps\b", "Does not keep"), (r"\bsits\b", "does not sit"),
    (r"\bis placed\b", "is not placed"), (r"\bstands\b", "does not stand"), (r"\brests\b", "does not rest"),
    (r"\bdoes not\b", "does"), (r"\bPreserves\b", "Never preserves"), (r"\bRetains\b", "Fails to retain"),
    (r"\bis the only\b", "is not the only"), (r"\bruns\b", "does not run"), (r"\bA level\b", "Not a level"),
    (r"\bStrong\b", "No"), (r"\bspans\b", "does not span"), (r"\bare kept\b", "are not kept"), (r"^A ", "No "),
    (r"\bis perfectly\b", "is not"), (r"\bis tighter\b", "is not tighter"), (r"\bremains\b", "does not remain"),
)  # fmt: skip
_SWAPPED = (
    ("left", "right"), ("upper", "lower"), ("tighter", "wider"), ("whole", "half"), ("intact", "cut"),
    ("lower third", "upper third"), ("level", "tilted"), ("below", "above"), ("horizon", "triangle"),
    ("curve", "triangle"), ("pattern", "mirror symmetry"), ("triangle", "pattern"), ("vertical", "curved"),
    ("larger", "smaller"), ("fourth", "second"), ("third proposal", "second proposal"), ("Two", "Three"),
    ("both", "four"), ("centered", "on the left third"), ("the middle", "the upper third"), ("leading lines", "curves"),
    ("symmetry", "pattern"), ("mirror", "do not mirror"), ("diagonal", "vertical"), ("cut", "kept"),
)  # fmt: skip
_STILL_TRUE = (
    "negative space below", "space to breathe", "trims the empty",
    "Left and right", "left and right", "full width", "diagonals", "No crop", "whole image", "whole picture",
    "A wide crop", "full frame leaves", "whole frame leaves", "Several lines",
)  # fmt: skip
"""Marks of sentences that say the same after an edit, or say something nobody can check."""


def edited_paraphrases() -> Iterator[tuple[str, str, str, Situation, Rationale]]:
    """(kind, sentence, edited, ...): the true paraphrases, denied or with one word swapped for its opposite."""
    for key, sentences in PARAPHRASES.items():
        name, place = key.split("/")
        base = situation(name)
        for sentence in sentences:
            if any(mark in sentence for mark in _STILL_TRUE):
                continue
            for pattern, words in _NEGATED:
                if re.search(pattern, sentence):
                    edited = re.sub(pattern, words, sentence, count=1)
                    yield "negation flipped", sentence, edited, base, base.said(place, edited)
            for one, other in _SWAPPED:
                if re.search(rf"\b{one}\b", sentence):
                    edited = re.sub(rf"\b{one}\b", other, sentence)
                    yield "word swapped", sentence, edited, base, base.said(place, edited)


def aspects() -> Iterator[tuple[str, Situation, tuple[int, int]]]:
    """Ratios that the decided box does not have."""
    for name in ("thirds", "upright", "horizon"):
        for aspect in ((1, 1), (16, 9), (3, 4), (2, 3), (5, 1)):
            yield "aspect asked", situation(name), aspect


def planted() -> list[Planted]:
    found = [*reasons(False), *moved_reasons(), *shares(), *geometry(), *decisions()]
    return [*found, *((kind, base, answer) for kind, _, _, base, answer in edited_paraphrases())]
