"""The measured author: what it says was measured, and nothing but the decision tells a pair's answers apart."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crop_reasoning.authors import phrases as measured_phrases
from crop_reasoning.authors.facts import differences, facts, known, place_words, view
from crop_reasoning.authors.measured import PROPOSALS, author_rationales
from crop_reasoning.authors.phrases import (
    CLAUSES,
    COMPARISONS,
    CONCESSIONS,
    EVIDENCE,
    KEEPING,
    OPENINGS,
    PREDICATES,
)
from crop_reasoning.codecs import thousandths
from crop_reasoning.composition.analysis import Measured, measure
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.geometry import WHOLE, Box, fit_aspect, from_xyxy_px, iou
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.rationale import DECISION_OPENING, Parsed, Rationale, parse, render
from crop_reasoning.records import CropRecord, ImageRef
from crop_reasoning.verification.claims import claims
from crop_reasoning.verification.verify import verify
from tests.composition_scenes import NONE, scene
from tests.strategies import boxes

PLAN = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")
EMPTY = Measured((400, 300), (400, 300))
"""A photo in which nothing stands out: cheap enough for thousands of answers."""


@cache
def photo(name: str, seed: int = 0) -> Measured:
    return measure(scene(name, seed).image, neural=False)


def record(measured: Measured, subject: Box | None = None, aspect: tuple[int, int] | None = None) -> CropRecord:
    image = ImageRef("a.jpg", "0" * 64, measured.wh)
    return CropRecord("a", "test", "train", image, (), subject=subject, aspect=aspect)


def two_crops(rng: np.random.Generator) -> tuple[Box, Box]:
    first, second = (Box(*rng.uniform(0, 0.35, 2).round(6), *rng.uniform(0.6, 1, 2).round(6)) for _ in range(2))
    return first, second


def test_the_target_stands_at_every_place_among_the_proposals_equally_often():
    places: Counter[int] = Counter()
    for index in range(2000):
        rng = np.random.default_rng(index)
        target = two_crops(rng)[0]
        [answer] = author_rationales(record(EMPTY), (target,), EMPTY, rng)
        proposed = [proposal.box for proposal in answer.proposals]
        assert len(proposed) == PROPOSALS
        places[proposed.index(target)] += 1
    expected = 2000 / PROPOSALS
    chi_square = sum((places[place] - expected) ** 2 / expected for place in range(PROPOSALS))
    assert chi_square < 16.3  # 99.9 % of uniform draws, 3 degrees of freedom


@given(boxes(), boxes(), st.sampled_from(sorted(ELEMENTS)), st.integers(0, 99))
@settings(max_examples=25)
def test_the_order_of_a_pair_changes_nothing_but_the_order_of_its_answers(a: Box, b: Box, name: str, seed: int) -> None:
    measured = photo(name)
    one, other = (
        author_rationales(record(measured), pair, measured, np.random.default_rng(seed)) for pair in ((a, b), (b, a))
    )
    assert one == other[::-1]


def pair_answers(count: int) -> list[tuple[Rationale, Rationale]]:
    names, answers = [*ELEMENTS, NONE], []
    for index in range(count):
        measured, rng = photo(names[index % len(names)]), np.random.default_rng([3, index])
        first, second = author_rationales(record(measured), two_crops(rng), measured, rng)
        answers.append((first, second))
    return answers


def test_the_two_answers_of_a_pair_share_all_but_the_decision():
    for answers in pair_answers(22):
        texts = [render(answer, thousandths, PLAN) for answer in answers]
        starts = [text.index(DECISION_OPENING) for text in texts]
        assert texts[0][: starts[0]] == texts[1][: starts[1]]
        assert texts[0] != texts[1]
        assert {answer.decision.box for answer in answers} <= {proposal.box for proposal in answers[0].proposals}


def test_the_length_of_a_reason_does_not_tell_the_tighter_crop():
    """Of two crops one is tighter or emptier, and its answer has other things to say; it is not longer for that."""
    tight, wide = [], []
    for pair in pair_answers(200):
        smaller, larger = sorted(pair, key=lambda answer: answer.decision.box.area)
        tight.append(len(smaller.decision.why))
        wide.append(len(larger.decision.why))
    above = np.subtract.outer(tight, wide)
    assert abs(np.mean((above > 0) + 0.5 * (above == 0)) - 0.5) < 0.05


@pytest.mark.parametrize("name", [*ELEMENTS, NONE])
def test_nothing_that_is_said_of_a_drawn_scene_is_contradicted(name: str):
    for seed in range(2):
        measured = photo(name, seed)
        rng = np.random.default_rng(seed)
        for targets in (two_crops(rng), (WHOLE,)):
            for answer in author_rationales(record(measured), targets, measured, rng):
                verdict = verify(answer, measured)
                assert verdict.claims > 4
                assert verdict.contradictions == ()


def test_an_answer_moved_to_another_photo_is_contradicted():
    measured, other = photo("rule of thirds"), photo("symmetric")
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        [answer] = author_rationales(record(measured), two_crops(rng)[:1], measured, rng)
        found += not verify(answer, other).ok
    assert found == 10


def test_every_integer_of_an_answer_is_a_coordinate_and_it_reads_back():
    for answer, _ in pair_answers(11):
        texts = [each.evidence for each in answer.elements] + [each.reason for each in answer.proposals]
        assert not re.search(r"\d", " ".join([*texts, answer.decision.why]))
        parsed = parse(render(answer, thousandths, PLAN), thousandths, PLAN)
        assert isinstance(parsed, Parsed)
        assert not parsed.repairs


def test_proposals_are_distinct_and_have_the_ratio_that_is_asked_for():
    for index in range(20):
        measured, rng = photo(sorted(ELEMENTS)[index % 10]), np.random.default_rng(index)
        w, h = measured.wh
        target = from_xyxy_px(fit_aspect(two_crops(rng)[0], (4, 5), (w, h)), (w, h))
        [answer] = author_rationales(record(measured, aspect=(4, 5)), (target,), measured, rng)
        crops = [proposal.box for proposal in answer.proposals]
        assert len(crops) == PROPOSALS
        for place, box in enumerate(crops):
            assert box.width * w * 5 == pytest.approx(box.height * h * 4, abs=0.01)
            assert all(iou(box, other) < 0.85 for other in crops[:place])


def test_the_whole_frame_is_kept_in_plain_words_and_only_that():
    for name in ELEMENTS:
        measured = photo(name)
        for target in (WHOLE, Box(0.1, 0.2, 0.8, 0.9)):
            [answer] = author_rationales(record(measured), (target,), measured, np.random.default_rng(1))
            says = bool(re.search(r"\bas it is\b|\bnothing is gained\b", answer.decision.why))
            assert says == answer.decision.keep == target.is_whole


def test_a_subject_that_the_record_tells_is_the_one_spoken_of():
    measured, told = photo("horizontal"), Box(0.2, 0.2, 0.3, 0.4)
    [answer] = author_rationales(record(measured, told), (Box(0, 0, 0.5, 0.6),), measured, np.random.default_rng(0))
    assert answer.subject == told
    assert verify(answer, known(record(measured, told), measured)).ok
    assert known(record(measured), measured) is measured


def test_a_subject_that_fills_a_crop_is_not_gone_from_it():
    """Of a subject larger than the crop little may be kept, and yet people see nothing else in it."""
    measured = photo("rule of thirds")

    def said(subject: Box, side: float) -> str:
        found = facts(view(known(record(measured, subject), measured), Box(0.05, 0.05, 0.05 + side, 0.05 + side)))
        return found["subject"].kind if "subject" in found else ""

    assert [said(WHOLE, side) for side in (0.3, 0.5, 0.57, 0.62, 0.9)] == ["", "reduced", "reduced", "cut", "cut"]
    assert said(Box(0.6, 0.6, 0.9, 0.9), 0.45) == "lost"
    assert said(Box(0.6, 0.6, 0.9, 0.9), 0.3) == "lost"


def test_the_proposals_of_many_answers_are_of_many_kinds():
    """Among the rivals are the whole frame, crops of other shapes than the photo's, and some place the subject."""
    measured = photo("rule of thirds")
    kinds: Counter[str] = Counter()
    for seed in range(40):
        [answer] = author_rationales(record(measured), (Box(0, 0, 0.5, 0.5),), measured, np.random.default_rng(seed))
        for box in [proposal.box for proposal in answer.proposals][:]:
            kinds["whole"] += box.is_whole
            kinds["other shape"] += abs(box.width / box.height - 1) > 0.05
            if subject := measured.subjects and measured.subjects.box:
                x, y = (subject.center[0] - box.x1) / box.width, (subject.center[1] - box.y1) / box.height
                kinds["placed"] += bool(0 < x < 1 and 0 < y < 1 and place_words((x, y)))
    assert min(kinds[kind] for kind in ("whole", "other shape", "placed")) >= 5


