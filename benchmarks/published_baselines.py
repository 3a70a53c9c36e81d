"""Recompute the published figures of croppers that see no picture, from copies of the annotations.

    python benchmarks/published_baselines.py ../shared/data

The folder holds `fcdb/`, `flms_a/`, `gaicd_v1/` and `hcic/`. Prints one Markdown table: what our evaluator finds, what was
published, by how much they may differ (half of the last printed digit; .002 where the sizes of absent photos are
inferred from their annotations), and leaves with 1 if a figure differs by more. Needs no photo but reads none either.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crop_reasoning.evaluation.compat import bozhang, huizeng
from crop_reasoning.evaluation.compat.candidates import Image
from crop_reasoning.evaluation.coordinate import acc_box
from crop_reasoning.evaluation.metrics import score_many
from crop_reasoning.evaluation.pairs import pair_figures
from crop_reasoning.evaluation.ranking import rank
from crop_reasoning.geometry import WHOLE, Box, Size, centered, clip, corners, iou
from crop_reasoning.records import read_jsonl
from data_builders import fcdb, flms
from data_builders.fcdb_layout import find_layout, read_ranking
from data_builders.gaicd import read_annotation
from data_builders.importing import Listed, Ranked
from data_builders.sources import read_json

INFERRED = 0.002
LARGEST_WINDOW = 0.9
"""FCDB's largest candidate windows have this share of the photo's sides, cut to whole pixels."""
CROPS = {"whole image": WHOLE, "center .9": centered(0.9), "center .8": centered(0.8)}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was published, in its printed digits, and what is found; `within` replaces half a digit."""

    data: str
    what: str
    n: int
    published: str
    found: float
    within: float | None = None

    @property
    def allowed(self) -> float:
        return self.within or 0.5 * 10.0 ** -len(self.published.partition(".")[2])

    @property
    def agrees(self) -> bool:
        return abs(float(self.published) - self.found) <= self.allowed + 1e-12


@dataclass(frozen=True, slots=True)
class Rated:
    """One photo of GAICD: its rated candidates `y1 x1 y2 x2` in pixels in the file's order, their MOS and its size."""

    wh: Size
    rows: tuple[tuple[float, ...], ...]
    mos: tuple[float, ...]

    @property
    def boxes(self) -> list[Box]:
        return [box_of(row, "y1 x1 y2 x2", self.wh) for row in self.rows]


def box_of(values: Sequence[float], order: str, wh: Size) -> Box:
    """The part of a written box that is inside a photo of size `wh`."""
    x1, y1, x2, y2 = corners(values, order)
    return clip(x1 / wh[0], y1 / wh[1], x2 / wh[0], y2 / wh[1])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with the copies")
    rows = all_rows(parser.parse_args(arguments).data)
    print("| data | figure | n | published | found | may differ by | |\n|---|---|---|---|---|---|---|")
    for row in rows:
        verdict = "" if row.agrees else "**differs**"
        print(f"| {row.data} | {row.what} | {row.n} | {row.published} | {row.found:.6f} | {row.allowed:g} | {verdict} |")
    wrong = sum(not row.agrees for row in rows)
    print(f"\n{len(rows)} figures, {wrong} differ")
    return int(wrong > 0)


def all_rows(data: Path) -> list[Row]:
    """Every figure that the copies in `data` allow to recompute."""
    parts: tuple[Callable[[Path], Iterable[Row]], ...] = (
        fcdb_boxes, fcdb_windows, fcdb_pairs, fcdb_ranking, flms_boxes, gaicd_candidates, gaicd_boxes,
    )  # fmt: skip
    return [row for part in parts for row in part(data)]


# --- FCDB ------------------------------------------------------------------------------------------------------------


