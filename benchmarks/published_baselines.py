"""Recompute the published figures of croppers that see no picture, from copies of the annotations.

    python benchmarks/published_baselines.py ../shared/data

The folder holds `fcdb/`, `flms_a/`, `gaicd_v1/` and `hcic/`; no photo is opened. Prints one Markdown table: what our
evaluator finds, what was published, by how much they may differ (half of the last printed digit; .002 and a photo at
the threshold where sizes of absent photos are inferred), and leaves with 1 if a figure differs by more.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.published_fcdb import fcdb_boxes, fcdb_pairs, fcdb_ranking, fcdb_windows
from benchmarks.published_rows import CROPS, INFERRED, Row, box_of, box_rows
from crop_reasoning.errors import CropReasoningError
from crop_reasoning.evaluation.compat import bozhang, huizeng
from crop_reasoning.evaluation.compat.candidates import Image
from crop_reasoning.evaluation.coordinate import acc_box
from crop_reasoning.evaluation.ranking import rank
from crop_reasoning.geometry import Box, Size, corners
from crop_reasoning.records import read_jsonl
from data_builders import flms
from data_builders.gaicd import read_annotation


@dataclass(frozen=True, slots=True)
class Rated:
    """One photo of GAICD: its rated candidates `y1 x1 y2 x2` in pixels in the file's order, their MOS and its size."""

    wh: Size
    rows: tuple[tuple[float, ...], ...]
    mos: tuple[float, ...]

    @property
    def boxes(self) -> list[Box]:
        return [box_of(row, "y1 x1 y2 x2", self.wh) for row in self.rows]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with the copies")
    try:
        rows = all_rows(parser.parse_args(arguments).data)
    except CropReasoningError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    print("| data | figure | n | published | found | may differ by | |\n|---|---|---|---|---|---|---|")
    for row in rows:
        verdict = "" if row.agrees else "**differs**"
        print(
            f"| {row.data} | {row.what} | {row.n} | {row.published} | {row.found:.6f} | {row.allowed:g} | {verdict} |"
        )
    wrong = sum(not row.agrees for row in rows)
    print(f"\n{len(rows)} figures, {wrong} differ")
    return int(wrong > 0)


def all_rows(data: Path) -> list[Row]:
    """Every figure that the copies in `data` allow to recompute."""
    parts: tuple[Callable[[Path], Iterable[Row]], ...] = (
        fcdb_boxes, fcdb_windows, fcdb_pairs, fcdb_ranking, flms_boxes, gaicd_candidates, gaicd_boxes,
    )  # fmt: skip
    return [row for part in parts for row in part(data)]


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
    """GAICD v1's test photos; the size of a photo is the smallest that its grid allows (15 of 200 allow two)."""
    root = data / "gaicd_v1"
    found = []
    for line in read_jsonl(root / "manifest.jsonl"):
        if line["split"] == "test":
            crops, _ = read_annotation(root / "annotations" / f"{Path(line['file']).stem}.txt")
            w, h = min(line["size_candidates_wh"])
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


NAMES = {
    "acc4_5": "Acc_{{{}/5}}",
    "acc4_10": "Acc_{{{}/10}}",
    "wacc4_5": "Acc^w_{{{}/5}}",
    "wacc4_10": "Acc^w_{{{}/10}}",
}
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
