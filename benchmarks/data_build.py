"""Seconds to build FCDB with hashing: from nothing, and a second run; beside the floor for the same photos, in one run.

    python benchmarks/data_build.py --root FCDB

The floor reads each photo once and does what no importer can leave out: sha256 of its bytes and Pillow's decoding, in
the same number of threads and nothing else. All photos are read once before, so that every contender finds them in
memory. A build also writes records, pairs, rationales, Parquet files with the photos inside, and the manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from crop_reasoning.log import say
from data_builders.build import build_dataset, listed_photos

RUNS, WORKERS = 3, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="Your copy of FCDB.")
    root = parser.parse_args().root
    photos = [photo for photo in listed_photos("fcdb", root, {}) if photo.is_file()]
    size = sum(len(photo.read_bytes()) for photo in photos)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "fcdb"

        def build() -> None:
            build_dataset("fcdb", root, out, {"workers": WORKERS})

        contenders: dict[str, tuple[Callable[[], object], bool]] = {
            "sha256 and Pillow decoding alone": (lambda: _floor(photos), False),
            "data build fcdb, from nothing": (build, True),
            "data build fcdb, a second run": (build, False),
        }
        say(f"{len(photos):,} photos, {size / 1e6:.0f} MB, {WORKERS} threads; n = {RUNS}")
        say("| what | seconds: median [least, most] |\n|---|---|")
        for label, (work, anew) in contenders.items():
            seconds = []
            for _ in range(RUNS):
                if anew:
                    shutil.rmtree(out, ignore_errors=True)
                start = time.perf_counter()
                work()
                seconds.append(time.perf_counter() - start)
            say(f"| {label} | {statistics.median(seconds):.1f} [{min(seconds):.1f}, {max(seconds):.1f}] |")


def _floor(photos: list[Path]) -> None:
    def read(photo: Path) -> None:
        content = photo.read_bytes()
        hashlib.sha256(content).hexdigest()
        with Image.open(io.BytesIO(content)) as image:
            image.convert("RGB")

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(read, photos))


if __name__ == "__main__":
    main()
