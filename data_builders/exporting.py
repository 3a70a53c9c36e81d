"""What every export needs: the records, how their photos are named, and files that take nothing's place."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.files import written_whole
from crop_reasoning.records import CropRecord, read_records

_MOST_NAMED = 5


def records_with_photos(folder: Path) -> list[CropRecord]:
    """The records of a built folder; `DataError` if there are none or photos are not where the records say."""
    records = read_records(folder)
    if not records:
        raise DataError(f"{folder}: holds no record; there is nothing to export")
    paths = dict.fromkeys(record.image.path for record in records)
    missing = [path for path in paths if not (folder / path).is_file()]
    if missing:
        named = ", ".join(missing[:_MOST_NAMED]) + (" ..." if len(missing) > _MOST_NAMED else "")
        raise DataError(
            f"{folder}: {len(missing)} of {len(paths)} photos are missing: {named}; "
            "put them back, or build the data set anew"
        )
    return records


def photo_folder(folder: Path, records: Sequence[CropRecord]) -> Path:
    """The innermost folder that holds the photos of all records."""
    return Path(os.path.commonpath([(folder / record.image.path).resolve().parent for record in records]))


def photo_name(folder: Path, record: CropRecord, root: Path) -> str:
    """A record's photo as a path below `root`, with forward slashes; `DataError` if it lies elsewhere."""
    photo = (folder / record.image.path).resolve()
    if not photo.is_relative_to(root.resolve()):
        raise DataError(f"{photo}: lies outside the image root {root}; name a folder that holds all photos")
    return photo.relative_to(root.resolve()).as_posix()


def refuse_target(out: Path, folder: Path, records: Sequence[CropRecord]) -> None:
    """`DataError` if `out` is one of the photos or lies in the built folder: what is read must not change."""
    target = os.path.realpath(out)
    if target in {os.path.realpath(folder / record.image.path) for record in records}:
        raise DataError(f"{out}: is a photo of the data set itself; choose another --out")
    if Path(target).is_relative_to(os.path.realpath(folder)):
        raise DataError(f"{out}: lies in the folder of the data set itself; choose another --out")


def write_new(texts: Mapping[Path, str], folder: Path, records: Sequence[CropRecord]) -> None:
    """Write text files that an export makes of `folder`, each whole or not at all, none before all places are free.

    A file that is there already stays, unless it is the very same: an export by the same command. `DataError` for any
    other, and as `refuse_target` says.
    """
    for path, text in texts.items():
        refuse_target(path, folder, records)
        if os.path.lexists(path) and not (path.is_file() and path.read_bytes() == text.encode()):
            raise DataError(f"{path}: is there already and holds something else; choose another --out, or remove it")
    for path, text in texts.items():
        write_text(path, text)


def refuse_other_ending(out: Path, ending: str) -> None:
    """`RecipeError` unless the file to write ends as its format does."""
    if out.suffix != ending:
        raise RecipeError(f"--out {out}: expected a {ending} file, got {out.suffix or 'no ending'}")


def as_document(value: Any) -> str:
    """A JSON document for programs and people."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; `EnvironmentProblem` if the disk refuses."""
    with written_whole(path) as file:
        file.write(text.encode())
