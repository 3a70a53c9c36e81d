"""Files as every room writes them: whole or not at all, and named relative to the folder that holds the record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crop_reasoning.errors import EnvironmentProblem


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the name `path` at the end, and is gone if anything goes wrong before.

    Two processes that write the same file do not meet: the later one's stays. `EnvironmentProblem` if the disk refuses.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    except OSError as problem:
        raise EnvironmentProblem(f"{path}: not written ({problem}); check the disk's space and your rights") from None
    finally:
        if partial.is_file():
            partial.unlink()


def path_from(folder: Path, file: Path) -> str:
    """A file's path as seen from a folder, with forward slashes, links followed; a link to itself stays as it is."""
    return Path(os.path.relpath(os.path.realpath(file), os.path.realpath(folder))).as_posix()
