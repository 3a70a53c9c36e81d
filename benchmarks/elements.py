"""How well the ten compositional elements are found, on painted scenes whose geometry is known.

    python benchmarks/elements.py                             # 60 scenes an element, 60 of none, a Markdown document
    python benchmarks/elements.py --scenes 8 --degraded 0     # a quick look
    python benchmarks/elements.py --json > elements.json

Example of what is counted: in a scene of a road, `diagonal` is true, `triangle` ambiguous (its edges form one), and
`symmetric` absent; reporting `diagonal` is a hit, `triangle` neither, `symmetric` a false alarm.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from benchmarks.element_scores import Judged, judge_scene, summary
from benchmarks.element_tables import document
from benchmarks.scenes.degradations import DEGRADATIONS
from benchmarks.scenes.element_scenes import element_scene
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.log import progress

Analyse = Callable[[Image.Image], Any]
"""Photo to an analysis whose `elements` are what it found: each with `name`, `line`, `vanishing` in [0,1]."""
NAMES: tuple[str | None, ...] = (*ELEMENTS, None)


@dataclass(frozen=True, slots=True)
class Job:
    """One scene to judge: the element it is painted for, its seed, and what befalls it ("" for nothing)."""

    name: str | None
    seed: int
    degradation: str = ""


def jobs_of(scenes: int, degraded: int, seed: int) -> list[Job]:
    """`scenes` of each element and of none as they are, then the first `degraded` of them under each degradation."""
    first = seed * 1_000_000  # scenes of two seeds never meet
    kinds = [("", scenes), *((kind, min(degraded, scenes)) for kind in DEGRADATIONS)]
    return [Job(name, first + k, kind) for kind, count in kinds for name in NAMES for k in range(count)]


def judged(analyse: Analyse, job: Job) -> Judged:
    """Paint a scene, let it happen what happens, have it analysed, and hold the answer against the truth."""
    scene = element_scene(job.name, job.seed)
    image = DEGRADATIONS[job.degradation](scene.image) if job.degradation else scene.image
    return judge_scene(job.name, job.degradation, scene, analyse(image).elements)


def examine(judgements: Iterable[Judged]) -> dict[str, Any]:
    """All figures of an examination as JSON values: {degradation or "none": the summary of its scenes}."""
    in_order = sorted(judgements, key=lambda one: one.degradation)
    return {kind or "none": summary(list(group)) for kind, group in groupby(in_order, key=lambda one: one.degradation)}


def main() -> None:
    options = _options()
    from crop_reasoning.composition.analysis import analyse

    jobs = jobs_of(options.scenes, options.degraded, options.seed)
    with ProcessPoolExecutor(options.workers) as pool:
        answers = pool.map(partial(judged, analyse), jobs, chunksize=4)
        figures = examine(progress(answers, "scenes", len(jobs)))
    settings = {"scenes": options.scenes, "degraded": options.degraded, "seed": options.seed}
    print(json.dumps({**settings, "results": figures}, indent=1) if options.json else document(figures, settings))


def _options() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=60, help="scenes an element, and of none (default %(default)s)")
    parser.add_argument("--degraded", type=int, default=20, help="how many of them degraded, too (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which scenes (default %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one a core)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.scenes < 1 or options.degraded < 0 or options.seed < 0:
        parser.error("--scenes must be 1 or more, --degraded and --seed 0 or more")
    return options


if __name__ == "__main__":
    main()
