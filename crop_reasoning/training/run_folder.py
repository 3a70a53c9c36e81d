"""The run folder: who may write into it, what it was made from, and which checkpoint is whole.

This module owns files, not training: it must not import torch. Layout:

    recipe.yaml environment.json data.lock preflight.md samples/ metrics.jsonl checkpoints/ adapter/ eval/ README.md
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import crop_reasoning
from crop_reasoning.errors import DataError, EnvironmentProblem, RecipeError
from crop_reasoning.images import sha256_of
from crop_reasoning.log import say
from crop_reasoning.reasoning.pictures import drawn_by
from crop_reasoning.reasoning.store import DIALOGS, PAIR_RATIONALES, RATIONALES, TASK_RECORDS
from crop_reasoning.training.recipe import Recipe, as_yaml, differences, load_recipe

LOCK, RECIPE, ENVIRONMENT, DATA = "run.lock", "recipe.yaml", "environment.json", "data.lock"
PREFLIGHT, SAMPLES, METRICS, CHECKPOINTS = "preflight.md", "samples", "metrics.jsonl", "checkpoints"
ADAPTER, MODEL, CARD = "adapter", "model", "README.md"
UNTRAINED, BASE_CHECKPOINT = "untrained", "checkpoint.pt"
"""Base training's own: the weights it begins with, and its one checkpoint until it ends."""
BEFORE_TRAINING = {LOCK, RECIPE, ENVIRONMENT, DATA, PREFLIGHT, SAMPLES, UNTRAINED}
"""A folder that holds nothing else was prepared but never trained in, and may be used again."""
COMPLETE = "complete.json"
READS = {"base": (), "sft": (RATIONALES,), "dpo": (PAIR_RATIONALES,)}
FULL_DISK = ("No space left on device", "basic_ios::clear: iostream error")
"""How safetensors and torch.save put it, who hide the system's error number."""
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "safetensors", "pillow", "numpy")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process; a second one is refused with `EnvironmentProblem`.

    The kernel frees the lock when its holder dies, so one that was left behind by a killed run never blocks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    with path.open("a+", encoding="utf-8") as file:
        file.seek(0)
        holder = file.read().strip()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EnvironmentProblem(
                f"{folder}: is in use by {holder or 'another process'}; wait for it, or give another --output"
            ) from None
        if not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
            raise EnvironmentProblem(f"{folder}: another run just ended here; try again")
        if holder:
            say(f"{folder}: was left locked by {holder}, which is gone; taken over")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()  # nothing came of it, so nothing is left


def require_unused(folder: Path) -> None:
    """`RecipeError` if a folder already holds a run or files of another kind; nothing is ever overwritten."""
    if not folder.is_dir():
        return
    present = {path.name for path in folder.iterdir()}
    if present & {ADAPTER, MODEL}:
        raise RecipeError(f"{folder}: holds a finished run; give another --output, or remove the folder")
    if present & {METRICS, CHECKPOINTS, BASE_CHECKPOINT}:
        raise RecipeError(
            f"{folder}: holds a run that was stopped; continue it with --resume, or give another --output"
        )
    if stray := sorted(present - BEFORE_TRAINING):
        raise RecipeError(f"{folder}: is not empty (it holds {stray[0]!r}) and not a run; give another --output")


def require_same(folder: Path, recipe: Recipe, data: dict[str, Any]) -> None:
    """`RecipeError` or `DataError` naming what changed since the run in `folder` began."""
    if not (folder / RECIPE).is_file():
        raise RecipeError(f"{folder}: holds no run to resume; start it without --resume")
    if changed := differences(load_recipe(folder / RECIPE), recipe):
        raise RecipeError(
            f"{folder}: the recipe changed since this run began ({'; '.join(changed)}); "
            "a resumed run would be neither the one nor the other: undo the change, or give another --output"
        )
    before = json.loads((folder / DATA).read_text()) if (folder / DATA).is_file() else data
    changed = [name for name in sorted(before | data) if before.get(name) != data.get(name)]
    if changed:
        raise DataError(
            f"{folder}: changed since this run began: {', '.join(changed)} (sha256 in {DATA}); "
            "restore the files, or start a new run with another --output"
        )


