"""The verifier: what is true passes, whatever is planted is caught, what nobody understands is refused."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crop_reasoning.authors.boxes import author_rationale
from crop_reasoning.composition.analysis import Measured, measure
from crop_reasoning.composition.subject import detectors
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale
from crop_reasoning.verification.verify import Verdict, verify
from tests.false_paraphrases import FALSE, UNSEEN
from tests.falsehoods import aspects, edited_paraphrases, planted, reasons
from tests.paraphrases import FRESH, PARAPHRASES
from tests.rationale_scenes import SITUATIONS, situation
from tests.strategies import free_rationales, texts
from tests.test_claims import authored

needs_networks = pytest.mark.skipif("u2netp" not in detectors(), reason="the subjects extra is not installed")
pytestmark = needs_networks
TINY = Measured((1, 1), (1, 1))


def kinds(verdict: Verdict) -> set[str]:
    return {each.kind for each in verdict.contradictions}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_true_rationale_passes(name: str) -> None:
    verdict = verify(situation(name).rationale, situation(name).measured)
    assert verdict.contradictions == ()
    assert verdict.claims >= 5


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[str, Rationale, Verdict]]:
    """Of every planted falsehood: its kind, the rationale, what the verifier says."""
    return [(kind, answer, verify(answer, base.measured)) for kind, base, answer in planted()]


def test_every_planted_falsehood_is_caught(verdicts: list[tuple[str, Rationale, Verdict]]) -> None:
    missed = [(kind, answer) for kind, answer, verdict in verdicts if verdict.ok]
    caught = Counter(kind for kind, *_ in verdicts)
    assert missed == []
    assert sum(caught.values()) >= 300
    assert len(caught) >= 15
    assert min(caught[kind] for kind in ("comparison", "share", "said of an ordinal", "negation flipped")) >= 20


def test_falsehoods_are_caught_for_what_they_say_not_for_want_of_understanding(
    verdicts: list[tuple[str, Rationale, Verdict]],
) -> None:
    """All but edited prose: there a denial may be put in words that nobody understands."""
    blind = Counter(
        kind
        for kind, _, verdict in verdicts
        if kind not in ("negation flipped", "word swapped", "no such proposal") and kinds(verdict) == {"not_understood"}
    )
    assert blind == {}


@pytest.mark.parametrize("key", sorted({*FALSE, *UNSEEN}))
def test_falsehoods_in_free_prose_are_caught(key: str) -> None:
    name, place = key.split("/")
    base = situation(name)
    sentences = (*FALSE.get(key, ()), *UNSEEN.get(key, ()))
    assert [words for words in sentences if verify(base.said(place, words), base.measured).ok] == []


def test_a_ratio_that_was_asked_for_is_checked_in_pixels() -> None:
    for _, base, aspect in aspects():
        assert "aspect_asked" in kinds(verify(base.rationale, base.measured, aspect=aspect))
    square = replace(situation("thirds").rationale, decision=Decision(Box(0.1, 0.2, 0.5, 0.8), ""), proposals=())
    assert verify(square, situation("thirds").measured, aspect=(1, 1)).ok
    nearly = replace(square, decision=Decision(Box(0.1, 0.2, 0.5, 0.806), ""))
    assert not verify(nearly, situation("thirds").measured, aspect=(1, 1)).ok


def test_the_true_counterparts_of_planted_falsehoods_pass() -> None:
    """The same forms of words, true this time: at least 60 wordings, no false alarm."""
    alarms = [
        found.contradictions for _, base, answer in reasons(True) if not (found := verify(answer, base.measured)).ok
    ]
    wordings = {p.reason for _, _, answer in reasons(True) for p in answer.proposals}
    wordings |= {answer.decision.why for _, _, answer in reasons(True)}
    assert alarms == []
    assert len(wordings) >= 60


def rate(sentences: dict[str, tuple[str, ...]]) -> tuple[float, float]:
    """The shares of true sentences that are understood, and of those understood that are called false."""
    verdicts = [
        kinds(
            verify(situation(key.split("/")[0]).said(key.split("/")[1], words), situation(key.split("/")[0]).measured)
        )
        for key, several in sentences.items()
        for words in several
    ]
    understood = [found for found in verdicts if "not_understood" not in found]
    return len(understood) / len(verdicts), sum(bool(found) for found in understood) / len(understood)


def test_most_true_prose_is_understood_and_hardly_any_called_false() -> None:
    understood, false_alarms = rate(PARAPHRASES)
    assert understood >= 0.95
    assert false_alarms <= 0.02
    understood, false_alarms = rate(FRESH)
    assert understood >= 0.7
    assert false_alarms <= 0.08


def test_the_words_of_the_boxes_author_are_true_where_its_subject_is_measured() -> None:
    base = situation("thirds")
    assert base.drawn
    checked = 0
    for index in range(60):
        record, first, second, _ = authored(index)
        for answer in author_rationale(
            replace(record, subject=base.drawn), (first, second), np.random.default_rng(index)
        ):
            texts_only = [c for c in verify(answer, base.measured).contradictions if c.kind != "keep_unsaid"]
            assert texts_only == []
            checked += 1
    assert checked == 120


def test_an_answer_that_keeps_the_photo_says_so() -> None:
    base = situation("pattern")
    assert "keep_unsaid" in kinds(verify(base.said("why", "a calm picture"), base.measured))
    for why in (
        "best as it is",
        "keep the whole frame",
        "No need to crop.",
        "widest of all, nothing to gain by cropping",
    ):
        assert verify(base.said("why", why), base.measured).ok, why


@settings(max_examples=40, deadline=None)
@given(free_rationales, st.sampled_from([None, (4, 5), (1, 1)]))
def test_no_rationale_makes_the_verifier_fail(answer: Rationale, aspect: tuple[int, int] | None) -> None:
    for measured in (TINY, situation("thirds").measured, situation("faces").measured):
        verdict = verify(answer, measured, aspect=aspect)
        assert len(verdict.contradictions) <= verdict.claims


WORDS = """the first second third fourth others whole frame photo subject horizon face faces two 40 % keeps cuts loses
left right upper lower third center tighter wider than not no neither only and , empty space weight balanced pattern
symmetry line lines vanishing point lead to is stands on in of 4:5 half degrees tilts more most less unlike while it
nothing"""


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join) | texts)
def test_no_words_make_the_verifier_fail(words: str) -> None:
    for place in ("reason", "why"):
        verify(situation("thirds").said(place, words), situation("thirds").measured)
    empty = Rationale(None, (Element("", words),), (Proposal(WHOLE, (words,), words),), Decision(WHOLE, words))
    verify(empty, TINY)


def test_a_verification_costs_little_beside_the_analysis_of_its_boxes() -> None:
    base = situation("thirds")
    verify(base.rationale, base.measured)
    costs = []
    for _ in range(5):
        start = time.perf_counter()
        verify(base.rationale, base.measured)
        costs.append(time.perf_counter() - start)
    assert min(costs) < 0.25


def test_nothing_is_claimed_of_a_photo_without_measures() -> None:
    blank = measure(np.full((8, 8, 3), 200, np.uint8))
    answer = Rationale(None, (), (Proposal(WHOLE, (), "the whole frame"),), Decision(WHOLE, "best as it is"))
    assert verify(answer, blank).ok
    assert "subject_invented" in kinds(verify(replace(answer, subject=Box(0.2, 0.2, 0.5, 0.5)), blank))


def test_edited_prose_counts() -> None:
    assert len({edited for _kind, _sentence, edited, _base, _answer in edited_paraphrases()}) >= 100
