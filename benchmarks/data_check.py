"""Seconds and memory of `data check` on a big synthetic data set, beside the stock ways to read such files, in one run.

    python benchmarks/data_check.py --records 100000

Makes N records with a photo file, a rationale, a ranked pair and its two answers each in a temporary folder, then runs
every contender `RUNS` times in a process of its own. The memory is the highest sum over that process and its children,
sampled every 20 ms; pages that they share count in each. The stock contenders read the same four files, and check less:
`json` parses lines, pydantic also types them, `datasets` puts them into Arrow tables.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.authors.boxes import author_rationale
from crop_reasoning.geometry import place
from crop_reasoning.log import progress, say
from crop_reasoning.records import CropRecord, ImageRef, Pair, ScoredCrop, to_json

RUNS, TEMPLATES = 3, 200
STOCK = {
    "json.loads alone": """
import json
for path in paths:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
""",
    "pydantic TypeAdapter": """
from typing import Any
from typing_extensions import TypedDict
from pydantic import TypeAdapter
box = list[float]
image = TypedDict("image", {"path": str, "sha256": str, "wh": list[int]})
crop = TypedDict("crop", {"box": box, "score": float, "source": str})
record = TypedDict("record", {"id": str, "dataset": str, "split": str, "image": image, "crops": list[crop], "task": str,
    "subject": box | None, "aspect": list[int] | None, "licence": str, "provenance": str, "scene": dict[str, Any]})
pair = TypedDict("pair", {"record_id": str, "chosen": box, "rejected": box, "margin": float})
proposal = TypedDict("proposal", {"box": box, "serves": list[str], "reason": str})
decision = TypedDict("decision", {"box": box, "why": str})
answer = TypedDict("answer", {"subject": box | None, "elements": list[dict[str, Any]], "proposals": list[proposal],
    "decision": decision})
rationale = TypedDict("rationale", {"record_id": str, "author": str, "grammar": str, "rationale": answer})
both = TypedDict("both", {"pair": pair, "author": str, "grammar": str, "chosen": answer, "rejected": answer})
for path, kind in zip(paths, (record, pair, rationale, both), strict=True):
    validate = TypeAdapter(kind).validate_json
    with path.open("rb") as file:
        for line in file:
            validate(line)
""",
    "datasets.load_dataset('json')": """
import tempfile
from datasets import load_dataset
for path in paths:
    with tempfile.TemporaryDirectory() as cache:
        load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
""",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folder(folder, count)
        paths = [folder / f"{stem}.jsonl" for stem in ("records", "pairs", "rationales", "pair_rationales")]
        size = sum(path.stat().st_size for path in paths)
        header = f"from pathlib import Path\npaths = [Path(name) for name in {[str(path) for path in paths]}]\n"
        commands = {"data check": ["-m", "crop_reasoning", "data", "check", name]}
        commands |= {stock: ["-c", header + script] for stock, script in STOCK.items()}
        say(f"{count:,} records, as many pairs, rationales and pair rationales: {size / 1e6:.0f} MB; n = {RUNS}")
        say("| what | seconds: median [least, most] | of CPU | peak memory, MB |\n|---|---|---|---|")
        for label, command in commands.items():
            runs = [measured([sys.executable, *command]) for _ in range(RUNS)]
            cells = [
                f"{statistics.median(values):.1f} [{min(values):.1f}, {max(values):.1f}]"
                for values in ([run[0] for run in runs], [run[1] for run in runs])
            ]
            say(f"| {label} | {' | '.join(cells)} | {max(run[2] for run in runs) / 1e6:.0f} |")


def make_folder(folder: Path, count: int) -> None:
    """Records of `TEMPLATES` kinds under ids and photos of their own, with all that belongs to them."""
    (folder / "images").mkdir()
    templates = [_template(index) for index in range(TEMPLATES)]
    names = ("records", "pairs", "rationales", "pair_rationales")
    files = [(folder / f"{name}.jsonl").open("w", encoding="utf-8") for name in names]
    for index, template in zip(progress(range(count), "records made", count), itertools.cycle(templates)):
        (folder / "images" / f"{index}.jpg").touch()
        for file, line in zip(files, template, strict=True):
            file.write(line.replace("INDEX", str(index)).replace("DIGEST", f"{index:064x}"))
    for file in files:
        file.close()


def _template(index: int) -> list[str]:
    rng = np.random.default_rng(index)
    boxes = [place(tuple(rng.uniform(0.3, 0.7, 2)), tuple(rng.uniform(0.3, 0.9, 2))) for _ in range(3)]
    crops = tuple(ScoredCrop(box, score, "synthetic") for box, score in zip(boxes, (3.0, 2.0, 1.0), strict=True))
    split = ("train", "val", "test")[index % 3]
    record = CropRecord(
        "synthetic-INDEX", "synthetic", split, ImageRef("images/INDEX.jpg", "DIGEST", (640, 480)), crops
    )
    pair = Pair(record.id, boxes[0], boxes[1], 0.5)
    [rationale] = author_rationale(record, (boxes[0],), rng)
    chosen, rejected = author_rationale(record, (boxes[0], boxes[1]), rng)
    author = {"author": "boxes/3", "grammar": "rationale/1"}
    values: list[Any] = [record, pair, {"record_id": record.id, **author, "rationale": rationale}]
    values.append({"pair": pair, **author, "chosen": chosen, "rejected": rejected})
    return [json.dumps(to_json({"line": value})["line"]) + "\n" for value in values]


def measured(command: list[str]) -> tuple[float, float, int]:
    """Seconds, seconds of CPU and peak bytes (with all children) of a command that must end well."""
    start, spent, peak = time.perf_counter(), _spent(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(process.stderr.read() if process.stderr else f"{command[:3]} failed")
    return seconds, _spent() - spent, peak


def _spent() -> float:
    """Seconds of CPU of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _memory(pid: int) -> int:
    """Resident bytes of a process and all below it; 0 once it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    resident = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)
    return 1024 * resident + sum(_memory(int(child)) for child in below)


if __name__ == "__main__":
    main()
