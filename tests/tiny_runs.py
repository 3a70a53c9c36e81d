"""A small data set and short recipes for the tiny models: what a training run needs to be tested for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crop_reasoning.geometry import Box
from crop_reasoning.images import sha256_of
from crop_reasoning.records import CropRecord, ImageRef, Pair, ScoredCrop, write_jsonl
from crop_reasoning.training.recipe import Recipe
from crop_reasoning.training.run import train
from data_builders.rationales import write_rationales
from tests import tiny

FAMILY_NAMES = ("qwen3_vl", "qwen2_5_vl")


def make_place(root: Path) -> Path:
    """A folder with a small data set (`data`) and a model of each family (by its name)."""
    make_data(root / "data")
    for name in FAMILY_NAMES:
        tiny.save(name, root / name)
    return root


def tune(place: Path, **changes: Any) -> dict[str, Path]:
    """A finished SFT run of each family, by its name, in a folder of `make_place`."""
    runs = {name: place / f"sft-{name}" for name in FAMILY_NAMES}
    for name, folder in runs.items():
        train(recipe(place, folder, name, **changes))
    return runs


def make_data(folder: Path, n: int = 6) -> None:
    """Noise photos of two shapes with two crops each, a pair each, and rationales."""
    (folder / "images").mkdir(parents=True)
    records, pairs = [], []
    for index in range(n):
        path, wh = folder / "images" / f"{index}.png", ((96, 64), (64, 96))[index % 2]
        noise = np.random.default_rng(index).integers(0, 255, (wh[1], wh[0], 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        good, bad = Box(0.1, 0.1, 0.4 + 0.05 * index, 0.9), Box(0.3, 0.0, 1.0, 1.0)
        crops = (ScoredCrop(good, 2.0, "test"), ScoredCrop(bad, 1.0, "test"))
        image = ImageRef(f"images/{index}.png", sha256_of(path), wh)
        records.append(CropRecord(f"noise-{index}", "noise", "train", image, crops, licence="CC0-1.0"))
        pairs.append(Pair(f"noise-{index}", good, bad, 1.0))
    write_jsonl(folder / "records.jsonl", records)
    write_jsonl(folder / "pairs.jsonl", pairs)
    write_rationales(folder)


def recipe(place: Path, output: Path, family: str = "qwen3_vl", **changes: Any) -> Recipe:
    """An SFT recipe, or with `adapter` a DPO recipe, of 6 steps; `changes` are dotted keys with `__` for the dot."""
    adapter = changes.pop("adapter", None)
    values: dict[str, Any] = {
        "method": "dpo" if adapter else "sft",
        "model": {"base": str(place / family)} | ({"adapter": str(adapter)} if adapter else {}),
        "data": {"folder": str(place / "data")},
        "optim": {"learning_rate": 0.005, "batch_size": 4, "micro_batch_size": 2, "steps": 6, "schedule": "linear"},
        "output": str(output),
        "save_steps": 3,
    }
    if not adapter:
        values["lora"] = {"rank": 4, "dropout": 0.1}  # dropout: resuming must restore the random state, too
    for name, value in changes.items():
        *sections, key = name.split("__")
        target = values
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value
    return Recipe.model_validate(values)


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
