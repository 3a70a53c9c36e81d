"""Codecs: the round trip of every box through a family's integers, and proof that the check can fail."""

from __future__ import annotations

import json
import random
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crop_reasoning.codecs import (
    BoxRefused,
    Codec,
    decode,
    decode_point,
    encode,
    encode_point,
    resized_pixels,
    thousandths,
)
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import WHOLE, Box, from_xyxy_px, iou
from crop_reasoning.images import ImagePlan, plan_image
from crop_reasoning.models.families import FAMILIES
from tests.shared import SHARED, needs_shared
from tests.strategies import PRODUCTION, boxes

PHOTO = (1024, 683)
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
photo_sizes = st.tuples(st.integers(100, 6000), st.integers(100, 6000))


def round_trip_error(box: Box, plan: ImagePlan, written_by: Codec, read_by: Codec) -> float:
    """The largest distance of an edge from where it was, in units of the writer's grid; inf if it cannot be read."""
    try:
        back = decode(encode(box, written_by, plan), read_by, plan)
    except BoxRefused:
        return float("inf")
    return max(abs(a - b) * side for a, b, side in zip(box.xyxy, back.xyxy, written_by(plan) * 2, strict=True))


def random_crops(n: int) -> list[Box]:
    """Crops as experts draw them: half to nearly all of each side."""
    rng = random.Random(0)
    crops = []
    for _ in range(n):
        width, height = rng.uniform(0.4, 0.98), rng.uniform(0.4, 0.98)
        x, y = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        crops.append(Box(x, y, x + width, y + height))
    return crops


@families
@given(box=boxes(), wh=photo_sizes)
def test_each_edge_returns_within_half_a_unit(family, box, wh):
    plan = plan_image(wh, PRODUCTION[family.model_type])
    columns, rows = family.codec(plan)
    assume(box.width * columns >= 1 and box.height * rows >= 1)
    assert round_trip_error(box, plan, family.codec, family.codec) <= 0.5 + 1e-6


@families
@given(x=st.floats(0, 1), y=st.floats(0, 1), thickness=st.floats(1e-9, 1e-3), wh=photo_sizes)
def test_a_box_thinner_than_the_grid_stays_a_box_within_one_unit(family, x, y, thickness, wh):
    assume(x + thickness <= 1 and y + thickness <= 1 and x < x + thickness and y < y + thickness)
    plan = plan_image(wh, PRODUCTION[family.model_type])
    box = Box(x, y, x + thickness, y + thickness)
    assert round_trip_error(box, plan, family.codec, family.codec) <= 1 + 1e-6


@families
@given(data=st.data(), wh=photo_sizes)
def test_integers_return_as_themselves(family, data, wh):
    plan = plan_image(wh, PRODUCTION[family.model_type])
    columns, rows = family.codec(plan)
    x1, y1 = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    ints = (x1, y1, data.draw(st.integers(x1 + 1, columns)), data.draw(st.integers(y1 + 1, rows)))
    assert encode(decode(ints, family.codec, plan), family.codec, plan) == ints


@families
@given(x=st.floats(0, 1), y=st.floats(0, 1), wh=photo_sizes)
def test_points_return_within_half_a_unit(family, x, y, wh):
    plan = plan_image(wh, PRODUCTION[family.model_type])
    back = decode_point(encode_point((x, y), family.codec, plan), family.codec, plan)
    for a, b, side in zip((x, y), back, family.codec(plan), strict=True):
        assert abs(a - b) * side <= 0.5 + 1e-6


@families
def test_crops_survive_the_round_trip(family):
    plan = plan_image(PHOTO, PRODUCTION[family.model_type])
    crops = random_crops(1000)
    assert fmean(iou(c, decode(encode(c, family.codec, plan), family.codec, plan)) for c in crops) >= 0.997


