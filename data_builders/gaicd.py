"""GAICD (Zeng et al., CVPR 2019, TPAMI 2020): up to 90 grid crops a photo, each with the mean opinion of seven people.

Rows are `y1 x1 y2 x2 MOS` in pixels of the original photo; an MOS of -2 marks a candidate that was never rated, because
its width over height is not within (0.5, 2.2). The candidates follow from a photo's size alone, which tells a photo of
another size.
"""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size
from data_builders.importing import Crop, Listed, Rules, Source
from data_builders.orders import pixels, written
from data_builders.sources import find_root, numbers, photos_in

OFFICIAL = {"gaicd_v1": {"train": 1036, "test": 200}, "gaicd_v2": {"train": 2636, "val": 200, "test": 500}}
BINS, UNRATED = 12, -2.0
WORST_MOS, BEST_MOS = 1.0, 5.0
ROWS_V1 = 90
"""Version 1 lists the whole grid of each photo, so that a file that was cut short is seen."""
ORDER = "y1 x1 y2 x2"
LICENCE = "no licence stated; research use only"
_LEAST_AREA = 0.4999 * BINS * BINS
_SLACK_PX = 1.0


def read_v1(root: Path | None) -> Source:
    """Version 1: photos in `images/{train,test}`, one flat folder `annotations`; the photo's folder is its split."""
    root = find_root(root, "gaicd_v1", ["images", "annotations"], "GAIC", "GAICD")
    if (root / "annotations" / "train").is_dir():
        raise DataError(f"{root}: has a folder of annotations for each split, as version 2 has; build gaicd_v2 from it")
    return _read("gaicd_v1", root, dict.fromkeys(OFFICIAL["gaicd_v1"], root / "annotations"), ROWS_V1)


def read_v2(root: Path | None) -> Source:
    """Version 2: photos in `images/{train,val,test}`, annotations in folders of the same names."""
    root = find_root(root, "gaicd_v2", ["images", "annotations"], "GAIC", "GAICD")
    if not (root / "annotations" / "train").is_dir():
        raise DataError(f"{root}: its annotations lie in one flat folder, as in version 1; build gaicd_v1 from it")
    return _read("gaicd_v2", root, {split: root / "annotations" / split for split in OFFICIAL["gaicd_v2"]})


def candidates(wh: Size) -> list[tuple[int, int, int, int]]:
    """The grid of a photo of size `wh`: 90 boxes `y1 x1 y2 x2` in pixels, in the order of the annotation files.

    Corners stand in the middle of 12 x 12 bins, the upper left in the first four, the lower right in the last four, of
    which those with half of the photo's bins or more are kept. Read off the released annotations, which it reproduces.
    """
    w, h = wh
    starts, ends = range(4), range(BINS - 4, BINS)
    x, y = ([math.floor(side / BINS * (k + 0.5) + 0.5) for k in range(BINS)] for side in (w, h))
    return [
        (y[top], x[left], y[bottom], x[right])
        for top, left, bottom, right in product(starts, starts, ends, ends)
        if (bottom - top) * (right - left) > _LEAST_AREA
    ]


def read_annotation(path: Path) -> tuple[tuple[Crop, ...], int]:
    """The rated crops of a file, best first as they stand, and how many rows were never rated.

    `DataError` for a missing file, a row that is not five numbers or rated beyond 1 to 5, a file without a rated row.
    """
    if not path.is_file():
        raise DataError(f"no annotation: {path.name}")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if line.strip():
            row = numbers(line.split(), 5, f"broken row: {path.name}:{number}")
            if row[4] != UNRATED and not WORST_MOS <= row[4] <= BEST_MOS:
                raise DataError(f"broken row: {path.name}:{number}: MOS {row[4]:g}, expected 1 to 5, or -2 if unrated")
            rows.append(row)
    rated = tuple(Crop((row[0], row[1], row[2], row[3]), row[4], "MOS") for row in rows if row[4] != UNRATED)
    if not rated:
        raise DataError(f"no rated row: {len(rows)} rows in {path.name}")
    return rated, len(rows) - len(rated)


def misfit(one: Listed, wh: Size) -> str:
    """Why a photo of size `wh` is not the annotated one: a rated box that is not on its grid; or an empty text."""
    grid = candidates(wh)
    exact = {tuple(map(float, box)) for box in grid}
    for crop in one.crops:
        if crop.values in exact:
            continue
        if not any(all(abs(a - b) <= _SLACK_PX for a, b in zip(crop.values, box, strict=True)) for box in grid):
            return f"box {written(crop.values)} ({ORDER}) is not on the grid of {pixels(wh)}; not the original photo?"
    return ""


def _read(name: str, root: Path, annotations: dict[str, Path], rows: int = 0) -> Source:
    """The photos of all splits; `rows` is how many every annotation has, 0 if that is not known."""
    listed: list[Listed] = []
    used: set[Path] = set()
    unrated = 0
    for split, folder in annotations.items():
        for photo in photos_in(root / "images" / split):
            path = folder / f"{photo.stem}.txt"
            used.add(path)
            crops: tuple[Crop, ...] = ()
            lost = ""
            try:
                crops, its_unrated = read_annotation(path)
                unrated += its_unrated
                if rows and len(crops) + its_unrated != rows:
                    lost = f"rows are missing: {path.name} has {len(crops) + its_unrated}, expected {rows}"
            except DataError as problem:
                lost = str(problem)
            listed.append(Listed(f"{name}-{photo.stem}", split, photo, crops, lost=lost))
    files = [path for folder in dict.fromkeys(annotations.values()) for path in sorted(folder.glob("*.txt"))]
    unused = [path for path in files if path not in used]
    dropped = [{"item": path.name, "reason": f"missing: no photo {path.stem}.* in images/"} for path in unused]
    rules = Rules(name, ORDER, LICENCE, misfit=misfit)
    return Source(rules, listed, files, OFFICIAL[name], dropped, {"unrated rows": unrated})
