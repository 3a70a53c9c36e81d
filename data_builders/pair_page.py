"""The page about a selection of pairs: counts, shortcuts, histograms, positions, examples. No script, no other file."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.records import BUCKETS, CropRecord, Pair
from data_builders.pairs import REASONS, Selection
from data_builders.shortcuts import centrality

PAGE, TEMPLATE = "pairs.html", "pairs.html.j2"
EXAMPLES, TILE = 4, 420
BINS, GRID = 25, 12  # an odd number of bins: what is equal stands in the middle one
_WIDTH, _HEIGHT, _BASE = 360, 150, 118
Value = Callable[[Pair], float]


def _log_ratio(value: Callable[[Box], float]) -> Value:
    return lambda pair: math.log2(value(pair.chosen) / value(pair.rejected))


HISTOGRAMS: dict[str, tuple[Value, float, float, str]] = {
    "Margin": (lambda pair: pair.margin, 0.0, 1.0, "share of the votes, or of the scale"),
    "Area": (_log_ratio(lambda box: box.area), -2.0, 2.0, "log2 of chosen over rejected"),
    "Aspect": (_log_ratio(lambda box: box.width / box.height), -2.0, 2.0, "log2 of chosen over rejected"),
    "Nearness to the center": (
        lambda pair: centrality(pair.chosen) - centrality(pair.rejected),
        -0.4,
        0.4,
        "chosen minus rejected, in sides of the photo",
    ),
}
"""Name to value, the bounds of the axis (values beyond them stand in the outer bins), and what is counted."""


def write_page(
    path: Path, manifest: dict[str, Any], folder: Path, records: Sequence[CropRecord], selection: Selection
) -> None:
    """Write the page of a selection; `manifest` is what was said of it, `folder` holds the photos of `records`."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loaders = [PackageLoader("data_builders", "."), PackageLoader("crop_reasoning", "evaluation")]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    train = {record.id: record for record in records if record.split == "train"}
    before, after = (
        [pair for pair in pairs if pair.record_id in train] for pairs in (selection.before, selection.after)
    )
    shortcuts = manifest["shortcuts"]
    columns = [(shown, stage) for shown in shortcuts["after"] for stage in ("before", "after")]
    given = manifest["pairs"]["train"]["given"]
    page = environment.get_template(TEMPLATE).render(
        title=f"Preference pairs of {manifest['dataset']}",
        intro=f"{len(after):,} of {given:,} train pairs are kept, of {len({pair.record_id for pair in after}):,} "
        "photos. Pairs of other splits only score.",
        counts=manifest["pairs"],
        buckets=list(BUCKETS),
        reasons=list(REASONS),
        columns=columns,
        rules={
            rule: [shortcuts[stage][shown][rule] for shown, stage in columns] for rule in shortcuts["after"]["train"]
        },
        histograms=[
            (name, Markup(histogram_svg([value(p) for p in before], [value(p) for p in after], low, high, label)))
            for name, (value, low, high, label) in HISTOGRAMS.items()
        ],
        maps=[
            (name, Markup(drawing)) for name, drawing in zip(("Before", "After"), heat_svgs(before, after), strict=True)
        ],
        examples=_examples(folder, train, after, manifest["settings"]["seed"]),
        facts=[(name, str(value)) for name, value in manifest["settings"].items()]
        + [(f"sha256 of {name}", value) for name, value in manifest["made_from"].items()],
    )
    path.write_text(page + "\n", encoding="utf-8")


