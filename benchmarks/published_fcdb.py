"""FCDB's published figures: crops and windows against the expert's, and rules without a picture on the ranked pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.published_rows import CROPS, INFERRED, Row, box_of, box_rows
from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.compat import gencrop
from crop_reasoning.evaluation.compat.items import Item, recall
from crop_reasoning.evaluation.pairs import pair_figures
from crop_reasoning.geometry import Box, Size, corners, edges_px, iou
from data_builders import fcdb
from data_builders.fcdb_layout import find_layout, read_ranking
from data_builders.importing import Listed, Ranked
from data_builders.sources import read_json

WINDOWS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""FCDB's candidate windows have these shares of the photo's sides, cut to whole pixels."""
TIED = 1e-9


def fcdb_boxes(data: Path) -> Iterable[Row]:
    """Whole image and centered crops on the photos at hand, on HCIC's split, and on all 345."""
    listed = [one for one in fcdb.read(data / "fcdb").listed if one.split == "test"]
    here = [(one, one.wh) for one in listed if one.wh and not one.lost]
    split = set(read_json(data / "hcic" / "human_bboxes" / "FCDB" / "data_split.json")["test"])
    cleaned = [(one, wh) for one, wh in here if one.photo.name in split]
    sizes = inferred_sizes(windows(data))
    of_319 = (("0.6404", "0.0994", "0.304"), ("0.6676", "0.0877", "0.354"), ("0.6465", "0.0915", "0.219"))
    of_345 = (("0.6395", "0.0998", "0.304"), ("0.6662", "0.0880", "0.351"), ("0.6443", "0.0921", "0.209"))
    groups: tuple[tuple[str, Sequence[tuple[Listed, Size]], float | None, Sequence[Sequence[str]]], ...] = (
        ("FCDB 334", here, None, (("0.640",), ("0.666",), ("0.644",))),
        ("FCDB 319 (HCIC)", cleaned, INFERRED, of_319),
        ("FCDB 345, sizes inferred", [(one, sizes[one.photo.name]) for one in listed], INFERRED, of_345),
    )
    for name, photos, within, published in groups:
        truths = [[box_of(crop.values, fcdb.ORDER, wh) for crop in one.crops] for one, wh in photos]
        yield from box_rows(name, truths, published, within)
    yield from as_published([(one, sizes[one.photo.name]) for one, _ in cleaned], of_319)


def as_published(photos: Sequence[tuple[Listed, Size]], published: Sequence[Sequence[str]]) -> Iterable[Row]:
    """The same as it was published: sizes inferred, and truths that stand out of their photo not clipped."""
    for (crop, box), figures in zip(CROPS.items(), published, strict=True):
        items = [
            Item(*wh, tuple(corners(c.values, fcdb.ORDER) for c in one.crops), (edges_px(box, wh),))
            for one, wh in photos
        ]
        found = gencrop.evaluate(items)
        ours = (found["avg_iou"], found["avg_disp"], recall(score[0] for score in found["per_image"]))
        for figure, text, value in zip(("IoU", "Disp", "recall.75"), figures, ours, strict=True):
            yield Row("FCDB 319, as published", f"{crop}, {figure}", len(items), text, value)


def windows(data: Path) -> dict[str, list[list[float]]]:
    """FCDB's candidate windows by photo, `x y w h` in pixels; the first one of each list is the ground truth."""
    return {
        entry["filename"]: entry["crops"] for entry in read_json(data / "fcdb" / "official" / "sliding_window.json")
    }


def inferred_sizes(found: dict[str, list[list[float]]]) -> dict[str, Size]:
    """The smallest sizes of photos that have just these windows, right to a pixel or two."""
    return {name: (_side({c[2] for c in crops[1:]}), _side({c[3] for c in crops[1:]})) for name, crops in found.items()}


def _side(lengths: set[float]) -> int:
    side = int(max(lengths))
    while {int(side * scale) for scale in WINDOWS} != lengths:
        side += 1
        if side > 2 * max(lengths):
            raise DataError(f"sliding_window.json: windows of {sorted(lengths)} px fit no side")
    return side


