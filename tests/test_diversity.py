"""How varied the words of answers are, in figures that can be worked out by hand."""

from __future__ import annotations

import pytest

from crop_reasoning.authors.diversity import diversity, template, texts
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale

CROP = Box(0, 0, 0.5, 0.5)


def answer(why: str, *evidence: str) -> Rationale:
    elements = tuple(Element("horizontal", words) for words in evidence)
    return Rationale(None, elements, (Proposal(CROP, (), "a b"), Proposal(WHOLE, (), "a b")), Decision(CROP, why))


def test_figures_of_two_answers_by_hand():
    figures = diversity([answer("a b c", "a level line"), answer("a b d")])
    assert figures["answers"] == 2
    assert figures["distinct-1"] == pytest.approx(6 / 17, abs=1e-4)  # a b c d level line of 10 + 7 words
    assert figures["distinct-2"] == pytest.approx(5 / 10, abs=1e-4)  # a-b b-c b-d a-level level-line
    assert (figures["words mean"], figures["words sd"]) == (8.5, 1.5)
    assert figures["top template"] == pytest.approx(4 / 7, abs=1e-4)
    assert figures["top why"] == 0.5
    assert (figures["names horizontal"], figures["names curved"]) == (0.5, 0)


def test_nothing_has_no_figures():
    assert diversity([]) == {}


def test_templates_forget_numbers_places_and_names():
    one = template("Tighter than the second and third, a curve on the left third, rule of thirds, 83 %")
    other = template("tighter than the first and fourth, a curve on the right third, golden ratio, 9 %")
    assert one == other
    assert template("wider than the first") != template("tighter than the first")


def test_texts_are_all_that_is_written_in_words():
    assert texts(answer("why", "seen")) == ["seen", "a b", "a b", "why"]
