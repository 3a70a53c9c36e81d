"""Preference accuracy: box tokens after one shared prefix."""

from __future__ import annotations

from pathlib import Path

import pytest

from crop_reasoning.errors import RecipeError
from crop_reasoning.evaluation.preference import (
    PairOutcome,
    decided_box,
    decision_prefix,
    is_equal_size,
    preference_accuracy,
    summarize,
)
from crop_reasoning.evaluation.statistics import Interval
from crop_reasoning.geometry import Box
from crop_reasoning.images import plan_image
from crop_reasoning.reasoning.rationale import DECISION_OPENING, render, render_box
from crop_reasoning.reasoning.store import read_pair_rationales
from crop_reasoning.records import Pair
from tests.answers import N_TEST, TableEngine, make_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


def test_preference_compares_both_boxes_after_one_prefix_that_holds_them(data: Path) -> None:
    engine = TableEngine(data)
    chosen_boxes = set()
    for pair, *_ in read_pair_rationales(data, "test"):
        plan = plan_image(engine.records[pair.record_id].image.wh, engine.budget)
        chosen_boxes.add((pair.record_id, render_box(pair.chosen, engine.family.codec, plan) + ',"'))
    texts = {text for _, text in chosen_boxes}
    engine.likelihood = lambda text: -1.0 if text in texts else -3.0
    found = preference_accuracy(engine, data, "test", batch_size=3)
    assert found.accuracy == Interval(1.0, 1.0, 1.0, N_TEST)
    assert found.margin is not None
    assert found.margin.mean == pytest.approx(2.0)
    assert found.equal_size is not None
    assert found.equal_size.n == N_TEST // 2
    for request in engine.seen:
        assert request.prefix.endswith(DECISION_OPENING)
        record = engine.records[request.id]
        plan = plan_image(record.image.wh, engine.budget)
        for crop in record.crops:  # both crops of the pair stand among the proposals
            assert render_box(crop.box, engine.family.codec, plan) in request.prefix


def test_the_scored_tokens_are_those_of_the_trained_text(data: Path) -> None:
    """A lone `]` is another token than the `],"` that stands there in a whole answer."""
    from tests.tiny import build_tokenizer

    tokenizer, engine = build_tokenizer(), TableEngine(data)

    def tokens(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False).input_ids

    for pair, *answers in read_pair_rationales(data, "test"):
        plan = plan_image(engine.records[pair.record_id].image.wh, engine.budget)
        for rationale in answers:
            whole = render(rationale, engine.family.codec, plan)
            scored = tokens(decision_prefix(whole) + decided_box(whole))
            assert scored == tokens(whole)[: len(scored)]
    assert len(tokens('],"')) == 1


def test_preference_ties_count_half(data: Path) -> None:
    engine = TableEngine(data)
    engine.likelihood = lambda text: -2.0
    found = preference_accuracy(engine, data, "test")
    assert found.accuracy.mean == 0.5
    assert found.n_ties == N_TEST


def test_preference_counts_pairs_of_unreadable_photos_as_wrong(data: Path) -> None:
    (data / "test04.png").unlink()
    engine = TableEngine(data)
    found = preference_accuracy(engine, data, "test", batch_size=4)
    assert found.n_failed == 1
    assert found.accuracy.n == N_TEST
    assert found.outcomes[4] == PairOutcome("test04", None, False)
    assert found.outcomes[4].value == 0


def test_preference_needs_an_engine_that_scores_text(data: Path) -> None:
    class Remote(TableEngine):
        score_continuations = None  # type: ignore[assignment]

    with pytest.raises(RecipeError, match="local model"):
        preference_accuracy(Remote(data), data, "test")


def test_equal_size_means_areas_within_one_percent() -> None:
    a = Box(0, 0, 0.5, 0.5)
    assert is_equal_size(Pair("x", a, Box(0.5, 0.5, 1, 0.998), 1.0))
    assert not is_equal_size(Pair("x", a, Box(0.5, 0.5, 1, 0.98), 1.0))


def test_summary_of_pairs_by_hand() -> None:
    found = summarize(
        [PairOutcome("a", 2.0, True), PairOutcome("a", -1.0, False), PairOutcome("b", 0.0, False)], "made test"
    )
    assert found.accuracy.mean == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.n_photos == 2
    assert found.margin is not None
    assert found.margin.mean == pytest.approx(1 / 3)
    assert found.by_pair() == {"a#0": 1.0, "a#1": 0.0, "b#2": 0.5}
    assert "n = 3 pairs of 2 photos" in found.protocol
