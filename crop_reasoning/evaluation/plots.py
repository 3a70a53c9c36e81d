"""Small drawings as inline SVG: the IoU histogram, and an interval on a shared scale.

Colors are the page's CSS variables, so they follow light and dark. Numbers in, SVG text out; no label comes from a
model, so nothing here needs escaping.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from crop_reasoning.evaluation.metrics import RECALL_IOU
from crop_reasoning.evaluation.statistics import Interval

BINS = 20
_WIDTH, _HEIGHT, _BASE = 360, 150, 118


def histogram_svg(ious: Sequence[float], n_failed: int = 0) -> str:
    """IoU of all images in `BINS` equal bins over [0,1] (the last one closed); failures stand out in the first bin.

    The dashed line marks the recall threshold, the solid one the mean.
    """
    counts = [0] * BINS
    for value in ious:
        counts[min(int(value * BINS + 1e-9), BINS - 1)] += 1
    top = max([*counts, 1])
    step = _WIDTH / BINS
    bars = []
    for index, count in enumerate(counts):
        failed = min(n_failed, count) if index == 0 else 0
        base = float(_BASE)
        for number, css in ((failed, "bar-failed"), (count - failed, "bar")):
            if number:
                height = number / top * (_BASE - 12)
                base -= height
                bars.append(
                    f'<rect class="{css}" x="{index * step + 1:.1f}" y="{base:.1f}" width="{step - 2:.1f}" '
                    f'height="{height:.1f}" rx="1.5"><title>{number} images, IoU {index / BINS:.2f} to '
                    f"{(index + 1) / BINS:.2f}{' (failed answers)' if css != 'bar' else ''}</title></rect>"
                )
    ticks = "".join(
        f'<text class="tick" x="{min(max(share * _WIDTH, 8), _WIDTH - 8):.0f}" y="{_BASE + 16}">{share:g}</text>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    mean = sum(ious) / len(ious) * _WIDTH if ious else 0.0
    threshold = RECALL_IOU * _WIDTH
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Histogram of IoU">'
        f'<line class="threshold" x1="{threshold:.1f}" x2="{threshold:.1f}" y1="4" y2="{_BASE}"/>{"".join(bars)}'
        f'<line class="mean" x1="{mean:.1f}" x2="{mean:.1f}" y1="4" y2="{_BASE}"/>'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_BASE}" y2="{_BASE}"/>{ticks}'
        f'<text class="tick" x="{_WIDTH / 2:.0f}" y="{_BASE + 31}">IoU</text></svg>'
    )


def shared_scale(intervals: Sequence[Interval]) -> tuple[float, float]:
    """A scale within [0,1] that holds all intervals with some air, in tenths.

    >>> shared_scale([Interval(0.55, 0.52, 0.58, 9), Interval(0.7, 0.66, 0.73, 9)])
    (0.5, 0.8)
    """
    low = math.floor(min(interval.low for interval in intervals) * 10 + 1e-9) / 10
    high = math.ceil(max(interval.high for interval in intervals) * 10 - 1e-9) / 10
    return (max(0.0, low), min(1.0, max(high, low + 0.1)))


def interval_svg(interval: Interval, scale: tuple[float, float]) -> str:
    """A mean as a dot and its interval as a line, on `scale`."""
    low, high = scale

    def at(value: float) -> float:
        return 6 + 108 * (value - low) / (high - low)

    return (
        '<svg class="interval" viewBox="0 0 120 16" aria-hidden="true">'
        '<line class="axis" x1="6" x2="114" y1="8" y2="8"/>'
        f'<line class="whisker" x1="{at(interval.low):.1f}" x2="{at(interval.high):.1f}" y1="8" y2="8"/>'
        f'<circle class="dot" cx="{at(interval.mean):.1f}" cy="8" r="4.2"/></svg>'
    )
