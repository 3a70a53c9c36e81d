"""Candidate mode: hand-computed cases, the average over all orders by brute force, and slow second implementations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.compat import huizeng
from crop_reasoning.evaluation.compat.candidates import Image
from crop_reasoning.evaluation.ranking import (
    RETURNS,
    TOPS,
    acc,
    acc_label,
    mean_ranks,
    pearson,
    rank,
    rank_report,
    spearman,
    weighted_acc,
)

values = st.integers(0, 3).map(float)
few = st.integers(1, 6).flatmap(
    lambda n: st.tuples(st.lists(values, min_size=n, max_size=n), st.lists(values, min_size=n, max_size=n))
)
many = st.integers(10, 30).flatmap(
    lambda n: st.tuples(st.lists(values, min_size=n, max_size=n), st.lists(values, min_size=n, max_size=n))
)


def arrays(given_lists: tuple[list[float], list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(given_lists[0]), np.array(given_lists[1])


# --- hand-computed ---------------------------------------------------------------------------------------------------


def test_acc_takes_all_that_tie_with_the_nth_opinion() -> None:
    mos = np.array([5.0, 4, 4, 4, 1])
    scores = np.array([1.0, 2, 3, 4, 5])  # the model's order: last one first
    # N = 2: the second opinion is 4, so four candidates are hits; K = 2 returns the worst one and one of them
    assert acc(mos, scores, 2, 2) == 0.5
    assert acc(mos, scores, 1, 2) == 0.0


def test_tied_scores_give_the_expected_value_and_not_the_file_s_luck() -> None:
    mos = np.array([1.0, 5, 1, 1])
    scores = np.array([0.5, 0.5, 0.5, 0.5])
    assert acc(mos, scores, 1, 1) == 0.25  # one hit among four that may come first
    assert acc(mos, scores, 1, 1, "file_order") == 0.0
    # one is returned for certain (a miss), one of the other three with odds 1/3 each, one of which is a hit
    assert acc(mos, np.array([9.0, 5, 5, 5]), 2, 1) == pytest.approx((0 + 1 / 3) / 2)


def test_a_constant_scorer_is_worth_a_random_one() -> None:
    mos = np.arange(20.0)
    assert acc(mos, np.zeros(20), 4, 5) == pytest.approx(5 / 20)


def test_k_and_n_are_clamped_to_the_number_of_candidates() -> None:
    assert acc(np.array([3.0, 2.0]), np.array([0.0, 1.0]), 4, 5) == 1.0
    assert rank([3.0], [1.0]).acc[4, 10] == 1.0


def test_weighted_acc_weighs_ranks_below_n_by_how_late_they_come() -> None:
    mos, scores = np.array([5.0, 4, 3, 2]), np.array([0.0, 2, 1, 3])
    # K = 2 returns ranks 3 and 1; N = 3: only rank 1 counts, as the smallest one (j = 0): exp(-(1 - 0) / 3) / 2
    assert weighted_acc(mos, scores, 2, 3) == pytest.approx(math.exp(-1 / 3) / 2)


def test_weighted_acc_of_equal_opinions_is_the_mean_over_their_ranks() -> None:
    # one is returned; its rank is 0, 1 or 2 with equal odds; N = 2
    assert weighted_acc(np.ones(3), np.array([1.0, 0, 0]), 1, 2) == pytest.approx((1 + math.exp(-0.5)) / 3)


def test_a_constant_photo_has_no_correlation_and_counts_as_0() -> None:
    report = rank_report([([1.0, 2, 3], [1.0, 2, 3]), ([2.0, 2, 2], [1.0, 2, 3])])
    assert report.n == 2
    assert report.n_constant == 1
    assert report.figures["SRCC (candidates, mean over photos, 0 where constant)"] == pytest.approx(0.5)


@pytest.mark.parametrize("scores", [None, [], [1.0, 2.0], [1.0, math.nan, 2.0]])
def test_scores_that_are_missing_or_nan_count_as_0_and_are_counted(scores: list[float] | None) -> None:
    report = rank_report([([1.0, 2, 3], scores), ([1.0, 2, 3], [1.0, 2, 3])])
    assert report.n_failed == 1
    assert report.figures[acc_label(1, 5)] == 0.5


@pytest.mark.parametrize("mos", [[], [1.0, math.nan], [math.inf]])
def test_opinions_that_are_none_are_refused_in_a_sentence(mos: list[float]) -> None:
    with pytest.raises(DataError, match="leave out unrated ones"):
        rank(mos, [0.0] * len(mos))


def test_every_label_names_the_mode_the_rule_k_and_n() -> None:
    report = rank_report([([1.0, 2, 3], [3.0, 2, 1])])
    assert len(report.figures) == 2 * len(TOPS) * (len(RETURNS) + 1) + 2
    assert all("candidates" in label for label in report.figures)
    assert acc_label(2, 10, "file_order") == "Acc_{2/10} (candidates, tie-inclusive ≥, tied scores in file order)"


# --- brute force -----------------------------------------------------------------------------------------------------


def plain_acc(mos: list[float], order: tuple[int, ...], k: int, top: int) -> float:
    limit = sorted(mos, reverse=True)[top - 1]
    return sum(mos[place] >= limit for place in order[:k]) / k


def plain_weighted(order: tuple[int, ...], by_opinion: tuple[int, ...], k: int, top: int) -> float:
    ranks = sorted(by_opinion.index(place) for place in order[:k])
    return sum(math.exp(-(rank - j) / top) for j, rank in enumerate(ranks) if rank < top) / k


def orders(numbers: list[float]) -> list[tuple[int, ...]]:
    """Every descending order of the places, one for each way to break the ties."""
    return [
        order
        for order in itertools.permutations(range(len(numbers)))
        if all(numbers[a] >= numbers[b] for a, b in itertools.pairwise(order))
    ]


@settings(max_examples=60, deadline=None)
@given(few, st.integers(1, 4), st.integers(1, 5))
def test_acc_is_the_average_over_all_orders_of_tied_scores(
    lists: tuple[list[float], list[float]], k: int, top: int
) -> None:
    mos, scores = lists
    k, top = min(k, len(mos)), min(top, len(mos))
    each = [plain_acc(mos, order, k, top) for order in orders(scores)]
    assert acc(*arrays(lists), k, top) == pytest.approx(np.mean(each), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(few.filter(lambda lists: len(lists[0]) <= 5), st.integers(1, 4), st.integers(1, 5))
def test_weighted_acc_is_the_average_over_all_orders_of_tied_scores_and_opinions(
    lists: tuple[list[float], list[float]], k: int, top: int
) -> None:
    mos, scores = lists
    k, top = min(k, len(mos)), min(top, len(mos))
    each = [plain_weighted(a, b, k, top) for a in orders(scores) for b in orders(mos)]
    assert weighted_acc(*arrays(lists), k, top) == pytest.approx(np.mean(each), abs=1e-12)


# --- properties ------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(many, st.randoms(use_true_random=False))
def test_figures_stay_in_range_and_do_not_depend_on_the_order_of_the_candidates(lists, random) -> None:  # type: ignore[no-untyped-def]
    mos, scores = lists
    order = list(range(len(mos)))
    random.shuffle(order)
    one = rank(mos, scores)
    other = rank([mos[i] for i in order], [scores[i] for i in order])
    for first, second in ((one.acc, other.acc), (one.weighted, other.weighted)):
        assert all(0 <= value <= 1 + 1e-12 for value in first.values())
        assert list(first.values()) == pytest.approx(list(second.values()), abs=1e-9)
    assert -1 <= one.srcc <= 1
    assert one.srcc == pytest.approx(other.srcc, abs=1e-9)
    assert all(one.weighted[key] <= one.acc[key] + 1e-9 for key in one.acc)


@settings(max_examples=40, deadline=None)
@given(many)
def test_file_order_is_what_the_authors_script_computes(lists: tuple[list[float], list[float]]) -> None:
    mos, scores = lists
    reference = huizeng.candidate_mode([Image(tuple(mos), tuple(scores))])
    ours = rank(mos, scores, "file_order")
    for top in TOPS:
        assert [ours.acc[k, top] for k in RETURNS] == pytest.approx(reference[f"acc4_{top}"])
        assert [ours.weighted[k, top] for k in RETURNS] == pytest.approx(reference[f"wacc4_{top}"])


@settings(max_examples=60, deadline=None)
@given(many)
def test_correlations_equal_scipy_s_and_have_none_where_it_has_none(lists: tuple[list[float], list[float]]) -> None:
    mos, scores = arrays(lists)
    if len(set(lists[0])) == 1 or len(set(lists[1])) == 1:
        assert math.isnan(spearman(mos, scores))
        assert math.isnan(pearson(mos, scores))
        return
    assert spearman(mos, scores) == pytest.approx(spearmanr(mos, scores)[0], abs=1e-12)
    assert pearson(mos, scores) == pytest.approx(pearsonr(mos, scores)[0], abs=1e-12)


@given(st.lists(values, min_size=1, max_size=12))
def test_mean_ranks_equal_a_slow_reference(numbers: list[float]) -> None:
    slow = [
        np.mean([sorted(numbers).index(n) + 1, len(numbers) - sorted(numbers, reverse=True).index(n)]) for n in numbers
    ]
    assert mean_ranks(np.array(numbers)).tolist() == slow