def fcdb_windows(data: Path) -> Iterable[Row]:
    """A random window and the best one; with the ground truth among them a random one looks better."""
    found = windows(data)
    sizes = inferred_sizes(found)
    without, including, best = [], [], []
    for name, crops in found.items():
        boxes = [box_of(crop, fcdb.ORDER, sizes[name]) for crop in crops]
        overlaps = [iou(box, boxes[0]) for box in boxes]
        without.append(np.mean(overlaps[1:]))
        including.append(np.mean(overlaps))
        best.append(max(overlaps[1:]))
    for what, text, values in (
        ("random window, truth excluded", "0.5018", without),
        ("random window, truth included", "0.5054", including),
        ("oracle window", "0.7765", best),
    ):
        yield Row("FCDB 345", f"{what}, IoU", len(values), text, float(np.mean(values)), INFERRED)


def fcdb_pairs(data: Path) -> Iterable[Row]:
    """Rules without a picture on the ranked pairs of the test photos at hand."""
    pairs = []
    for one in fcdb.read(data / "fcdb").listed:
        if one.split == "test" and one.wh and not one.lost:
            expert = box_of(one.crops[0].values, fcdb.ORDER, one.wh)
            pairs += [(*preferred(ranked, one.wh), expert, max(ranked.votes)) for ranked in one.ranked]
    bigger = [a.area_px - b.area_px for a, b, _, _ in pairs]
    center = [_off_center(b.box) - _off_center(a.box) for a, b, _, _ in pairs]
    nearer = [iou(a.box, expert) - iou(b.box, expert) for a, b, expert, _ in pairs]
    equal = [margin == 0 for margin in bigger]
    unequal = [margin for margin in bigger if margin]
    apart = [margin for margin in nearer if abs(margin) > TIED]
    unanimous = [m for m, pair in zip(nearer, pairs, strict=True) if pair[3] == 5 and abs(m) > TIED]
    central, name = pair_figures(center, equal), "FCDB test pairs"
    yield Row(name, "bigger wins, unequal size", len(unequal), "0.797", _accuracy(unequal))
    yield Row(name, "center wins", central.n, "0.599", central.accuracy)
    yield Row(name, "center wins, equal size", central.n_equal_size, "0.544", central.equal_size or math.nan)
    yield Row(name, "larger IoU with the expert crop, no ties", len(apart), "0.715", _accuracy(apart))
    yield Row(name, "the same, votes 5-0", len(unanimous), "0.849", _accuracy(unanimous))


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop of a ranked pair and its area in pixels as written."""

    box: Box
    area_px: float


def preferred(ranked: Ranked, wh: Size) -> tuple[Crop, Crop]:
    """The crop that more people preferred, and the other."""
    first, second = (Crop(box_of(v, fcdb.ORDER, wh), v[2] * v[3]) for v in ranked.crops)
    return (first, second) if ranked.votes[0] > ranked.votes[1] else (second, first)


def _off_center(box: Box) -> float:
    return round(math.dist(box.center, (0.5, 0.5)), 9)


def _accuracy(margins: Sequence[float]) -> float:
    return pair_figures(margins, [False] * len(margins)).accuracy


def fcdb_ranking(data: Path) -> Iterable[Row]:
    """All ranked pairs, those of photos without a split too: the second crop, and the larger one with ties wrong."""
    pairs = [pair for its in read_ranking(find_layout(data / "fcdb")).values() for pair in its]
    second = [pair.votes[1] - pair.votes[0] for pair in pairs]
    larger = [
        math.copysign(1, pair.votes[0] - pair.votes[1]) * (a[2] * a[3] - b[2] * b[3])
        for pair in pairs
        for a, b in [pair.crops]
    ]
    figures = pair_figures(larger, [margin == 0 for margin in larger])
    yield Row("FCDB ranking", "always the second crop", len(pairs), "0.7117", _accuracy(second))
    yield Row("FCDB ranking", "larger area, ties wrong", figures.n, "0.5667", figures.ties_wrong)
    yield Row("FCDB ranking", "equal areas", figures.n, "0.253", figures.n_equal_size / figures.n)