def fcdb_boxes(data: Path) -> Iterable[Row]:
    """Whole image and centered crops on the photos at hand, on HCIC's split, and on all 345."""
    listed = [one for one in fcdb.read(data / "fcdb").listed if one.split == "test"]
    here = {one.photo.name: (one, one.wh) for one in listed if one.wh and not one.lost}
    split = set(read_json(data / "hcic" / "human_bboxes" / "FCDB" / "data_split.json")["test"])
    sizes = inferred_sizes(windows(data))
    everything = [(one, one.wh or sizes[one.photo.name]) for one in listed]
    groups: tuple[tuple[str, Sequence[tuple[Listed, Size]], float | None, Sequence[Sequence[str]]], ...] = (
        ("FCDB 334", list(here.values()), None, (("0.640",), ("0.666",), ("0.644",))),
        (
            "FCDB 319 (HCIC)",
            [pair for name, pair in here.items() if name in split],
            None,
            (("0.6404", "0.0994", "0.304"), ("0.6676", "0.0877", "0.354"), ("0.6465", "0.0915", "0.219")),
        ),
        (
            "FCDB 345",
            everything,
            INFERRED,
            (("0.6395", "0.0998", "0.304"), ("0.6662", "0.0880", "0.351"), ("0.6443", "0.0921", "0.209")),
        ),
    )
    for name, photos, within, published in groups:
        truths = [[box_of(crop.values, fcdb.ORDER, wh) for crop in one.crops] for one, wh in photos]
        yield from box_rows(name, truths, published, within)


def box_rows(
    data: str, truths: Sequence[Sequence[Box]], published: Sequence[Sequence[str]], within: float | None = None
) -> Iterable[Row]:
    """IoU, Disp and recall of `CROPS`, as many of the three as were published."""
    flat = np.array([truth.xyxy for its in truths for truth in its])
    for (crop, box), figures in zip(CROPS.items(), published, strict=True):
        found = score_many(np.array([box.xyxy] * len(truths)), flat, [len(its) for its in truths])
        ours = (("IoU", float(found.iou.mean())), ("Disp", float(found.disp.mean())), ("recall.75", found.recall()))
        for text, (figure, value) in zip(figures, ours, strict=False):
            yield Row(data, f"{crop}, {figure}", len(truths), text, value, within)


def windows(data: Path) -> dict[str, list[list[float]]]:
    """FCDB's candidate windows by photo, `x y w h` in pixels; the first one of each list is the ground truth."""
    return {entry["filename"]: entry["crops"] for entry in read_json(data / "fcdb" / "official" / "sliding_window.json")}


def inferred_sizes(found: dict[str, list[list[float]]]) -> dict[str, Size]:
    """Sizes of photos by their largest windows, to a pixel."""
    return {
        name: (
            math.ceil(max(crop[2] for crop in crops[1:]) / LARGEST_WINDOW),
            math.ceil(max(crop[3] for crop in crops[1:]) / LARGEST_WINDOW),
        )
        for name, crops in found.items()
    }


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
    unanimous = [margin for margin, pair in zip(nearer, pairs, strict=True) if pair[3] == 5]
    central, name = pair_figures(center, equal), "FCDB test pairs"
    yield Row(name, "bigger wins, unequal size", len(unequal), "0.797", _accuracy(unequal))
    yield Row(name, "center wins", central.n, "0.599", central.accuracy)
    yield Row(name, "center wins, equal size", central.n_equal_size, "0.544", central.equal_size or math.nan)
    yield Row(name, "nearer the expert crop", len(nearer), "0.715", _accuracy(nearer))
    yield Row(name, "nearer the expert crop, votes 5-0", len(unanimous), "0.849", _accuracy(unanimous))


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


# --- FLMS ------------------------------------------------------------------------------------------------------------


def flms_boxes(data: Path) -> Iterable[Row]:
    """Half of FLMS's photos, up to ten crops each."""
    source = flms.read(data / "flms_a")
    truths = []
    for one in source.listed:
        if one.wh is None:
            continue
        edges = [corners(crop.values, source.rules.order) for crop in one.crops]
        kept = [e for e in edges if e[0] < e[2] and e[1] < e[3]]  # two released rows are inverted
        truths.append([box_of(e, "x1 y1 x2 y2", one.wh) for e in kept])
    published = (("0.8252", "0.0452", "0.784"), ("0.8122", "0.0476", "0.800"), ("0.7851", "0.0512", "0.752"))
    yield from box_rows("FLMS (flms_a)", truths, published)


# --- GAICD -----------------------------------------------------------------------------------------------------------


