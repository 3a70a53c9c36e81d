"""How long scoring takes: 100,000 boxes at once, beside the loop over them, and what the imports cost.

    python benchmarks/scoring.py

Prints one Markdown table: processor seconds, the least of several runs, which other work on the machine hardly changes.
Boxes and truths are random, ten truths a photo, one answer in twenty failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crop_reasoning.evaluation.metrics import score_box, score_many
from crop_reasoning.evaluation.ranking import rank
from crop_reasoning.evaluation.statistics import bootstrap_mean
from crop_reasoning.geometry import Box

TRUTHS, CANDIDATES, RUNS = 10, 86, 3


def best_of(run: Callable[[], object], runs: int = RUNS) -> float:
    """Processor seconds of the fastest run, with those of processes that it started."""
    spent = []
    for _ in range(runs):
        start = sum(os.times()[:4])
        run()
        spent.append(sum(os.times()[:4]) - start)
    return min(spent)


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 4) xyxy in [0,1], sides of .2 and more."""
    corner = rng.uniform(0, 0.4, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(0.2, 0.6, (count, 2))], axis=1)


def import_seconds(statement: str) -> float:
    """The fastest of three fresh interpreters that run a statement, less one that runs nothing."""
    times = [
        best_of(lambda code=code: subprocess.run([sys.executable, "-c", code], check=True))  # type: ignore[misc]
        for code in (statement, "pass")
    ]
    return times[0] - times[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    n = parser.parse_args().n
    rng = np.random.default_rng(0)
    boxes, truths, counts = random_boxes(rng, n), random_boxes(rng, n * TRUTHS), [TRUTHS] * n
    boxes[rng.random(n) < 0.05] = np.nan
    given = [None if np.isnan(box).any() else Box(*box) for box in boxes.tolist()]
    crops = [Box(*truth) for truth in truths.tolist()]
    groups = [crops[start : start + TRUTHS] for start in range(0, len(crops), TRUTHS)]

    def loop() -> object:
        return [score_box(box, its) for box, its in zip(given, groups, strict=True)]

    together = best_of(lambda: score_many(boxes, truths, counts))
    single = best_of(loop, 1)
    scores = score_many(boxes, truths, counts)
    interval = best_of(lambda: bootstrap_mean(scores.iou.tolist()), 1)
    photos = [(rng.integers(7, 36, CANDIDATES) / 7, rng.normal(size=CANDIDATES)) for _ in range(500)]
    ranked = best_of(lambda: [rank(mos, its) for mos, its in photos], 1)
    print("| what | n | processor seconds | beside the loop |\n|---|---|---|---|")
    print(f"| `score_many`, {TRUTHS} truths each | {n} | {together:.3f} | {single / together:.0f}x faster |")
    print(f"| loop over `score_box` | {n} | {single:.3f} | 1 |")
    print(f"| bootstrap interval of one mean | {n} | {interval:.3f} | |")
    print(f"| candidate mode, {CANDIDATES} candidates | {len(photos)} | {ranked:.3f} | |")
    for module in ("metrics", "ranking", "score"):
        seconds = import_seconds(f"import crop_reasoning.evaluation.{module}")
        print(f"| `import crop_reasoning.evaluation.{module}` | 1 | {seconds:.3f} | |")


if __name__ == "__main__":
    main()
