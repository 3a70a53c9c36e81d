"""Metrics against hand-computed cases, reference evaluators' outputs, and published trivial baselines; statistics."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.evaluation.metrics import BoxScore, displacement, ground_truths, score_box
from crop_reasoning.evaluation.statistics import bootstrap_mean, paired_difference
from crop_reasoning.geometry import WHOLE, Box, centered, clip, from_xyxy_px, iou
from crop_reasoning.methods.baselines import baseline, best_constant, center_crop, whole_image
from crop_reasoning.records import CropRecord, ImageRef, ScoredCrop
from tests.shared import SHARED, needs_shared


def record(*boxes: Box, scores: tuple[float, ...] = ()) -> CropRecord:
    crops = tuple(
        ScoredCrop(box, score, "test") for box, score in zip(boxes, scores or (1.0,) * len(boxes), strict=True)
    )
    return CropRecord("r", "test", "train", ImageRef("a.jpg", "0", (100, 100)), crops)


def golden(name: str) -> list[dict[str, Any]]:
    return json.loads((SHARED / "golden" / name).read_text())["cases"]


# --- hand-computed ---------------------------------------------------------------------------------------------------


def test_disp_is_the_mean_of_the_four_edge_displacements_as_fractions_of_the_sides() -> None:
    # 200 x 100 px: edges move by 20 and 40 px of 200, by 10 and 0 px of 100 -> (.1 + .2 + .1 + 0) / 4
    a, b = from_xyxy_px([20, 10, 120, 90], (200, 100)), from_xyxy_px([40, 20, 160, 90], (200, 100))
    assert displacement(a, b) == pytest.approx(0.1)


def test_iou_is_taken_over_continuous_exclusive_corners() -> None:
    a, b = from_xyxy_px([0, 0, 10, 10], (100, 100)), from_xyxy_px([5, 5, 15, 15], (100, 100))
    assert score_box(a, [b]).iou == pytest.approx(25 / 175)  # an inclusive reading would give 36 / 206


def test_of_several_truths_the_best_iou_counts_and_disp_belongs_to_it() -> None:
    box = Box(0, 0, 0.5, 1)
    near, far = Box(0, 0, 0.6, 1), Box(0.1, 0, 0.5, 1)  # IoU .8333 Disp .025 and IoU .8 Disp .025
    other = Box(0, 0, 0.5, 0.85)  # IoU .85, Disp .0375: best by IoU, worst by Disp
    score = score_box(box, [near, far, other])
    assert score.iou == pytest.approx(0.85)
    assert score.disp == pytest.approx(0.0375)


def test_tied_ious_take_the_smaller_disp() -> None:
    # 400 x 100 px; both truths have IoU 1/2; Disp (100/400 + 0 + ...)/4 = .0625 and (100/400 + 50/100)/4 = .1875
    truths = [from_xyxy_px([0, 0, 200, 100], (400, 100)), from_xyxy_px([100, 0, 300, 50], (400, 100))]
    box = from_xyxy_px([100, 0, 200, 100], (400, 100))
    assert score_box(box, truths) == BoxScore(pytest.approx(0.5), pytest.approx(0.0625))
    assert score_box(box, truths[::-1]) == BoxScore(pytest.approx(0.5), pytest.approx(0.0625))


def test_a_failed_answer_counts_as_iou_0_and_the_disp_of_the_whole_frame() -> None:
    truths = [Box(0.1, 0.1, 0.9, 0.9), Box(0.4, 0.4, 0.6, 0.6)]
    assert score_box(None, truths) == BoxScore(0.0, pytest.approx(0.1))
    assert score_box(None, truths).disp == score_box(WHOLE, truths).disp


def test_recall_includes_the_threshold_itself() -> None:
    exact = score_box(from_xyxy_px([0, 0, 80, 60], (100, 100)), [from_xyxy_px([0, 0, 80, 80], (100, 100))])
    assert exact.recalled
    assert not BoxScore(0.7499, 0.1).recalled


def test_scoring_without_a_ground_truth_is_refused() -> None:
    with pytest.raises(DataError, match="no ground truth"):
        score_box(WHOLE, [])


def test_ground_truths_are_all_crops_of_the_highest_score() -> None:
    a, b, c = Box(0, 0, 0.5, 0.5), Box(0, 0, 0.6, 0.6), Box(0, 0, 0.7, 0.7)
    assert ground_truths(record(a, b, c)) == (a, b, c)
    assert ground_truths(record(a, b, c, scores=(0.2, 0.9, 0.9))) == (b, c)
    assert ground_truths(record()) == ()


# --- reference evaluators --------------------------------------------------------------------------------------------


@needs_shared
def test_iou_equals_the_reference_of_every_valid_pair() -> None:
    compared = 0
    for case in golden("iou_pair.json"):
        pred, gt = case["input"]["pred"], case["input"]["gt"]
        wh = (max(pred[2], gt[2], 1), max(pred[3], gt[3], 1))
        try:
            boxes = from_xyxy_px(pred, wh), from_xyxy_px(gt, wh)
        except DataError:
            continue  # a degenerate or inverted box never becomes a Box
        assert iou(*boxes) == pytest.approx(case["expected"]["VPN_bboxes_jaccard"], abs=1e-9)
        compared += 1
    assert compared >= 40


@needs_shared
@pytest.mark.parametrize("name", ["fcdb_single_gt.json", "flms_multi_gt.json"])
def test_means_equal_the_reference_that_clips_predictions(name: str) -> None:
    """CACNet's evaluator has the canonical rules but for invalid predictions, whose Disp ours bounds (see below)."""
    compared = 0
    for case in golden(name):
        reference = case["expected"].get("CACNet.evaluate_on_FCDB_and_FLMS", {})
        if (
            "avg_iou" not in reference
            or case["id"] in ("zero_area", "zero_width", "inverted")
            or "gt_oob" in case["tags"]
        ):
            continue  # truths beyond the frame: clipped by ours, kept by the reference
        scores = [score_box(clip_px(item["pred"], item), truths_px(item)) for item in case["input"]["items"]]
        assert np.mean([s.iou for s in scores]) == pytest.approx(reference["avg_iou"], abs=2e-6)
        assert np.mean([s.disp for s in scores]) == pytest.approx(reference["avg_disp"], abs=2e-6)
        assert np.mean([s.recalled for s in scores]) == pytest.approx(reference["avg_recall"], abs=1e-9)
        compared += 1
    assert compared >= 6


