"""The resize plan is the processor's own: same grid for every size, and nothing left to resize after ours."""

from __future__ import annotations

import math
import random
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crop_reasoning.errors import DataError
from crop_reasoning.images import MAX_ASPECT, VisionBudget, plan_image, resize_to_plan
from crop_reasoning.models.families import FAMILIES, Family
from crop_reasoning.models.processors import vision_budget
from tests import tiny
from tests.strategies import PRODUCTION

N_SIZES = 1000
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))


def smart_resize(wh: tuple[int, int], budget: VisionBudget) -> tuple[int, int]:
    """The size that the real processor gives an image; `ValueError` where it refuses."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as theirs

    height, width = theirs(wh[1], wh[0], budget.factor, budget.min_pixels, budget.max_pixels)
    return (width, height)


def would_resize_again(seen: tuple[int, int], budget: VisionBudget) -> bool:
    """Whether the real processor, given pixels of a size it chose itself, would choose another or refuse them."""
    try:
        return smart_resize(seen, budget) != seen
    except ValueError:  # rounding took the strip beyond the extreme aspect
        return True


def sizes(seed: int) -> list[tuple[int, int]]:
    """Photos, huge photos, tiny images and strips up to the extreme aspect, upright and lying."""
    rng = random.Random(seed)
    found = [(w, h) for w in (1, 2, 7, 13, 14, 15, 16, 27, 28, 29, 31, 32, 33, 40) for h in (1, 3, 14, 16, 40)]
    found += [(200, 1), (1, 200), (5600, 28), (6400, 32), (8200, 41), (41, 8200), (20000, 100), (50000, 50000)]
    while len(found) < N_SIZES:
        kind = rng.random()
        if kind < 0.5:
            found.append((rng.randint(100, 8000), rng.randint(100, 8000)))
        elif kind < 0.7:
            found.append((rng.randint(1, 40), rng.randint(1, 40)))
        elif kind < 0.8:
            found.append((rng.randint(8000, 60000), rng.randint(8000, 60000)))
        else:
            short, aspect = rng.randint(1, 400), rng.uniform(1, MAX_ASPECT)
            strip = (math.floor(short * aspect), short)
            found.append(strip if rng.random() < 0.5 else strip[::-1])
    return found


@cache
def processor_of(family: Family) -> Any:
    return tiny.build_processor(family).image_processor


def photo(wh: tuple[int, int], seed: int = 0) -> Image.Image:
    """Noise over a ramp: any resampling changes it."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 155, wh[0])[None, :, None]
    return Image.fromarray((rng.integers(0, 100, (wh[1], wh[0], 3)) + ramp).astype(np.uint8))


@families
@pytest.mark.parametrize("scale", ["production", "tiny"])
def test_the_plan_is_the_processors_size_for_every_size(family, scale):
    budget = PRODUCTION[family.model_type] if scale == "production" else tiny.budget(family)
    equal = 0
    for wh in sizes(seed=family.resize_factor):
        theirs = smart_resize(wh, budget)
        try:
            plan = plan_image(wh, budget)
        except DataError:
            # ours resizes before the processor does, so a size that it would then change or refuse has no plan
            assert would_resize_again(theirs, budget), wh
            assert max(wh) > 20 * min(wh), wh
            continue
        equal += 1
        assert plan.seen_wh == theirs, wh
        assert plan.visual_tokens == theirs[0] * theirs[1] // budget.factor**2
        assert smart_resize(plan.seen_wh, budget) == plan.seen_wh, f"{wh}: the processor would resize again"
    assert equal > 0.9 * N_SIZES


@families
@given(wh=st.tuples(st.integers(1, 20000), st.integers(1, 20000)))
def test_planning_twice_changes_nothing(family, wh):
    budget = PRODUCTION[family.model_type]
    if max(wh) > 20 * min(wh):
        return
    plan = plan_image(wh, budget)
    assert plan_image(plan.seen_wh, budget).seen_wh == plan.seen_wh
    assert all(side % budget.factor == 0 for side in plan.seen_wh)
    assert budget.min_pixels <= plan.seen_wh[0] * plan.seen_wh[1] <= budget.max_pixels


