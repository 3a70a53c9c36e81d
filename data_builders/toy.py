"""Procedural scenes as a data set: photographs nobody owns, with a known best crop and a known ranking.

Every scene draws from a generator of its own, seeded by (seed, split, index): one worker or eight give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np

from crop_reasoning.errors import RecipeError
from crop_reasoning.geometry import WHOLE, Box, centered, place
from crop_reasoning.images import sha256_of
from crop_reasoning.log import progress
from crop_reasoning.records import SPLITS, CropRecord, ImageRef, Pair, ScoredCrop, write_jsonl
from data_builders.scenes import Scene, make_scene, quality

RANKED_CROPS = 9
LEAST_MARGIN = 0.06
"""Pairs whose qualities differ by less are left to chance and not emitted."""
Rng = np.random.Generator


def build(
    root: Path | None,
    out: Path,
    *,
    train: int = 1600,
    val: int = 50,
    test: int = 200,
    seed: int = 0,
    anywhere: bool = False,
    workers: int = 2,
) -> dict[str, int]:
    """Write scenes, `records.jsonl` and `pairs.jsonl` into `out`; the number of records and pairs.

    `root` must be None: nothing is read. Pairs hold the best and another ranked crop of one scene; half of them, where
    the ranking allows, are of equal size, so that "the larger one wins" is no rule. `anywhere` makes scenes for base
    training: subjects stand anywhere in the frame, not only where a crop can put them on a third.
    """
    if root is not None:
        raise RecipeError(f"the toy data set is made, not read: drop --root {root}")
    out = Path(out)
    counts = dict(zip(SPLITS, (train, val, test), strict=True))
    for split in SPLITS:
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
    jobs = [(out, split, index, seed, anywhere) for split in SPLITS for index in range(counts[split])]
    records: list[CropRecord] = []
    pairs: list[Pair] = []
    with ProcessPoolExecutor(max(1, workers)) as pool:
        for record, its_pairs in progress(pool.map(_write_scene, jobs, chunksize=32), "scenes", len(jobs)):
            records.append(record)
            pairs.extend(its_pairs)
    return {"records": write_jsonl(out / "records.jsonl", records), "pairs": write_jsonl(out / "pairs.jsonl", pairs)}


def _write_scene(job: tuple[Path, str, int, int, bool]) -> tuple[CropRecord, list[Pair]]:
    out, split, index, seed, anywhere = job
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    scene = make_scene(rng, anywhere)
    name = f"images/{split}/{index:05d}.jpg"
    partial = out / f"{name}.partial"
    scene.image.save(partial, "JPEG", quality=92)
    os.replace(partial, out / name)  # a build that is cut short must not spoil the photo of a finished one
    crops = sorted(ranked_crops(scene, rng), key=lambda crop: -crop.score)
    record = CropRecord(
        id=f"toy-{seed}-{split}-{index:05d}",
        dataset="toy",
        split=split,
        image=ImageRef(name, sha256_of(out / name), scene.image.size),
        crops=tuple(crops),
        subject=scene.subject,
        licence="CC0-1.0",
        provenance=f"data_builders.scenes seed {seed}",
        scene={"kind": scene.kind, "elements": scene.elements},
    )
    return record, list(ranked_pairs(record, rng))


def ranked_crops(scene: Scene, rng: Rng) -> Iterable[ScoredCrop]:
    """The best crop and near misses of it, each with its `quality`."""
    best, boxes = scene.best, [scene.best]
    size = (best.width, best.height)
    for step in range(RANKED_CROPS - 1):
        shift = rng.uniform(-0.3, 0.3, 2)
        scale = 1.0 if step % 2 == 0 else float(np.exp(rng.uniform(-0.45, 0.35)))
        center = (best.center[0] + float(shift[0]), best.center[1] + float(shift[1]))
        boxes.append(place(center, (size[0] * scale, size[1] * scale)))
    rivals = [] if best.is_whole else [WHOLE]
    rivals.append(centered(float(rng.uniform(0.6, 0.9))))
    return [_scored(box, scene) for box in dict.fromkeys(chain(boxes, rivals))]


def _scored(box: Box, scene: Scene) -> ScoredCrop:
    return ScoredCrop(box, round(quality(box, scene.best, scene.subject), 4), "scene rule")


def ranked_pairs(record: CropRecord, rng: Rng, count: int = 2) -> Iterable[Pair]:
    """Up to `count` pairs of the best crop and a lower-ranked one, alternately of equal and of unequal size."""
    best, *others = record.crops
    shuffled = (others[index] for index in rng.permutation(len(others)))
    others = [crop for crop in shuffled if best.score - crop.score >= LEAST_MARGIN]
    for number in range(count):
        equal = number % 2 == 0
        for crop in others:
            if (abs(crop.box.area - best.box.area) < 0.01) == equal:
                others.remove(crop)
                yield Pair(record.id, best.box, crop.box, round(min(best.score - crop.score, 1.0), 4))
                break
