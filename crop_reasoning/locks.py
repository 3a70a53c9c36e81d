"""A file as a lock between processes, on machines that share a disk, too."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crop_reasoning.errors import EnvironmentProblem

_HELD: set[BinaryIO] = set()


@contextmanager
def held(path: Path, refusal: str) -> Iterator[BinaryIO]:
    """Hold the file `path`, made if it is missing, for this process; yields it, open to read and to append.

    `EnvironmentProblem(refusal)` while another process holds it. The kernel frees it when its holder dies, so one that
    a killed process left behind never blocks.
    """
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentProblem(refusal) from None
        if not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
            raise EnvironmentProblem(refusal)  # its holder removed it just now: what is held here is nobody's name
        _HELD.add(file)
        try:
            yield file
        finally:
            _HELD.remove(file)


def _let_go() -> None:
    """Close a parent's locks in a worker that it forked, which would else hold them on when the parent is killed."""
    for file in _HELD:
        file.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)