def write_start(folder: Path, recipe: Recipe, data: dict[str, Any]) -> None:
    """Write what a run is made from: resolved recipe, environment, hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE).write_text(as_yaml(recipe), encoding="utf-8")
    (folder / DATA).write_text(json.dumps(data, indent=2) + "\n")
    (folder / ENVIRONMENT).write_text(json.dumps(environment(), indent=2) + "\n")


def environment() -> dict[str, Any]:
    """Versions, machine, source commit and command line of this process."""
    return {
        "crop_reasoning": crop_reasoning.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": versions(),
        "guides": drawn_by(),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def versions() -> dict[str, str]:
    """Installed versions of the packages that training rests on."""
    return {package: version(package) for package in PACKAGES}


def data_hashes(recipe: Recipe, base: Path | None = None, adapter: Path | None = None) -> dict[str, str]:
    """sha256 of everything a run is made from: the data files its method reads, and the weights it starts from.

    The records name each photo's own sha256, so the photos are covered. Weights that are on the hub are not here.
    """
    names = ("records.jsonl", *READS[recipe.method], *((DIALOGS,) if recipe.data.dialogs else ()))
    paths = [Path(recipe.data.folder) / name for name in names]
    made = Path(recipe.data.folder) / TASK_RECORDS
    paths += [made] if recipe.data.dialogs and made.is_file() else []
    for folder in (base, adapter):
        if folder and folder.is_dir():
            paths += [folder / "config.json"] if (folder / "config.json").is_file() else []
            paths += sorted(folder.glob("*.safetensors"))
    return {str(path): sha256_of(path) for path in paths}


def mark_complete(folder: Path) -> None:
    """Note the files of a folder, such as a checkpoint, that was just written whole."""
    files = {str(path.relative_to(folder)): path.stat().st_size for path in _files(folder)}
    (folder / COMPLETE).write_text(json.dumps(files, indent=1) + "\n")


def is_whole(folder: Path) -> bool:
    """Whether every file that `mark_complete` noted is there in full."""
    try:
        expected: dict[str, int] = json.loads((folder / COMPLETE).read_text())
    except (OSError, ValueError):
        return False
    return expected == {str(path.relative_to(folder)): path.stat().st_size for path in _files(folder)}


def last_good_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint whose files are all there in full; a run may have been killed while writing one."""
    whole = [path for path in (folder / CHECKPOINTS).glob("checkpoint-*") if is_whole(path)]
    return max(whole, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def steps_done(folder: Path) -> int:
    """The last step in the metrics, 0 if there are none."""
    path = folder / METRICS
    lines = path.read_text().splitlines() if path.is_file() else []
    return int(max((step for step in map(_line_step, lines) if step < float("inf")), default=0))


def rewind(folder: Path, step: int) -> None:
    """Forget what came after `step`: torn checkpoints and lines of the metrics that will be written again."""
    for path in (folder / CHECKPOINTS).glob("checkpoint-*"):
        if step_of(path) > step:
            shutil.rmtree(path)
    metrics = folder / METRICS
    if metrics.is_file():
        lines = [line for line in metrics.read_text().splitlines() if _line_step(line) <= step]
        metrics.write_text("".join(f"{line}\n" for line in lines))


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Turn the many faces of a full disk into one sentence that says how to go on."""
    try:
        yield
    except Exception as problem:
        full = getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full and not any(words in f"{problem} {problem.__context__}" for words in FULL_DISK):
            raise
        free = shutil.disk_usage(folder).free / 1e9
        last = last_good_checkpoint(folder)
        kept = f"{last} is whole: " if last else ""
        raise EnvironmentProblem(
            f"{folder}: no space left on the disk ({free:.2f} GB free); {kept}free some, then continue with --resume"
        ) from None


def _commit() -> str | None:
    """The commit of the source tree this package runs from, or None outside one."""
    root = Path(crop_reasoning.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != COMPLETE)


def _line_step(line: str) -> float:
    """The step of a line of the metrics; a line that was cut short counts as later than all."""
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):
        return float("inf")