@needs_shared
def test_an_invalid_prediction_is_never_worth_more_than_the_reference_gives_it() -> None:
    for case in golden("flms_multi_gt.json"):
        if case["id"] in ("zero_area", "zero_width", "inverted"):
            item = case["input"]["items"][0]
            with pytest.raises(DataError):
                clip_px(item["pred"], item)
            score = score_box(None, truths_px(item))
            assert score.iou == case["expected"]["gencrop.compute_iou_and_disp"]["avg_iou"] == 0
            assert score.disp == score_box(WHOLE, truths_px(item)).disp


@needs_shared
@pytest.mark.parametrize(
    ("box", "published"),
    [
        (WHOLE, (0.8252, 0.0452, 0.784)),
        (centered(0.9), (0.8122, 0.0476, 0.800)),
        (centered(0.8), (0.7851, 0.0512, 0.752)),
    ],
    ids=["whole", "center .9", "center .8"],
)
def test_trivial_crops_of_real_annotations_reach_their_published_figures(
    box: Box, published: tuple[float, float, float]
) -> None:
    lines = (SHARED / "data" / "flms_a" / "manifest.jsonl").read_text().splitlines()
    scores = []
    for photo in map(json.loads, lines):
        truths = [from_xyxy_px(crop, (photo["w"], photo["h"])) for crop in photo["crops_xyxy"]]
        scores.append(score_box(box, truths))
    found = [np.mean([s.iou for s in scores]), np.mean([s.disp for s in scores]), np.mean([s.recalled for s in scores])]
    assert len(scores) == 250
    assert found == pytest.approx(list(published), abs=6e-5)


def clip_px(values: list[float], item: dict[str, Any]) -> Box:
    x1, y1, x2, y2 = values
    return clip(x1 / item["w"], y1 / item["h"], x2 / item["w"], y2 / item["h"])


