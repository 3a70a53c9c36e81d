"""What an analysis costs, part by part: ms of one core a photo of 512 px, and for 90 crops of it.

python benchmarks/analysis_speed.py <folder of photos> --photos 20
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.composition import curves, lines, patterns, subject, symmetry, triangles, weight
from crop_reasoning.composition.analysis import analyse, analyse_crop, edge_cuts, measure
from crop_reasoning.composition.primitives import Frame, primitives, working_frame
from crop_reasoning.geometry import Box
from crop_reasoning.images import load_upright


def main() -> None:
    import cv2

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=20)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    corners = [(*rng.uniform(0, 0.35, 2), *rng.uniform(0.65, 1, 2)) for _ in range(90)]
    crops = [Box(*(float(value) for value in corner)) for corner in corners]
    spent: dict[str, list[float]] = {}
    for path in sorted(arguments.folder.glob("*.jpg"))[: arguments.photos]:
        for name, work in parts(load_upright(path), crops).items():
            start = time.process_time()
            work()
            spent.setdefault(name, []).append(1000 * (time.process_time() - start))
    print("| part | ms: median | slowest |\n|---|---|---|")
    for name, values in spent.items():
        print(f"| {name} | {statistics.median(values):.1f} | {max(values):.1f} |")


def parts(image: Any, crops: list[Box]) -> dict[str, Callable[[], Any]]:
    """What is timed, by name; each does its work anew when called."""
    seen = primitives(working_frame(image)[0])
    frame = Frame(0, 0, *seen.wh)
    segments, coarse = lines.find_segments(seen)
    straight = lines.find_lines(segments, seen)
    structure = symmetry.find_structure(seen)
    subjects = subject.find_subjects(seen)
    measured = measure(image)
    return {
        "channels and gradients": lambda: primitives(working_frame(image)[0]),
        "segments": lambda: lines.find_segments(seen),
        "lines": lambda: lines.find_lines(segments, seen),
        "curves": lambda: curves.find_curves(coarse, seen, subjects),
        "triangles": lambda: triangles.find_triangles(straight, frame, seen.noise),
        "structure": lambda: symmetry.find_structure(seen),
        "pattern": lambda: patterns.find_pattern(structure),
        "subject, faces and networks included": lambda: subject.find_subjects(seen),
        "subject without networks": lambda: subject.find_subjects(seen, neural=False),
        "weights": lambda: weight.find_weights(seen, subjects),
        "one analysis": lambda: analyse(image),
        "90 crops of a measured photo": lambda: [analyse_crop(measured, crop) for crop in crops],
        "edge cuts of 90 crops": lambda: [edge_cuts(measured, crop) for crop in crops],
    }


if __name__ == "__main__":
    main()
