"""From a data set's name to a finished folder: records, pairs, rationales, Parquet, card, manifest."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from crop_reasoning.errors import EnvironmentProblem, Interrupted, RecipeError
from crop_reasoning.records import read_records
from data_builders.dataset_card import write_card
from data_builders.importing import import_sources
from data_builders.manifest import write_manifest
from data_builders.out_folder import building, refuse_same, refuse_unwritable_names, remove_shards
from data_builders.parquet import write_parquet

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
    or an option that this builder does not take, `DataError` if `out` holds anything but a build of this data set, of
    these settings and annotation files, `EnvironmentProblem` if the disk refuses or another build writes to `out`.
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
    refuse_unwritable_names({"root": root, "out": out, **options})
    refuse_same(root, out)
    compared = {key: value for key, value in {"seed": 0, **defaults}.items() if key not in _NO_TRACE}
    try:
        with building(out, name, settings, compared):
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
    remove_shards(out)
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
