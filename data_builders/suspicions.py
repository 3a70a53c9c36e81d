"""Which records of a data set are most likely to be wrong, by what their boxes and scores alone say, and why.

A suspicion is no fault: `data check` finds those. It says where to look first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, zip_longest
from pathlib import Path
from statistics import median

from crop_reasoning.evaluation.metrics import ground_truths
from crop_reasoning.geometry import aspect_px, inside, iou, to_xyxy_px
from crop_reasoning.records import CropRecord
from data_builders.manifest import read_manifest

Suspicion = tuple[float, str]
"""How far beyond the limit (only positive ones count, comparable within a kind alone), and the reason in words."""
SMALL_AREA, FEW_PX, LONG_SIDE, NEARLY_WHOLE, APART = 0.25, 128, 2.0, 0.95, 0.5
"""The limits, in the order of the functions below: share, px, ratio, share, IoU."""
NONE: Suspicion = (0.0, "")


def worst_first(folder: Path, records: Sequence[CropRecord], n: int) -> list[tuple[CropRecord, str]]:
    """At most `n` records that something speaks against, each with its reason.

    The worst of every kind come first, in the order of the kinds below, then the second worst of every kind and so on,
    so that no kind hides another. A record stands under the first kind that reaches it; ties keep the records' order.
    """
    kinds: list[Callable[[CropRecord], Suspicion]] = [
        _subject_cut,
        _clipped(folder),
        _long,
        _small,
        _few_pixels,
        _rivals_apart,
        _flat_scores(records),
        _nearly_whole,
    ]
    ranked = []
    with_crops = [record for record in records if record.crops]
    for kind in kinds:
        found = [(record, *kind(record)) for record in with_crops]
        ranked.append(sorted((one for one in found if one[1] > 0), key=lambda one: -one[1]))
    chosen: dict[str, tuple[CropRecord, str]] = {}
    for row in zip_longest(*ranked):
        for one in row:
            if one is not None and len(chosen) < n:
                record, _, reason = one
                chosen.setdefault(record.id, (record, reason))
    return list(chosen.values())


def _subject_cut(record: CropRecord) -> Suspicion:
    if record.subject is None:
        return NONE
    outside = 1 - inside(record.subject, record.best)
    return outside, f"{outside:.0%} of the subject cut off"


def _clipped(folder: Path) -> Callable[[CropRecord], Suspicion]:
    manifest = read_manifest(folder) or {}
    overflow = {str(entry["item"]).split(" ")[0]: float(entry["overflow_px"]) for entry in manifest.get("clipped", [])}

    def clipped(record: CropRecord) -> Suspicion:
        over = overflow.get(Path(record.image.path).name, 0.0)
        return over, f"a box was clipped by {over:g} px"

    return clipped


def _long(record: CropRecord) -> Suspicion:
    aspect = aspect_px(record.best, record.image.wh)
    longer = max(aspect, 1 / aspect)
    return longer - LONG_SIDE, f"best crop is {longer:.1f} times as {'wide as high' if aspect > 1 else 'high as wide'}"


def _small(record: CropRecord) -> Suspicion:
    return SMALL_AREA - record.best.area, f"best crop keeps only {record.best.area:.0%}"


def _few_pixels(record: CropRecord) -> Suspicion:
    x1, y1, x2, y2 = to_xyxy_px(record.best, record.image.wh)
    return float(FEW_PX - min(x2 - x1, y2 - y1)), f"best crop of {x2 - x1}x{y2 - y1} px"


def _rivals_apart(record: CropRecord) -> Suspicion:
    least = min((iou(a, b) for a, b in combinations(ground_truths(record), 2)), default=1.0)
    return APART - least, f"best crops with an IoU of {least:.2f}"


def _flat_scores(records: Sequence[CropRecord]) -> Callable[[CropRecord], Suspicion]:
    """Scores that hardly tell a record's crops apart, where those of the data set do."""
    spreads = [spread for record in records if (spread := _spread(record)) > 0]
    usual = median(spreads) if spreads else 0.0

    def flat(record: CropRecord) -> Suspicion:
        spread = _spread(record)
        if len(record.crops) < 2:
            return NONE
        return usual / 2 - spread, f"scores within {spread:.2g}, usual are {usual:.2g}"

    return flat


def _spread(record: CropRecord) -> float:
    scores = [crop.score for crop in record.crops]
    return max(scores) - min(scores) if scores else 0.0


def _nearly_whole(record: CropRecord) -> Suspicion:
    area = record.best.area
    return NONE if record.best.is_whole else (area - NEARLY_WHOLE, f"best crop cuts only {1 - area:.1%} off")
