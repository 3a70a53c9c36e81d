"""Boxes: validity, the official orders, overlap, placement and exact aspect ratios."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import (
    WHOLE,
    Box,
    centered,
    clip,
    corners,
    fit_aspect,
    from_xyxy_px,
    inside,
    intersection,
    iou,
    place,
    to_xyxy_px,
)
from tests.strategies import boxes

sizes = st.tuples(st.integers(1, 9000), st.integers(1, 9000))


def slow_iou(a: Box, b: Box) -> float:
    """IoU by counting the cells of the grid that the edges of both boxes span: nothing shared with the formula."""
    xs, ys = sorted({a.x1, a.x2, b.x1, b.x2}), sorted({a.y1, a.y2, b.y1, b.y2})
    both = either = 0.0
    for left, right in itertools.pairwise(xs):
        for top, bottom in itertools.pairwise(ys):
            x, y, area = (left + right) / 2, (top + bottom) / 2, (right - left) * (bottom - top)
            in_a, in_b = (box.x1 < x < box.x2 and box.y1 < y < box.y2 for box in (a, b))
            both += area * (in_a and in_b)
            either += area * (in_a or in_b)
    return both / either


@pytest.mark.parametrize(
    "values",
    [
        (0.5, 0, 0.5, 1),
        (0.6, 0, 0.4, 1),
        (0, 0.9, 1, 0.1),
        (-0.01, 0, 1, 1),
        (0, 0, 1.01, 1),
        (0, -1e-9, 1, 1),
        (math.nan, 0, 1, 1),
        (0, 0, 1, math.nan),
        (0, 0, math.inf, 1),
        (-math.inf, 0, 1, 1),
    ],
)
def test_a_rectangle_that_is_no_box_is_refused_in_a_sentence(values):
    with pytest.raises(DataError, match=r"^box \(.*\): expected 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1$"):
        Box(*values)


def test_the_three_official_orders_name_the_same_box():
    wh = (640, 480)
    expected = (0.1, 0.25, 0.5, 0.75)
    assert from_xyxy_px([64, 120, 320, 360], wh).xyxy == expected
    assert from_xyxy_px(corners([64, 120, 256, 240], "x y w h"), wh).xyxy == expected
    assert from_xyxy_px(corners([120, 64, 360, 320], "y1 x1 y2 x2"), wh).xyxy == expected


def test_a_box_read_in_the_wrong_order_leaves_the_image_and_is_refused():
    row_first = [100, 500, 400, 900]  # y1 x1 y2 x2 of a 1024x683 photo
    assert from_xyxy_px(corners(row_first, "y1 x1 y2 x2"), (1024, 683)).area > 0
    with pytest.raises(DataError, match="expected 0 <= x1"):
        from_xyxy_px(row_first, (1024, 683))


def test_a_box_beyond_the_image_is_refused_unless_it_is_clipped_on_purpose():
    with pytest.raises(DataError):
        from_xyxy_px([10, 10, 102, 60], (100, 100))
    assert clip(0.1, 0.1, 1.02, 0.6).xyxy == (0.1, 0.1, 1.0, 0.6)
    with pytest.raises(DataError):
        clip(1.1, 0.1, 1.2, 0.6)


@given(boxes(), sizes)
def test_pixel_boxes_lie_inside_the_image_and_within_half_a_pixel(box, wh):
    x1, y1, x2, y2 = to_xyxy_px(box, wh)
    assert 0 <= x1 < x2 <= wh[0]
    assert 0 <= y1 < y2 <= wh[1]
    if min(box.width * wh[0], box.height * wh[1]) >= 1:  # a thinner one is widened to a pixel
        for got, edge, side in zip((x1, y1, x2, y2), box.xyxy, wh * 2, strict=True):
            assert abs(got - edge * side) <= 0.5 + 1e-9


@given(st.data(), st.tuples(st.integers(2, 9000), st.integers(2, 9000)))
def test_pixels_to_box_to_pixels_is_exact(data, wh):
    x1, y1 = data.draw(st.integers(0, wh[0] - 1)), data.draw(st.integers(0, wh[1] - 1))
    values = (x1, y1, data.draw(st.integers(x1 + 1, wh[0])), data.draw(st.integers(y1 + 1, wh[1])))
    assert to_xyxy_px(from_xyxy_px(values, wh), wh) == values


@given(boxes(), boxes())
def test_iou_equals_the_count_of_cells(a, b):
    assert iou(a, b) == pytest.approx(slow_iou(a, b), abs=1e-9)
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1 + 1e-12


@given(boxes())
def test_a_box_overlaps_itself_wholly(box):
    assert iou(box, box) == pytest.approx(1)
    assert inside(box, WHOLE) == pytest.approx(1)
    assert intersection(box, WHOLE) == pytest.approx(box.area)


def test_boxes_that_only_touch_share_nothing():
    assert iou(Box(0, 0, 0.5, 1), Box(0.5, 0, 1, 1)) == 0
    assert iou(Box(0, 0, 0.4, 0.4), Box(0.6, 0.6, 1, 1)) == 0


@given(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), st.tuples(st.floats(0.01, 3), st.floats(0.01, 3)))
def test_place_keeps_the_size_and_stays_in_the_image(center, size):
    box = place(center, size)
    assert box.width == pytest.approx(min(size[0], 1))
    assert box.height == pytest.approx(min(size[1], 1))


@given(boxes(0.01))
def test_place_at_a_boxs_own_center_gives_the_box(box):
    assert place(box.center, (box.width, box.height)).xyxy == pytest.approx(box.xyxy)


def test_centered_crops():
    assert centered(1).is_whole
    assert centered(0.8).xyxy == pytest.approx((0.1, 0.1, 0.9, 0.9))
    with pytest.raises(DataError):
        centered(0)


@given(boxes(), st.tuples(st.integers(1, 40), st.integers(1, 40)), st.tuples(*[st.integers(40, 6000)] * 2))
def test_fit_aspect_is_exact_inside_and_nearest(box, aspect, wh):
    x1, y1, x2, y2 = fit_aspect(box, aspect, wh)
    width, height = x2 - x1, y2 - y1
    assert width * aspect[1] == height * aspect[0], "the ratio is exact"
    assert 0 <= x1 < x2 <= wh[0]
    assert 0 <= y1 < y2 <= wh[1]
    cx, cy = box.center
    for low, high, side, center in ((x1, x2, wh[0], cx), (y1, y2, wh[1], cy)):
        free = low > 0 and high < side
        assert not free or abs((low + high) / 2 - center * side) <= 0.5 + 1e-6, "centered where the image allows"


def test_fit_aspect_keeps_the_area_where_it_can():
    x1, y1, x2, y2 = fit_aspect(Box(0.3, 0.3, 0.7, 0.7), (3, 2), (3000, 2000))
    assert (x2 - x1) * (y2 - y1) == pytest.approx(0.16 * 3000 * 2000, rel=0.01)


def test_fit_aspect_of_a_whole_frame_is_the_largest_centered_crop():
    assert fit_aspect(WHOLE, (1, 1), (640, 480)) == (80, 0, 560, 480)
    assert fit_aspect(WHOLE, (4, 3), (640, 480)) == (0, 0, 640, 480)


def test_fit_aspect_reduces_the_ratio_first():
    assert fit_aspect(WHOLE, (1600, 1200), (640, 480)) == fit_aspect(WHOLE, (4, 3), (640, 480))


@pytest.mark.parametrize("aspect", [(0, 5), (4, 0), (-4, 5), (4, -5), (0, 0)])
def test_a_ratio_that_is_none_is_refused(aspect):
    with pytest.raises(DataError, match="expected two positive whole numbers"):
        fit_aspect(WHOLE, aspect, (640, 480))


def test_a_ratio_finer_than_the_image_is_refused_with_the_size_it_needs():
    with pytest.raises(DataError, match="needs at least 997x991 px"):
        fit_aspect(WHOLE, (997, 991), (640, 480))
