"""From a data set's name to a finished folder: records, pairs, rationales, Parquet, card, manifest."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, EnvironmentProblem, Interrupted, RecipeError
from crop_reasoning.records import read_records
from data_builders.dataset_card import write_card
from data_builders.importing import import_sources
from data_builders.manifest import read_manifest, write_manifest
from data_builders.parquet import write_parquet
from data_builders.photos import SHARDS

READERS = {
    "cpc": "data_builders.cpc:read",
    "fcdb": "data_builders.fcdb:read",
    "flms": "data_builders.flms:read",
    "gaicd_v1": "data_builders.gaicd:read_v1",
    "gaicd_v2": "data_builders.gaicd:read_v2",
    "gnmc": "data_builders.gnmc:read",
    "hcic": "data_builders.hcic:read",
    "kupcp": "data_builders.kupcp:read",
    "label_studio": "data_builders.label_studio:read",
    "sacd": "data_builders.sacd:read",
}
"""Data sets that are read from a user's copy: name to `read(root, **options) -> Source` (or several of them)."""
TOY = "data_builders.toy:build"
BUILDERS = ("toy", *READERS)
_NO_TRACE = ("workers",)  # options that change no byte of the output


def build_dataset(name: str, root: Path | None, out: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Build a data set into `out` and write its rationales; the manifest.

    `options` are the builder's keyword arguments; `seed` also seeds the rationales. `RecipeError` for an unknown name
    or an option that this builder does not take, `DataError` if `out` holds another data set or one of other settings,
    `EnvironmentProblem` if the disk refuses.
    """
    if name not in BUILDERS:
        raise RecipeError(f"data set {name!r}: expected one of {', '.join(sorted(BUILDERS))}")
    builder = _load(TOY) if name == "toy" else _importer(_load(READERS[name]))
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(builder).parameters.items()
        if key not in ("root", "out")
    }
    if foreign := sorted(options.keys() - {*defaults, "seed"}):
        raise RecipeError(
            f"data set {name} takes no {', '.join('--' + key for key in foreign)}; "
            f"it takes {', '.join('--' + key for key in defaults)}"
        )
    out = Path(out)
    seed = options.get("seed", 0)
    settings = {key: value for key, value in sorted({"seed": seed, **options}.items()) if key not in _NO_TRACE}
    _refuse_other_content(out, name, settings, defaults)
    try:
        report = builder(root, out, **{key: value for key, value in options.items() if key in defaults})
        return _finish(out, name, settings, report, seed)
    except OSError as problem:
        raise EnvironmentProblem(
            f"{problem.filename or out}: {problem.strerror or problem}; check the path, your rights and the disk's "
            "space, then run the same command again"
        ) from None
    except KeyboardInterrupt:
        raise Interrupted(f"{out}: stopped by hand and not finished; the same command builds it") from None


def _finish(out: Path, name: str, settings: dict[str, Any], report: dict[str, Any], seed: int) -> dict[str, Any]:
    """Add to records and pairs what follows from them alone; the manifest."""
    from data_builders.rationales import write_rationales

    counts = write_rationales(out, seed)
    if "pair_rationales" not in counts:
        (out / "pair_rationales.jsonl").unlink(missing_ok=True)  # an earlier build's, of pairs that are gone
    if name != "toy":
        write_parquet(out, read_records(out))
    manifest = write_manifest(out, name, settings, report)
    if name != "toy":
        write_card(out, manifest)
    shutil.rmtree(out / SHARDS, ignore_errors=True)  # what other machines read stands in the build's own journal now
    return manifest


def listed_photos(name: str, root: Path | None, options: dict[str, Any]) -> list[Path]:
    """The photos that a user's copy lists, each once, in the order of the build; nothing of them is opened.

    `options` are the reader's own (`hcic`: join). `RecipeError` for a data set that is not read from a copy.
    """
    if name not in READERS:
        raise RecipeError(f"data set {name!r}: expected one that is read, {', '.join(sorted(READERS))}")
    found = _load(READERS[name])(root, **options)
    sources = found if isinstance(found, list) else [found]
    return list(dict.fromkeys(one.photo for source in sources for one in source.listed))


def _load(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _importer(read: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """A builder around a reader: `copy` and `workers` are every importer's, other options are the reader's own."""

    def build(root: Path | None, out: Path, *, copy: bool = False, workers: int = 2, **own: Any) -> dict[str, Any]:
        found = read(root, **own)
        return import_sources(found if isinstance(found, list) else [found], out, copy=copy, workers=workers)

    ours = [parameter for key, parameter in inspect.signature(build).parameters.items() if key != "own"]
    theirs = [parameter for key, parameter in inspect.signature(read).parameters.items() if key != "root"]
    build.__signature__ = inspect.Signature([*ours, *theirs])  # type: ignore[attr-defined]
    return build


def _refuse_other_content(out: Path, name: str, settings: dict[str, Any], defaults: dict[str, Any]) -> None:
    """`DataError` if `out` holds a finished build of something else: photos are written over those of the same name.

    The manifest holds only the settings that were given, so both sides are filled up with the defaults.
    """
    manifest = read_manifest(out)
    if manifest is None:
        return
    if manifest["dataset"] != name:
        raise DataError(f"{out}: holds the data set {manifest['dataset']}, not {name}; choose another --out")
    held, wanted = ({"seed": 0, **defaults, **given} for given in (manifest["settings"], settings))
    compared = sorted({*held, *wanted} - {*_NO_TRACE})
    if differing := [key for key in compared if held.get(key) != wanted.get(key)]:
        before, now = (", ".join(f"{key} {side.get(key)}" for key in differing) for side in (held, wanted))
        raise DataError(f"{out}: holds {name} of {before}; got {now}; choose another --out or remove it")