def rated_photos(data: Path) -> list[Rated]:
    """GAICD v1's test photos; the size of a photo is one of those that its grid allows."""
    root = data / "gaicd_v1"
    found = []
    for line in read_jsonl(root / "manifest.jsonl"):
        if line["split"] == "test":
            crops, _ = read_annotation(root / "annotations" / f"{Path(line['file']).stem}.txt")
            w, h = line["size_candidates_wh"][0]
            found.append(Rated((w, h), tuple(crop.values for crop in crops), tuple(crop.score for crop in crops)))
    return found


def gaicd_candidates(data: Path) -> Iterable[Row]:
    """Three scorers that see no picture: the largest crop, the file's order, and a random one."""
    photos = rated_photos(data)
    name, n = "GAICD v1 candidates", len(photos)
    areas = [Image(one.mos, tuple(float((r[2] - r[0]) * (r[3] - r[1])) for r in one.rows)) for one in photos]
    constant = [Image(one.mos, (0.0,) * len(one.mos)) for one in photos]
    largest, in_order = huizeng.candidate_mode(areas), huizeng.candidate_mode(constant)
    for scorer, figures, table in (
        ("largest area", largest, LARGEST_AREA),
        ("constant, file order", in_order, CONSTANT),
        ("constant, sorted by MOS", bozhang.official(constant), {"acc4_5": ("1.0",), "acc4_10": ("1.0",)}),
    ):
        for key, texts in table.items():
            for k, text in enumerate(texts, 1):
                yield Row(name, f"{scorer}, {NAMES[key].format(k)}", n, text, figures[key][k - 1])
    yield Row(name, "largest area, SRCC", n, "0.318", largest["avg_srcc"])
    yield Row(name, "largest area, PCC", n, "0.326", largest["avg_pcc"])
    ranked = [rank(one.mos, one.scores) for one in constant]
    for top, text, exact in ((5, "0.0765", "0.0578"), (10, "0.1391", "0.1156")):
        yield Row(name, f"random, Acc_{{1/{top}}}", n, text, float(np.mean([one.acc[1, top] for one in ranked])))
        share = float(np.mean([top / len(one.mos) for one in photos]))
        yield Row(name, f"random, Acc_{{1/{top}}} of exactly {top}", n, exact, share)


NAMES = {"acc4_5": "Acc_{{{}/5}}", "acc4_10": "Acc_{{{}/10}}", "wacc4_5": "Acc^w_{{{}/5}}", "wacc4_10": "Acc^w_{{{}/10}}"}
LARGEST_AREA = {
    "acc4_5": ("0.245", "0.2025", "0.1883", "0.1975"),
    "acc4_10": ("0.41", "0.3525", "0.3467", "0.3613"),
    "wacc4_5": ("0.1426", "0.1251", "0.1078", "0.1202"),
    "wacc4_10": ("0.2623", "0.2265", "0.2130", "0.2290"),
}
CONSTANT = {
    "acc4_5": ("0.075", "0.0875", "0.1133", "0.095"),
    "acc4_10": ("0.105", "0.145", "0.1817", "0.1563"),
}


def gaicd_boxes(data: Path) -> Iterable[Row]:
    """Whole image and centered crops against the best-rated crop (the first of tied ones), and coordinate mode."""
    photos = rated_photos(data)
    best = [[one.boxes[max(range(len(one.mos)), key=one.mos.__getitem__)]] for one in photos]
    yield from box_rows(
        "GAICD v1, best crop", best, (("0.618", "0.106"), ("0.733", "0.065"), ("0.709", "0.070")), INFERRED
    )
    grids = [one.boxes for one in photos]
    table = {
        ("whole image", 0.85): ("0", "0"),
        ("center .9", 0.85): ("0.540", "0.755"),
        ("center .9", 0.9): ("0.245", "0.410"),
        ("center .8", 0.85): ("0.175", "0.435"),
        ("center .8", 0.9): ("0", "0"),
    }
    for ((crop, epsilon), texts), (top, place) in product(table.items(), ((5, 0), (10, 1))):
        hits = [
            acc_box([CROPS[crop]], grid, one.mos, k=1, top=top, epsilon=epsilon)
            for grid, one in zip(grids, photos, strict=True)
        ]
        what = f"{crop}, AccBox_{{1/{top}}}@{epsilon:.2f}"
        yield Row("GAICD v1 boxes", what, len(photos), texts[place], float(np.mean(hits)), INFERRED)



if __name__ == "__main__":
    raise SystemExit(main())
