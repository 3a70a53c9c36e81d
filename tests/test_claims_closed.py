"""The claim language fails closed: what it does not understand is refused, what measures nothing passes."""

from __future__ import annotations

import pytest

from crop_reasoning.verification.claims import NOT_UNDERSTOOD, claims
from crop_reasoning.verification.lexicon import tokens
from crop_reasoning.verification.verify import verify
from tests.rationale_scenes import situation

UNFORESEEN = (
    "the subject spurns the left third",
    "the subject would stand on the left third",
    "if the subject stood on the left third it would be calm",
    "the subject almost, but not, on the left third",
    "far from the left third stands the subject",
    "the subject moves away from the left third",
    "instead of the left third, the subject has the middle",
    "it is false that the subject stands on the left third",
    "supposedly the subject stands on the left third",
    "the left third shuns the subject",
    "the subject hardly stands on the left third",
    "the subject is nowhere near the left third",
    "the left third is where the subject used to be",
    "a subject twice as large as in the second",
    "the subject is three times wider than the face",
    "the second crop is to the first as the third to the fourth",
    "the former is tighter than the latter",
    "option b is tighter",
    "between the second and the third in size",
    "tighter by 17 percent than its width",
    "the ratio of subject to space is golden",
    "the border shaves the subject's left ear off",
    "the left third of the subject is blue",
    "the diagonal of the subject meets the horizon at 30 degrees",
    "the horizon bisects the subject",
    "the subject overlaps the horizon at the right third",
    "its weight tilts the vertical balance toward the horizon's left",
    "the pattern breaks at the lower third",
    "weak symmetry",
    "a hint of symmetry",
    "the symmetry is broken by the subject",
    "robbed of its symmetry",
    "devoid of symmetry",
    "the crop sacrifices the symmetry",
    "the curve is interrupted",
    "it disrupts the rule of thirds",
    "it breaks the rule of thirds",
    "roomy on the left, cramped on the right",
    "a spacious crop",
    "the widest margin of the third kind",
    "left, right and center",
    "upper",
    "a third",
    "12 percent",
    "more than half",
    "half as wide",
    "the horizon, low",
    "the eye travels from left to right",
    "above the second",
    "the face to the left of the subject",
    "the faces line up on a diagonal",
    "every other crop but the third cuts it",
    "not only the second cuts the subject",
    "all but the third cut the subject",
    "the subject is neither left nor right",
    "no crop but this keeps the subject",
    "it keeps nothing of the subject but its shadow",
    "the left edge grazes the subject",
    "the subject kisses the border on the right",
    "the whole is more than its parts in thirds",
)
"""Sentences with measurable vocabulary in forms that no rule was written for."""

COLOR = (
    "warm evening light",
    "a quiet, minimal mood",
    "The red boat glows against deep blue water.",
    "soft shadows and a gentle haze",
    "It feels calm and timeless.",
    "The light is not harsh.",
    "without clutter or noise",
    "a sense of mystery",
    "rich texture in the sand",
    "The scene feels more intimate.",
    "a dreamy, painterly look",
    "nothing distracts the eye",
    "golden evening sun",
    "",
    "...",
    "crisp detail; muted colors!",
    "a lone dog waits",
    "two boats and three gulls",
    "keeps the boat and its reflection",
    "trims the distracting sign",
    "the old man smiles",
    "the eye wanders through the fog",
    "everything feels deliberate",
    "The photograph breathes.",
    "quiet, honest, unhurried",
)


@pytest.mark.parametrize("words", UNFORESEEN)
def test_measurable_words_in_an_unforeseen_form_are_refused(words: str) -> None:
    base = situation("thirds")
    assert not verify(base.said("reason", words), base.measured).ok


@pytest.mark.parametrize("words", COLOR)
def test_free_color_passes(words: str) -> None:
    base = situation("thirds")
    verdict = verify(base.said("reason", words), base.measured)
    assert verdict.contradictions == ()


def test_a_sentence_without_end_is_refused_and_costs_nothing() -> None:
    [claim] = claims("the subject stands on the left third and " * 2000)
    assert claim.kind == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The subject doesn't sit on the left-hand third.", "the subject does not sit on the left third"),
        ("keeps 36% of the photo", "keeps thirty-six per cent of the photograph"),
        ("the subject is centred", "the subject is centered"),
        ("a 4:5 crop", "a 4-by-5 crop"),
        ("tighter than the 2nd", "tighter than the second"),
        ("tighter than proposal 2", "tighter than the second proposal"),
        ("the horizon is 3° off", "the horizon is 3 degrees off"),
    ],
)
def test_ways_of_writing_one_thing_are_one_thing(one: str, other: str) -> None:
    assert tokens(one.rstrip(".")) == tokens(other)


def test_a_claim_says_where_it_stands_and_what_is_true_instead() -> None:
    base = situation("thirds")
    [found] = verify(
        base.reasoned(1, "a calm mood. The subject sits on the right third."), base.measured
    ).contradictions
    assert (found.kind, found.where) == ("place", "proposals[1].reason")
    assert found.claim == "The subject sits on the right third"
    assert "0.50, 0.50" in found.measured
