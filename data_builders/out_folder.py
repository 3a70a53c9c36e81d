"""Whether a folder may be built into: nothing of anybody else's is ever overwritten, and one build writes at a time.

A build holds `build.lock` while it writes. Its content says what is built, so that the file, left behind by a build
that was stopped, is what tells an unfinished build from a folder of somebody else's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.locks import held
from data_builders.manifest import MANIFEST, read_manifest
from data_builders.photos import JOURNAL, SHARDS, is_utf8

LOCK = "build.lock"
SHARD_JOURNALS = (".journal", ".partial")
"""Endings of what `data shard` writes."""
Settings = dict[str, Any]


@contextmanager
def building(out: Path, name: str, settings: Settings, defaults: Settings) -> Iterator[None]:
    """Hold `out` for one build of the data set `name`; made if it is missing, and gone again if nothing came of it.

    `DataError` if `out` is a file, or holds what a build of the same settings did not write; `EnvironmentProblem` while
    another build holds it. Settings that were not given count as `defaults`.
    """
    refuse_file(out)
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    lock = out / LOCK
    try:
        with held(lock, f"{out}: another build is writing here; wait for it, or choose another --out") as file:
            try:
                _claim(file, out, name, settings, defaults)
                yield
            finally:
                # it stays where it alone says that the folder is a build's
                if (out / MANIFEST).is_file() or not _foreign(out) or not lock.stat().st_size:
                    lock.unlink()
    finally:
        if made:
            with suppress(OSError):
                out.rmdir()  # empty: nothing came of the build


def refuse_file(out: Path) -> None:
    """`DataError` if `out` is there and no folder."""
    if not out.is_dir() and (out.exists() or out.is_symlink()):
        raise DataError(f"{out}: is a file, expected a folder to write to; choose another --out")


def is_free(out: Path) -> bool:
    """Whether `out` is missing or an empty folder."""
    return not out.exists() or (out.is_dir() and not any(out.iterdir()))


def refuse_same(root: Path | None, out: Path) -> None:
    """`DataError` if `out` is the copy that is read."""
    if root is not None and os.path.realpath(root) == os.path.realpath(out):
        raise DataError(f"{out}: is the folder that is read (--root); choose another --out")


def refuse_unwritable_names(paths: dict[str, Any]) -> None:
    """`RecipeError` if a path, by its option's name, cannot stand in the files that are written, which are UTF-8."""
    for option, path in paths.items():
        if isinstance(path, (str, Path)) and not is_utf8(str(path)):
            raise RecipeError(f"--{option} {path}: its name is not UTF-8; rename it, or reach it through a link")


def refuse_other_sources(out: Path, sources: dict[str, str]) -> None:
    """`DataError` naming the first annotation file that is not the one `out` was built from; both by name: sha256."""
    manifest = read_manifest(out)
    before = sources if manifest is None else manifest.get("sources", {})
    differing = [key for key in sorted({*before, *sources}) if before.get(key) != sources.get(key)]
    if not differing:
        return
    same_name = differing[0] in before and differing[0] in sources
    names = (", ".join(side) or "no annotation file" for side in (before, sources))
    what = f"another {differing[0]}" if same_name else "; got ".join(names)
    raise DataError(f"{out}: was built from {what}; choose another --out or remove it")


def differing_settings(before: Settings, now: Settings) -> str:
    """`seed 0; got seed 7`: the settings that are not the same in both, for a message; empty if all are."""
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    old, wanted = (", ".join(f"{key} {side.get(key)}" for key in keys) for side in (before, now))
    return f"{old}; got {wanted}" if keys else ""


def remove_shards(out: Path) -> None:
    """Remove the journals that other machines wrote: what they say stands in the build's own now."""
    folder = out / SHARDS
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.suffix in SHARD_JOURNALS and path.is_file():
            path.unlink()
    with suppress(OSError):
        folder.rmdir()


def _claim(file: BinaryIO, out: Path, name: str, settings: Settings, defaults: Settings) -> None:
    """Write into the lock what is built, once it is known that `out` holds nothing else; else `DataError`.

    A manifest and a lock hold only the settings that were given, so both sides are filled up with the defaults.
    """
    file.seek(0)
    manifest, begun = read_manifest(out), _begun(file.read())
    foreign = _foreign(out)
    if manifest is None and begun is None and foreign:
        raise DataError(
            f"{out}: holds something else already ({foreign[0]}), expected no such folder, an empty one, or one that "
            "this build made; choose another --out"
        )
    if (there := manifest or begun) and foreign:
        state = "holds" if manifest else "holds an unfinished build of"
        if "made_from" in there:
            raise DataError(f"{out}: holds what was made from another built folder; choose another --out")
        if there["dataset"] != name:
            raise DataError(f"{out}: {state} the data set {there['dataset']}, not {name}; choose another --out")
        if differing := differing_settings({**defaults, **there["settings"]}, {**defaults, **settings}):
            raise DataError(f"{out}: {state} {name} of {differing}; choose another --out or remove it")
    claim = json.dumps({"dataset": name, "settings": settings}).encode()
    if begun != json.loads(claim):
        file.truncate(0)
        file.write(claim)
        file.flush()


def _begun(claim: bytes) -> dict[str, Any] | None:
    """What the lock of an unfinished build says was begun; None if it says nothing."""
    try:
        begun = json.loads(claim)
        return {"dataset": str(begun["dataset"]), "settings": dict(begun["settings"])}
    except (ValueError, TypeError, KeyError):
        return None


def _foreign(out: Path) -> list[str]:
    """The names in `out` that say nothing of a build: all but its lock, journals and files cut short."""
    journals = (out / SHARDS).is_dir() and all(path.suffix in SHARD_JOURNALS for path in (out / SHARDS).iterdir())
    ours = {LOCK, JOURNAL, *([SHARDS] if journals else [])}
    return sorted(path.name for path in out.iterdir() if path.name not in ours and path.suffix != ".partial")