def histogram_svg(before: Sequence[float], after: Sequence[float], low: float, high: float, label: str) -> str:
    """Shares of `after` as bars and of `before` as a line, in `BINS` equal bins from `low` to `high`.

    Values beyond the axis stand in the outer bins.
    """
    shares = []
    for values in (before, after):
        places = np.clip(((np.array(values) - low) / (high - low) * BINS + 1e-9).astype(int), 0, BINS - 1)
        shares.append(np.bincount(places, minlength=BINS) / max(len(values), 1))
    top = max(float(max(map(np.max, shares))), 1e-9)
    step = _WIDTH / BINS
    bars, line = [], [f"M0 {_BASE}"]
    for index, (old, new) in enumerate(zip(*shares, strict=True)):
        height = new / top * (_BASE - 12)
        edges = f"{low + index * (high - low) / BINS:.2f} to {low + (index + 1) * (high - low) / BINS:.2f}"
        bars.append(
            f'<rect class="bar" x="{index * step + 1:.1f}" y="{_BASE - height:.1f}" width="{step - 2:.1f}" '
            f'height="{height:.1f}" rx="1.5"><title>{edges}: {new:.1%}, before {old:.1%}</title></rect>'
        )
        line.append(f"V{_BASE - old / top * (_BASE - 12):.1f}H{(index + 1) * step:.1f}")
    ticks = "".join(
        f'<text class="tick" x="{min(max(part * _WIDTH, 10), _WIDTH - 10):.0f}" y="{_BASE + 16}">'
        f"{low + part * (high - low):g}</text>"
        for part in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Histogram: {label}">'
        f'{"".join(bars)}<path class="before" d="{"".join(line)}V{_BASE}"/>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>{ticks}'
        f'<text class="tick" x="{_WIDTH / 2:.0f}" y="{_BASE + 31}">{label}</text></svg>'
    )


def heat_svgs(*stages: Sequence[Pair]) -> list[str]:
    """For each list of pairs, the share of chosen minus that of rejected centers in a grid of `GRID` by `GRID` places.

    All maps share one scale: the largest difference in any of them is the full color.
    """
    maps = [_density([pair.chosen for pair in pairs]) - _density([pair.rejected for pair in pairs]) for pairs in stages]
    top = max(float(np.abs(maps).max()), 1e-9)
    return [_heat_svg(found, top) for found in maps]


def _density(boxes: Sequence[Box]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Shares of centers, rows from the top."""
    centers = np.array([box.center for box in boxes]).reshape(-1, 2)
    bounds = ((0.0, 1.0), (0.0, 1.0))
    return np.histogram2d(centers[:, 1], centers[:, 0], GRID, bounds)[0] / max(len(boxes), 1)


def _heat_svg(values: np.ndarray[Any, np.dtype[np.float64]], top: float) -> str:
    width, height = 360 / GRID, 240 / GRID
    cells = [
        f'<rect class="{"more" if value > 0 else "less"}" x="{column * width:.1f}" y="{row * height:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}" fill-opacity="{abs(value) / top:.3f}">'
        f"<title>{value:+.2%} of the pairs</title></rect>"
        for (row, column), value in np.ndenumerate(values)
        if value
    ]
    return (
        f'<svg class="heat" viewBox="0 0 360 240" role="img" aria-label="Chosen minus rejected centers">'
        f'{"".join(cells)}<rect class="frame" x="1" y="1" width="358" height="238"/></svg>'
    )


def _examples(
    folder: Path, records: dict[str, CropRecord], pairs: Sequence[Pair], seed: int
) -> list[tuple[str, list[dict[str, str]]]]:
    """Some pairs of each bucket on their photos, with captions; a photo that cannot be read is said to be so."""
    found = []
    rng = np.random.default_rng(seed)
    for bucket in BUCKETS:
        members = [pair for pair in pairs if pair.bucket == bucket]
        drawn = [members[place] for place in sorted(rng.permutation(len(members))[:EXAMPLES])]
        if drawn:
            found.append((bucket, [_example(folder, records[pair.record_id], pair) for pair in drawn]))
    return found


def _example(folder: Path, record: CropRecord, pair: Pair) -> dict[str, str]:
    from crop_reasoning.composition.overlay import overlay
    from crop_reasoning.images import load_upright

    votes = f", votes {max(pair.votes)}:{min(pair.votes)}" if pair.votes else ""
    caption = f"{record.id}, margin {pair.margin:.2f}{votes}"
    try:
        image = load_upright(folder / record.image.path)
    except DataError as problem:
        return {"source": "", "caption": f"{caption}: {problem}"}
    image.thumbnail((TILE, TILE))
    buffer = io.BytesIO()
    overlay(image, decision=pair.chosen, experts=[pair.rejected]).save(buffer, "JPEG", quality=85)
    return {"source": f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}", "caption": caption}
