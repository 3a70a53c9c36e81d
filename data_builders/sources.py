"""Finding and reading what a data set's authors ship, with one sentence where a copy is not what it should be."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.images import PHOTO_ENDINGS


def find_root(root: Path | None, dataset: str, needed: Sequence[str], *names: str) -> Path:
    """The folder that holds everything in `needed`: `root` itself or a folder of one of `names` in it.

    `RecipeError` without a root, `DataError` for an archive, a missing folder, and for the first part that is missing.
    """
    root = require_folder(root, dataset)
    for folder in (root, *(root / name for name in names)):
        if all((folder / part).exists() for part in needed):
            return folder
    missing = next(part for part in needed if not (root / part).exists())
    raise DataError(
        f"{root / missing}: missing; a copy of {dataset} holds {', '.join(needed)} (see data_builders/README.md); "
        "is the download complete, and was --root meant to be a folder in it?"
    )


def require_folder(root: Path | None, dataset: str) -> Path:
    """`root`, if it is a folder; `RecipeError` without one, `DataError` for an archive, a file or nothing at all."""
    if root is None:
        raise RecipeError(f"{dataset} is built from your own copy: say where it lies with --root DIR")
    if root.is_file():
        what = "an archive; unpack it first and give" if is_archive(root) else "a file; give"
        raise DataError(f"{root}: is {what} the folder as --root (data_builders/README.md shows the layout)")
    if root.is_symlink() and not root.exists():
        raise DataError(f"{root}: a link that leads nowhere; expected your copy of {dataset}, check the link")
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; expected your copy of {dataset} (see data_builders/README.md)")
    return root


def photos_in(folder: Path) -> list[Path]:
    """The photo files of a folder, by name; an empty list if there is no such folder. Folders in it are not entered."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_ENDINGS)


def by_stem(photos: Sequence[Path]) -> dict[str, Path]:
    """Photos by their name without its ending; `DataError` for two of one name: annotations could mean either."""
    found: dict[str, Path] = {}
    for photo in photos:
        if (other := found.setdefault(photo.stem, photo)) is not photo:
            raise DataError(f"{photo}: {other.name} has the same name; annotations could mean either, remove one")
    return found


def read_json(path: Path) -> Any:
    """A JSON document; `DataError` names the file if it is missing, cut short, no JSON, or names one field twice."""
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except FileNotFoundError:
        raise DataError(f"{path}: missing; is the download complete?") from None
    except DataError as problem:
        raise DataError(f"{path}: {problem}") from None
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{path}: not JSON ({problem}); was the download cut short?") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose fields are all different: of two of one name JSON readers keep the last without a word."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise DataError(f"{name!r} stands twice in one object; remove one of the two")
        found[name] = value
    return found


def numbers(values: Any, count: int, where: str) -> tuple[float, ...]:
    """Exactly `count` finite numbers of a list; `DataError` naming `where` for anything else."""
    try:
        found = tuple(float(value) for value in values) if isinstance(values, (list, tuple)) else ()
    except (TypeError, ValueError, OverflowError):
        found = ()
    if len(found) != count:
        raise DataError(f"{where}: got {repr(values)[:80]}, expected {count} numbers")
    for value in found:
        if not math.isfinite(value):
            raise DataError(f"{where}: got {repr(values)[:80]}; {value} is not a number, expected {count} numbers")
    return found


def four(values: Any, where: str) -> tuple[float, float, float, float]:
    """The four numbers of a box; `DataError` naming `where` for anything else."""
    a, b, c, d = numbers(values, 4, where)
    return (a, b, c, d)


def whole(value: Any, where: str) -> int:
    """A whole number of at most 18 digits; `DataError` naming `where` for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**18:
        raise DataError(f"{where}: got {repr(value)[:80]}, expected a whole number of at most 18 digits")
    return value


def is_archive(path: Path) -> bool:
    """Whether a file is packed, by its content or its ending."""
    return zipfile.is_zipfile(path) or path.suffix.lower() in {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}
