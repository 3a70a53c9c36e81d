"""What a builder must know of a photo file: its hashes, its upright size, or why it cannot be used.

Every file is read and decoded once, in threads, and noted in a journal, so that a stopped build goes on where it was.
This module must not know any data set.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.log import progress

FLICKR_PLACEHOLDERS = ("81a138e324eb90447d14f69f7f2af02a9fb76b6f", "27e8f466")
"""Beginnings of the sha1 of the pictures that Flickr sends for removed photos; 8 digits are published of the second."""
JOURNAL, SHARDS = "photos.journal", "shards"
"""The journal of a build, and the folder of those that other machines wrote for it (`shards`)."""


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file on disk: sha256 of its bytes and upright size in pixels, or the `reason` why it is of no use."""

    path: Path
    sha256: str = ""
    wh: Size = (0, 0)
    reason: str = ""


def inspect_photos(paths: Sequence[Path], workers: int, journal: Path) -> list[PhotoFile]:
    """Read, hash and decode every file, in the order given; nothing is raised for a bad one.

    Files that `journal`, or the journal of a shard beside it, knows by path, size and time of change are not read
    again. Different files of the very same bytes are all refused: no two photographs are equal, but placeholders are.
    """
    stamps = {path: _stamp(path) for path in dict.fromkeys(paths)}
    known = _read_journal(journal)
    new = {path: stamp for path, stamp in stamps.items() if stamp not in known}
    for part in sorted((journal.parent / SHARDS).glob("*.journal")):
        known |= _read_journal(part)
    files = {path: replace(known[stamp], path=path) for path, stamp in stamps.items() if stamp in known}
    unread = [path for path in stamps if path not in files]
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("a", encoding="utf-8", buffering=1) as lines:
        if _torn(journal):
            lines.write("\n")  # a killed build's last line, else the next one would be lost with it
        pool = ThreadPoolExecutor(max(1, workers))
        readings = {path: pool.submit(inspect_photo, path) for path in unread}
        try:
            for path in progress(new, "photos", len(new)):
                file = files[path] = files[path] if path in files else readings[path].result()
                if new[path]:
                    lines.write(_line(new[path], file))
                readings.pop(path, None)
        finally:
            pool.shutdown(cancel_futures=True)
            for path, reading in readings.items():  # after Ctrl-C: what threads had read ahead of its turn is kept
                if new[path] and reading.done() and not reading.cancelled() and not reading.exception():
                    lines.write(_line(new[path], reading.result()))
    copies = Counter(file.sha256 for file in files.values() if not file.reason)
    return [
        replace(file, reason=f"{copies[file.sha256]} photos have these very bytes: a placeholder or a copy")
        if not file.reason and copies[file.sha256] > 1
        else file
        for file in (files[path] for path in paths)
    ]


def inspect_photo(path: Path) -> PhotoFile:
    """One file's hash and upright size, or the reason why it is of no use."""
    if not path.is_file():
        return PhotoFile(
            path, reason="missing: a link that leads nowhere" if path.is_symlink() else "missing: no such file"
        )
    content = path.read_bytes()
    if hashlib.sha1(content).hexdigest().startswith(FLICKR_PLACEHOLDERS):
        return PhotoFile(path, reason="Flickr's placeholder for a removed photo")
    try:
        wh = load_upright(content).size
    except DataError as problem:
        return PhotoFile(path, reason=str(problem).partition(": ")[2])  # the item is named beside the reason
    return PhotoFile(path, hashlib.sha256(content).hexdigest(), wh)


def is_utf8(text: str) -> bool:
    """Whether a path's text can stand in a UTF-8 file; a name of other bytes holds halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def legible(text: str) -> str:
    r"""A file's name for messages and documents: what is not UTF-8 in it is written as `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()


def copy_photo(file: PhotoFile, target: Path) -> None:
    """Put a copy of the file at `target`, whole or not at all; an equal file there is left alone."""
    if target.is_file() and sha256_of(target) == file.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(file.path, partial)
    os.replace(partial, target)


def journal_line(path: Path) -> str:
    """The line of a journal for one file, which is read for it; empty for a file that is not there.

    Pure but for the reading, and plain text: what Ray, `datasets` or a cluster's job maps over photos (docs/scale.md).
    """
    stamp = _stamp(path)
    return _line(stamp, inspect_photo(path)) if stamp else ""


def _stamp(path: Path) -> str:
    """What changes when a file does: its place, size and time of change; empty if it cannot be seen."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # a ValueError for a name that no disk can hold
        return ""
    return f"{path.resolve()}|{found.st_size}|{found.st_mtime_ns}"


def _torn(journal: Path) -> bool:
    """Whether a journal's last line was cut short."""
    with journal.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _line(stamp: str, file: PhotoFile) -> str:
    value = {"stamp": stamp, "sha256": file.sha256, "wh": file.wh, "reason": file.reason}
    return json.dumps(value) + "\n"


def journal_sizes(journal: Path) -> Iterator[tuple[str, int]]:
    """The sha256 and the size in bytes of every usable photo that a journal knows; nothing where there is none."""
    for stamp, file in _read_journal(journal).items():
        if file.sha256:
            yield file.sha256, int(stamp.rsplit("|", 2)[1])


def _read_journal(journal: Path) -> dict[str, PhotoFile]:
    """The files a journal knows by their stamps; a line that was cut short is forgotten."""
    known = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []:
        try:
            value = json.loads(line)
            place = Path(value["stamp"].rsplit("|", 2)[0])
            file = PhotoFile(place, value["sha256"], tuple(value["wh"]), value["reason"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        known[value["stamp"]] = file
    return known
