"""Figures of a built data set: sizes and shapes of its crops, what trivial rules score on it, what its answers name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.pairs import is_equal_size
from crop_reasoning.geometry import WHOLE, Box, aspect_px, centered, iou
from crop_reasoning.reasoning.rationale import Rationale
from crop_reasoning.reasoning.store import RATIONALES, read_rationales
from crop_reasoning.records import SPLITS, CropRecord, Pair, read_pairs, read_records

BASELINES = {"whole": WHOLE, "center .9": centered(0.9), "center .8": centered(0.8)}
MARGIN_BINS = (0.2, 0.4, 0.6, 0.8, 1.0)
_TIE = 1e-5  # boxes are stored with six decimals


def dataset_stats(folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of each split that has records, in the order of `SPLITS`; shares and IoU lie in [0,1]."""
    records = read_records(folder)
    pairs = read_pairs(folder) if (folder / "pairs.jsonl").is_file() else []
    rationales = read_rationales(folder) if (folder / RATIONALES).is_file() else {}
    split_of = {record.id: record.split for record in records}
    if foreign := [pair.record_id for pair in pairs if pair.record_id not in split_of]:
        raise DataError(f"{folder}: {len(foreign)} pairs of unknown records, {foreign[0]!r} first; run `data check`")
    figures = {}
    for split in SPLITS:
        members = [record for record in records if record.split == split]
        if members:
            its_pairs = [pair for pair in pairs if split_of[pair.record_id] == split]
            answers = [answer for record in members for answer in rationales.get(record.id, [])]
            figures[split] = {**record_stats(members), **pair_stats(its_pairs), **rationale_stats(answers)}
    return figures


def record_stats(records: Sequence[CropRecord]) -> dict[str, Any]:
    """Sizes and shapes of the best crops, and the IoU with them of boxes that cost nothing. Aspects are in pixels."""
    best = [(record.best, record.image.wh) for record in records]
    return {
        "records": len(records),
        "photo aspect": _spread([w / h for _, (w, h) in best]),
        "crop area": _spread([box.area for box, _ in best]),
        "crop aspect": _spread([aspect_px(box, wh) for box, wh in best]),
        "best kept whole": sum(box.is_whole for box, _ in best) / len(best),
        "IoU with the best crop": {
            name: round(fmean(iou(constant, box) for box, _ in best), 6) for name, constant in BASELINES.items()
        },
    }


def pair_stats(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Counts and margins of ranked pairs, and how often a rule that sees no picture is right (ties count half)."""
    equal = [pair for pair in pairs if is_equal_size(pair)]
    unequal = [pair for pair in pairs if not is_equal_size(pair)]
    margins = Counter(next((top for top in MARGIN_BINS if pair.margin <= top + _TIE), 1.0) for pair in pairs)
    return {
        "pairs": len(pairs),
        "margins": {f"up to {top}": margins[top] for top in MARGIN_BINS if margins[top]},
        "bigger wins, unequal size": _rule(unequal, lambda box: box.area),
        "center wins, equal size": _rule(equal, lambda box: -math.dist(box.center, (0.5, 0.5))),
        "center wins, all": _rule(pairs, lambda box: -math.dist(box.center, (0.5, 0.5))),
    }


def rationale_stats(rationales: Sequence[Rationale]) -> dict[str, Any]:
    """How many answers there are, how often they keep the whole, and what they name, most frequent first."""
    seen = Counter(element.name for answer in rationales for element in answer.elements)
    served = Counter(name for answer in rationales for proposal in answer.proposals for name in proposal.serves)
    return {
        "rationales": len(rationales),
        "decide to keep": sum(answer.decision.keep for answer in rationales),
        "elements seen": dict(seen.most_common()),
        "elements served by proposals": dict(served.most_common()),
    }


def _rule(pairs: Sequence[Pair], value: Callable[[Box], float]) -> dict[str, float]:
    """How many pairs there are and the share in which `value` is higher for the chosen crop; ties count half."""
    gaps = [value(pair.chosen) - value(pair.rejected) for pair in pairs]
    right = sum(0.5 if abs(gap) <= _TIE else float(gap > 0) for gap in gaps)
    return {"n": len(pairs), "right": round(right / len(pairs), 6)} if pairs else {"n": 0}


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, quartiles and extremes."""
    low, middle, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    figures = {"mean": fmean(values), "min": min(values), "25 %": low, "50 %": middle, "75 %": high, "max": max(values)}
    return {name: round(value, 3) for name, value in figures.items()}
