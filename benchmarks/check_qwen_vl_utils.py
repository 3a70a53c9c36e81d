"""Does Qwen's own helper, qwen-vl-utils, resize as we do? Compares sizes and pixels and prints one line a family.

qwen-vl-utils imports torchvision at its top, so it sits in the `gpu` extra. Where that is installed:

    python benchmarks/check_qwen_vl_utils.py

On a machine with CPU torch, use an environment of its own, because a torchvision that is installed but does not load
makes transformers believe it is there:

    python -m venv --system-site-packages /tmp/check
    /tmp/check/bin/pip install --no-deps torchvision qwen-vl-utils av requests urllib3 charset-normalizer idna certifi
    /tmp/check/bin/python benchmarks/check_qwen_vl_utils.py

The CUDA build of torchvision imports beside CPU torch once the two operators that it only names are declared, which
`import_qwen_vl_utils` does. No operator of torchvision is called here.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crop_reasoning.errors import DataError
from crop_reasoning.images import VisionBudget, plan_image, resize_to_plan

BUDGETS = {
    "qwen2_5_vl": VisionBudget("qwen2_5_vl", 28, 56 * 56, 28 * 28 * 1280),
    "qwen3_vl": VisionBudget("qwen3_vl", 32, 256 * 256, 4096 * 4096),
}
N_SIZES, N_IMAGES = 5000, 24


@dataclass(frozen=True)
class Comparison:
    """What differed: sizes of photographs, sizes of slivers (a side below half the factor), pixels, second resizes."""

    photos: int
    photos_that_differ: int
    slivers: int
    slivers_that_differ: int
    resized_again: int
    images: int
    largest_pixel_difference: int


def import_qwen_vl_utils() -> Any:
    """The module `qwen_vl_utils`; `ImportError` where it or torchvision is not installed."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # "operator torchvision::nms does not exist"
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_qwen_vl_utils.keep = library  # type: ignore[attr-defined]
    import qwen_vl_utils

    return qwen_vl_utils


def compare(family: str, theirs: Any, n_sizes: int = N_SIZES, n_images: int = N_IMAGES) -> Comparison:
    """Sizes and pixels of both, at the family's production budget, on the same random photographs."""
    budget, rng = BUDGETS[family], random.Random(family)
    limits = {"min_pixels": budget.min_pixels, "max_pixels": budget.max_pixels}
    counts = {"photos": 0, "photos_that_differ": 0, "slivers": 0, "slivers_that_differ": 0, "resized_again": 0}
    while counts["photos"] < n_sizes:
        short = rng.randint(1, rng.choice([60, 1000, 6000]))
        wh = (short, min(int(short * rng.uniform(1, 20)), 40_000))[:: rng.choice([1, -1])]
        try:
            seen = plan_image(wh, budget).seen_wh
        except DataError:
            continue
        kind = "slivers" if short <= budget.factor // 2 else "photos"
        counts[kind] += 1
        counts[f"{kind}_that_differ"] += theirs.smart_resize(wh[1], wh[0], budget.factor, **limits)[::-1] != seen
        counts["resized_again"] += theirs.smart_resize(seen[1], seen[0], budget.factor, **limits)[::-1] != seen
    largest = max(_pixel_difference(budget, theirs, rng, limits) for _ in range(n_images))
    return Comparison(**counts, images=n_images, largest_pixel_difference=largest)


def _pixel_difference(budget: VisionBudget, theirs: Any, rng: random.Random, limits: dict[str, int]) -> int:
    wh = (rng.randint(40, 1600), rng.randint(40, 1600))
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (wh[1], wh[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    ours = resize_to_plan(image, plan_image(wh, budget))
    other = theirs.fetch_image({"image": image, **limits}, image_patch_size=budget.factor // 2)
    return int(np.abs(np.asarray(ours, np.int16) - np.asarray(other, np.int16)).max())


if __name__ == "__main__":
    module = import_qwen_vl_utils()
    for name in BUDGETS:
        print(name, compare(name, module))
