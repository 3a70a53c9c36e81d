"""Coordinate mode, pairs, and the figures beside IoU and Disp: hand-computed cases and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.coordinate import acc_box, acc_box_label, best_rated
from crop_reasoning.evaluation.metrics import (
    BoxScore,
    aspect_error,
    by_annotator,
    displacement,
    is_subject_cut,
    keep_accuracy,
    oracle_at_k,
    score_box,
    score_many,
    subject_kept,
)
from crop_reasoning.evaluation.pairs import is_equal_size, pair_figures, pair_value
from crop_reasoning.evaluation.preference import PairOutcome
from crop_reasoning.geometry import WHOLE, Box, centered, from_xyxy_px, iou
from crop_reasoning.records import Pair
from tests.strategies import boxes

GRID = [from_xyxy_px(values, (100, 100)) for values in ([0, 0, 80, 80], [0, 0, 90, 80], [20, 20, 100, 100])]
maybe = st.none() | boxes()


def mirrored(box: Box) -> Box:
    return Box(1 - box.x2, box.y1, 1 - box.x1, box.y2)


# --- coordinate mode -------------------------------------------------------------------------------------------------


def test_a_box_is_a_hit_if_it_reaches_the_threshold_with_any_of_the_best_rated() -> None:
    box = from_xyxy_px([0, 0, 80, 72], (100, 100))  # IoU .9 exactly with the first, .8 with the second
    mos = [4.0, 3.0, 2.0]
    assert acc_box([box], GRID, mos, k=1, top=1, epsilon=0.9) == 1.0
    assert acc_box([box], GRID, mos, k=1, top=1, epsilon=0.901) == 0.0
    assert acc_box([box], GRID, [3.0, 4.0, 2.0], k=1, top=1, epsilon=0.85) == 0.0


def test_tie_inclusive_takes_every_crop_that_ties_with_the_last_and_exactly_n_the_first_of_them() -> None:
    box, mos = GRID[2], [4.0, 4.0, 4.0]
    assert acc_box([box], GRID, mos, k=1, top=1, epsilon=0.9) == 1.0
    assert acc_box([box], GRID, mos, k=1, top=1, epsilon=0.9, rule="exactly N") == 0.0


def test_a_failed_answer_and_boxes_never_given_are_misses() -> None:
    mos = [4.0, 3.0, 2.0]
    assert acc_box([None, GRID[0]], GRID, mos, k=2, top=1, epsilon=0.9) == 0.5
    assert acc_box([GRID[0]], GRID, mos, k=4, top=1, epsilon=0.9) == 0.25
    assert acc_box([], GRID, mos, k=1, top=5, epsilon=0.9) == 0.0


def test_a_coordinate_figure_has_a_name_of_its_own_with_rule_and_threshold() -> None:
    assert acc_box_label(1, 10, 0.85, "exactly N") == "AccBox_{1/10}@0.85 (boxes, exactly N, IoU ≥ 0.85)"


def test_no_rated_candidate_is_refused() -> None:
    with pytest.raises(DataError, match="expected at least one of each"):
        best_rated([], 5)


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs_ties_half_and_ties_wrong_are_two_figures() -> None:
    figures = pair_figures([0.5, 0.0, -0.1, None], [True, True, False, False])
    assert (figures.accuracy, figures.ties_wrong) == (0.375, 0.25)
    assert (figures.equal_size, figures.n_equal_size) == (0.75, 2)
    assert (figures.n, figures.n_ties, figures.n_failed) == (4, 1, 1)
    assert "one order, ties half" in figures.label


def test_always_the_first_crop_is_worth_a_half_in_both_orders() -> None:
    first = [1.0, -1.0, -1.0]  # the preferred crop stands first once in three
    figures = pair_figures(first, [False] * 3, swapped=[-margin for margin in first])
    assert figures.accuracy == 0.5
    assert figures.consistent == 0.0
    assert figures.equal_size is None
    assert pair_figures(first, [False] * 3).accuracy == pytest.approx(1 / 3)


@given(st.none() | st.floats(-5, 5))
def test_a_pair_has_one_definition_here_and_in_preference_accuracy(margin: float | None) -> None:
    assert PairOutcome("a", margin, equal_size=False).value == pair_value(margin)


def test_pairs_of_equal_size_differ_by_a_hundredth_at_most() -> None:
    assert is_equal_size(Pair("a", Box(0, 0, 1, 0.5), Box(0, 0.0049, 1, 0.5), 1.0))
    assert not is_equal_size(Pair("a", Box(0, 0, 1, 0.5), Box(0, 0.0051, 1, 0.5), 1.0))


@pytest.mark.parametrize(("margins", "sizes"), [([], []), ([1.0], []), ([1.0], [True, True])])
def test_pairs_that_do_not_fit_together_are_refused(margins: list[float], sizes: list[bool]) -> None:
    with pytest.raises(DataError, match="as many of each"):
        pair_figures(margins, sizes)


# --- boxes -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(maybe, st.lists(boxes(), min_size=1, max_size=4)), min_size=1, max_size=8))
def test_many_boxes_score_as_one_by_one(photos: list[tuple[Box | None, list[Box]]]) -> None:
    given_boxes = np.array([box.xyxy if box else [np.nan] * 4 for box, _ in photos])
    truths = np.array([truth.xyxy for _, its in photos for truth in its])
    found = score_many(given_boxes, truths, [len(its) for _, its in photos])
    single = [score_box(box, its) for box, its in photos]
    assert found.iou.tolist() == pytest.approx([s.iou for s in single], abs=1e-9)
    assert found.disp.tolist() == pytest.approx([s.disp for s in single], abs=1e-9)
    assert found.recall() == np.mean([s.recalled for s in single])


def test_recall_at_another_threshold() -> None:
    found = score_many(np.array([[0, 0, 0.9, 1.0], [0, 0, 0.5, 1.0]]), np.array([WHOLE.xyxy] * 2), [1, 1])
    assert (found.recall(0.5), found.recall(0.9), found.recall(0.95)) == (1.0, 0.5, 0.0)


def test_an_image_without_truth_is_refused_and_not_averaged() -> None:
    with pytest.raises(DataError, match="leave images without ground truth out"):
        score_many(np.zeros((2, 4)), np.zeros((1, 4)), [1, 0])


@given(boxes(), st.lists(boxes(), min_size=1, max_size=3))
def test_scores_are_in_range_and_alike_in_the_mirror(box: Box, truths: list[Box]) -> None:
    score = score_box(box, truths)
    assert 0 <= score.iou <= 1 + 1e-12
    assert 0 <= score.disp <= 1
    other = score_box(mirrored(box), [mirrored(truth) for truth in reversed(truths)])
    assert other.iou == pytest.approx(score.iou, abs=1e-7)


def test_each_annotator_has_a_figure_of_its_own() -> None:
    truths = [Box(0, 0, 0.5, 1), Box(0, 0, 1, 1)]
    assert by_annotator(WHOLE, truths) == (BoxScore(0.5, 0.125), BoxScore(1.0, 0.0))
    assert by_annotator(None, truths)[1] == BoxScore(0.0, 0.0)


def test_an_oracle_takes_the_best_of_the_first_k_only() -> None:
    proposals = [None, centered(0.5), WHOLE]
    assert oracle_at_k(proposals, [WHOLE], 2).iou == 0.25
    assert oracle_at_k(proposals, [WHOLE], 3).iou == 1.0
    assert oracle_at_k([], [centered(0.5)], 4) == score_box(None, [centered(0.5)])


def test_a_subject_is_kept_cut_or_lost() -> None:
    subject = Box(0.4, 0.4, 0.6, 0.6)
    shares = [subject_kept(box, subject) for box in (WHOLE, Box(0, 0, 0.5, 1), Box(0, 0, 0.4, 1), None)]
    assert shares == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert [is_subject_cut(box, subject) for box in (WHOLE, Box(0, 0, 0.598, 1), Box(0, 0, 0.59, 1), None)] == [
        False, False, True, True,
    ]  # fmt: skip


def test_aspect_error_is_a_log_ratio_in_pixels() -> None:
    wh = (200, 100)
    assert aspect_error(WHOLE, (2, 1), wh) == pytest.approx(0)
    assert aspect_error(Box(0, 0, 0.5, 1), (2, 1), wh) == pytest.approx(np.log(2))
    assert aspect_error(None, (1, 1), wh) == pytest.approx(np.log(2))  # the whole frame is twice too wide


def test_keeping_is_judged_apart_on_photos_to_keep_and_to_crop() -> None:
    found = keep_accuracy([True, True, False, None], [True, False, False, False])
    assert (found.accuracy, found.kept, found.n_keep) == (0.5, 1.0, 1)
    assert found.cropped == pytest.approx(1 / 3)
    assert keep_accuracy([False], [False]).kept is None
    with pytest.raises(DataError, match="as many of each"):
        keep_accuracy([], [])


@given(boxes(), boxes())
def test_iou_and_disp_are_symmetric_and_perfect_only_on_the_same_box(a: Box, b: Box) -> None:
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert displacement(a, b) == displacement(b, a)
    assert displacement(a, a) == 0