def truths_px(item: dict[str, Any]) -> list[Box]:
    """The canonical reading: rows of -1 and inverted rows are dropped, the others clipped."""
    kept = [gt for gt in item["gt"] if gt[0] < gt[2] and gt[1] < gt[3] and min(gt[2:]) > 0]
    return [clip_px(gt, item) for gt in kept]


# --- statistics ------------------------------------------------------------------------------------------------------


def test_the_interval_is_seeded_and_holds_the_mean() -> None:
    values = list(np.random.default_rng(3).uniform(0, 1, 200))
    first, second = bootstrap_mean(values), bootstrap_mean(values)
    assert first == second
    assert first.low < first.mean < first.high
    assert first.n == 200
    assert first.mean == pytest.approx(np.mean(values))


def test_the_interval_is_as_wide_as_the_normal_theory_says() -> None:
    values = np.random.default_rng(5).normal(0, 1, 2000)
    found = bootstrap_mean(list(values))
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(2000), rel=0.08)


def test_values_of_one_photo_are_resampled_together() -> None:
    values = [float(group % 2) for group in range(40) for _ in range(10)]
    groups = [group for group in range(40) for _ in range(10)]
    alone, together = bootstrap_mean(values), bootstrap_mean(values, groups)
    assert alone.mean == together.mean == 0.5
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(10), rel=0.15)


def test_no_values_is_an_error_and_not_a_nan() -> None:
    with pytest.raises(DataError, match="no values"):
        bootstrap_mean([])


def test_a_paired_difference_is_far_tighter_than_the_two_intervals() -> None:
    rng = np.random.default_rng(7)
    first = {str(i): float(v) for i, v in enumerate(rng.uniform(0, 1, 300))}
    second = {key: value - 0.02 for key, value in first.items()}
    found = paired_difference(first, second)
    assert found.mean == pytest.approx(0.02)
    assert found.high - found.low < 1e-9


def test_runs_on_different_images_are_not_compared() -> None:
    with pytest.raises(DataError, match="1 stand in one only"):
        paired_difference({"a": 1.0, "b": 0.5}, {"a": 1.0})


# --- baselines -------------------------------------------------------------------------------------------------------


def test_the_best_constant_is_at_least_as_good_as_any_box_of_a_grid() -> None:
    rng = np.random.default_rng(11)
    training = []
    for _ in range(40):
        truths = []
        for _ in range(int(rng.integers(1, 4))):
            x1, y1 = rng.uniform(0, 0.4, 2)
            truths.append(Box(x1, y1, x1 + rng.uniform(0.3, 0.6), y1 + rng.uniform(0.3, 0.6)))
        training.append(record(*truths))

    def mean(box: Box) -> float:
        return float(np.mean([score_box(box, ground_truths(r)).iou for r in training]))

    steps = [step / 10 for step in range(11)]
    edges = list(itertools.combinations(steps, 2))
    best_of_grid = max(mean(Box(x1, y1, x2, y2)) for x1, x2 in edges for y1, y2 in edges)
    assert mean(best_constant(training)) >= best_of_grid


def test_the_best_constant_of_equal_crops_is_that_crop() -> None:
    crop = Box(0.12, 0.3, 0.7, 0.95)
    assert iou(best_constant([record(crop), record(crop)]), crop) > 0.99


def test_the_best_constant_never_sees_test_records_and_needs_training_ones() -> None:
    with pytest.raises(DataError, match="no training records"):
        best_constant([])


def test_baselines_by_name() -> None:
    assert baseline("whole_image", []) == whole_image() == WHOLE
    assert baseline("center_crop:0.9", []) == center_crop(0.9)
    assert center_crop(0.9).area == pytest.approx(0.81)


@pytest.mark.parametrize(
    "spec", ["middle", "center_crop", "center_crop:big", "center_crop:nan", "center_crop:1.2", "whole_image:2"]
)
def test_an_unknown_baseline_is_refused_in_a_sentence(spec: str) -> None:
    with pytest.raises(RecipeError, match="expected"):
        baseline(spec, [])