SHAPES = [
    *((640, 480), (480, 640), (1024, 683), (333, 500), (448, 448), (64, 64), (100, 30), (30, 100), (41, 41), (97, 13)),
    *((7, 5), (1, 1), (2, 40), (32, 28), (56, 84), (900, 100), (100, 900), (451, 449), (63, 65), (1500, 1000)),
]


@families
@pytest.mark.parametrize("wh", SHAPES, ids=lambda wh: f"{wh[0]}x{wh[1]}")
def test_the_real_processor_sees_the_planned_grid_and_the_planned_pixels(family, wh):
    processor, budget = processor_of(family), tiny.budget(family)
    image, plan = photo(wh), plan_image(wh, budget)
    resized = resize_to_plan(image, plan)
    ours = processor(images=[resized], return_tensors="np")
    height, width = (int(side) * family.patch_size for side in ours["image_grid_thw"][0][1:])
    assert (width, height) == plan.seen_wh
    assert ours["image_grid_thw"][0].prod() // 4 == plan.visual_tokens
    unresized = processor(images=[resized], return_tensors="np", do_resize=False)
    assert np.array_equal(ours["pixel_values"], unresized["pixel_values"]), "nothing was left to resize"
    if wh[1] not in (1, 3):  # the processor takes an array of 1 or 3 rows for a channel-first image
        alone = processor(images=[image], return_tensors="np")
        assert np.array_equal(ours["image_grid_thw"], alone["image_grid_thw"])
        assert np.array_equal(ours["pixel_values"], alone["pixel_values"]), "the processor alone sees the same pixels"


@families
def test_the_budget_read_from_a_processor_is_the_one_it_was_built_with(family):
    assert vision_budget(tiny.build_processor(family), family) == tiny.budget(family)


def test_the_costs_that_are_known():
    assert plan_image((1024, 683), PRODUCTION["qwen2_5_vl"]).visual_tokens == 888
    assert plan_image((1024, 683), PRODUCTION["qwen3_vl"]).visual_tokens == 672


@pytest.mark.parametrize("wh", [(0, 10), (10, 0), (0, 0), (-5, 10), (201, 1), (1, 201), (100000, 499)])
def test_a_size_that_no_processor_takes_is_refused(wh):
    with pytest.raises(DataError, match=f"an image of {wh[0]}x{wh[1]} px"):
        plan_image(wh, PRODUCTION["qwen3_vl"])


def test_a_strip_that_would_be_resized_twice_is_refused_before_it_meets_the_processor():
    """8200x41 is exactly 200:1, but on a grid of 28 it becomes 8204x28, which the processor refuses."""
    with pytest.raises(DataError, match="becomes 8204x28"):
        plan_image((8200, 41), PRODUCTION["qwen2_5_vl"])


@families
def test_qwen_vl_utils_resizes_as_we_do(family):
    check = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "check_qwen_vl_utils.py"))
    try:
        theirs = check["import_qwen_vl_utils"]()
    except ImportError as missing:
        pytest.skip(f"qwen-vl-utils is not installed ({missing}); it sits in the gpu extra")
    found = check["compare"](family.model_type, theirs, n_sizes=1000, n_images=6)
    assert (found.photos, found.images) == (1000, 6)
    assert found.photos_that_differ == found.resized_again == found.largest_pixel_difference == 0


def test_pixels_of_another_size_than_planned_are_refused():
    plan = plan_image((640, 480), PRODUCTION["qwen3_vl"])
    with pytest.raises(DataError, match="plan made for"):
        resize_to_plan(photo((480, 640)), plan)


def test_an_image_that_fits_already_is_handed_on_untouched():
    image = photo((64, 96))
    plan = plan_image((64, 96), tiny.budget(FAMILIES["qwen3_vl"]))
    assert resize_to_plan(image, plan) is image