FORMS = {
    "EVIDENCE": ("{}",),
    "PREDICATES": (
        "a wide crop that {}",
        "{} and keeps the whole subject",
        "a wide crop that {} but carries its weight at the bottom",
        "keeps the whole subject but {}",
        "the whole frame {}",
        "is tighter than the second, though it {}",
    ),
    "CLAUSES": (
        "a wide crop: {}",
        "{}, and the subject is whole",
        "the subject is whole, but {}",
        "{}; it is square",
        "{}, though it is square",
    ),
    "COMPARISONS": (
        *(f"{opening}{{}}" for opening in (*OPENINGS, *KEEPING)),
        *("{}" + concession.format(fact="cuts the subject") for concession in CONCESSIONS),
    ),
}
WORDS = {
    "where": "on the upper third line",
    "side": "left",
    "at": "on the left",
    "share": "two thirds",
    "rest": "a third",
    "span": "three quarters",
    "count": "two faces",
    "sides": "left and right",
    "others": "the second and fourth",
    "element": "level line",
}


def test_what_speaks_against_a_crop_does_not_read_as_praise():
    """'... but keeps about three quarters of the subject' was said of what is cut."""
    for wordings in (PREDICATES["reduced"], CLAUSES["reduced"]):
        assert not [each for each in wordings if re.search(r"\bke(eps|pt)\b|\bholds\b", each)]


@pytest.mark.parametrize("table", sorted(FORMS))
def test_the_verifier_understands_every_wording_in_every_form(table: str):
    for kind, options in getattr(measured_phrases, table).items():
        words = {**WORDS, "count": "five"} if kind == "leading" else WORDS
        for option, form in product(options, FORMS[table]):
            text = form.format(option.format(**words))
            found = [claim.kind for claim in claims(text)]
            assert found, text
            assert "not_understood" not in found, text


def test_every_fact_has_wordings_of_every_form_that_is_asked_of_it():
    assert PREDICATES.keys() == CLAUSES.keys()
    said, compared = set(), set()
    for name in [*ELEMENTS, NONE]:
        for seed in range(2):
            measured, rng = photo(name, seed), np.random.default_rng(seed)
            views = [view(measured, box) for box in (*two_crops(rng), WHOLE)]
            said |= {fact.kind for each in views for fact in facts(each).values()}
            compared |= {fact.kind for fact, _ in differences(views[0], views[1:]).values()}
    assert said <= PREDICATES.keys()
    assert compared <= COMPARISONS.keys()
    assert len(said) > 12
    assert len(compared) > 5
    assert all(len(options) > 1 for table in (EVIDENCE, COMPARISONS) for options in table.values())