@needs_shared
@families
def test_fcdb_test_crops_survive_the_round_trip(family):
    lines = (SHARED / "data/fcdb/manifest.jsonl").read_text(encoding="utf-8").splitlines()
    photos = [photo for photo in map(json.loads, lines) if photo["split"] == "test"]
    assert len(photos) == 334
    overlaps = []
    for photo in photos:
        plan = plan_image((photo["w512"], photo["h512"]), PRODUCTION[family.model_type])
        crop = from_xyxy_px(photo["crop_xyxy"], (photo["w"], photo["h"]))
        assert round_trip_error(crop, plan, family.codec, family.codec) <= 0.5 + 1e-6
        overlaps.append(iou(crop, decode(encode(crop, family.codec, plan), family.codec, plan)))
    assert fmean(overlaps) >= 0.997


@pytest.mark.parametrize(
    ("written_by", "read_by"), [(resized_pixels, thousandths), (thousandths, resized_pixels)], ids=["pixels", "1000"]
)
def test_a_deliberately_wrong_codec_fails_the_same_check(written_by, read_by):
    """The half-unit check above is worth something: the other family's grid breaks it on every crop."""
    for family in FAMILIES.values():
        plan = plan_image(PHOTO, PRODUCTION[family.model_type])
        errors = [round_trip_error(crop, plan, written_by, read_by) for crop in random_crops(200)]
        assert min(errors) > 0.5
        assert fmean(error > 5 for error in errors) > 0.9


def test_a_wrong_codec_would_give_believable_scores():
    """Why the check must be exact: read with the wrong grid, most crops are still boxes of fair overlap."""
    plan = plan_image((1400, 900), PRODUCTION["qwen2_5_vl"])
    crops = random_crops(500)
    readable = [c for c in crops if round_trip_error(c, plan, thousandths, resized_pixels) < float("inf")]
    overlaps = [iou(c, decode(encode(c, thousandths, plan), resized_pixels, plan)) for c in readable]
    assert len(overlaps) > 100
    assert 0.4 < fmean(overlaps) < 0.95


@families
def test_the_whole_frame_is_the_whole_grid(family):
    plan = plan_image(PHOTO, PRODUCTION[family.model_type])
    assert encode(WHOLE, family.codec, plan) == (0, 0, *family.codec(plan))
    assert decode([0, 0, *family.codec(plan)], family.codec, plan).is_whole


def test_the_published_grids():
    plan = ImagePlan((1024, 683), (1036, 672), 888, "qwen2_5_vl")
    assert FAMILIES["qwen3_vl"].codec(plan) == thousandths(plan) == (1000, 1000)
    assert FAMILIES["qwen2_5_vl"].codec(plan) == resized_pixels(plan) == (1036, 672)
    assert encode(Box(0.25, 0.5, 0.75, 1), thousandths, plan) == (250, 500, 750, 1000)
    assert encode(Box(0.25, 0.5, 0.75, 1), resized_pixels, plan) == (259, 336, 777, 672)


@pytest.mark.parametrize(
    ("ints", "kind"),
    [
        ([], "arity"),
        ([1, 2, 3], "arity"),
        ([1, 2, 3, 4, 5], "arity"),
        ([1.0, 2, 3, 4], "arity"),
        (["1", "2", "3", "4"], "arity"),
        ([True, False, 3, 4], "arity"),
        ([None, 2, 3, 4], "arity"),
        ([[1, 2], [3, 4], 5, 6], "arity"),
        ([float("nan"), 2, 3, 4], "arity"),
        ([-1, 0, 10, 10], "out_of_range"),
        ([0, 0, 1001, 10], "out_of_range"),
        ([0, 0, 10, 10**30], "out_of_range"),
        ([10, 10, 10, 20], "inverted"),
        ([20, 10, 10, 20], "inverted"),
        ([10, 20, 20, 20], "inverted"),
    ],
)
def test_integers_that_are_no_box_are_refused_by_kind(ints, kind):
    with pytest.raises(BoxRefused) as refused:
        decode(ints, thousandths, plan_image(PHOTO, PRODUCTION["qwen3_vl"]))
    assert refused.value.kind == kind
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("point", [(-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5), (0.5, float("inf"))])
def test_a_point_outside_the_image_is_refused_before_a_model_could_learn_it(point):
    with pytest.raises(DataError, match="expected both in"):
        encode_point(point, thousandths, plan_image(PHOTO, PRODUCTION["qwen3_vl"]))
