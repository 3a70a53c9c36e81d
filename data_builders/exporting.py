"""What every export to another program's format needs: the records, how their photos are named, files written whole."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, EnvironmentProblem
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


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; `EnvironmentProblem` if the disk refuses."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as problem:
        raise EnvironmentProblem(f"{path}: not written ({problem}); check the disk's space and your rights") from None
    finally:
        if partial.is_file():
            partial.unlink()
