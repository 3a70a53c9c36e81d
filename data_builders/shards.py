"""Photos of one data set read by several machines: each writes a journal, and the ordinary build finds it.

A shard is a share of the photos, drawn by a hash of their names, so that a photo keeps its shard whatever else is
missing from a copy. A build takes what the journals say and reads what no shard has read: a lost machine costs time,
never a photo, and the built folder is that of one machine, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crop_reasoning.errors import EnvironmentProblem, Interrupted, RecipeError
from crop_reasoning.files import written_whole
from data_builders.build import listed_photos
from data_builders.photos import SHARDS, PhotoFile, inspect_photos


def shard_of(photo: Path, count: int) -> int:
    """The shard of a photo, 1 to `count`, from its name and its folder's: the same wherever the copy lies.

    >>> shard_of(Path("/a/FCDB/data/1.jpg"), 8) == shard_of(Path("FCDB/data/1.jpg"), 8)
    True
    """
    draw = hashlib.sha256(f"{photo.parent.name}/{photo.name}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(draw, "big") % count + 1


def parse_shard(text: str) -> tuple[int, int]:
    """The two numbers of `K/N`, 1 <= K <= N; `RecipeError` for anything else.

    >>> parse_shard("3/8")
    (3, 8)
    """
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return int(number), int(count)
    raise RecipeError(f"shard {text!r}: expected K/N with K from 1 to N, for instance 3/8")


def read_shard(name: str, root: Path | None, out: Path, shard: str, **options: Any) -> list[PhotoFile]:
    """Read the photos of shard `K/N` into a journal below `out`, for `data build` to find; what is known of each.

    `options` are `workers` and the reader's own. Run again, it goes on where it stopped. The journal's stamps hold the
    photos' places and times of change, so all machines must see the copy under one path (a shared disk).
    """
    number, count = parse_shard(shard)
    workers = options.pop("workers", 2)
    members = [photo for photo in listed_photos(name, root, options) if shard_of(photo, count) == number]
    journal = journal_path(out, f"{number:05d}-of-{count:05d}")
    try:
        return inspect_photos(members, workers, journal)
    except OSError as problem:
        raise EnvironmentProblem(
            f"{problem.filename or journal}: {problem.strerror or problem}; check the path, your rights and the disk's "
            "space, then run the same command again"
        ) from None
    except KeyboardInterrupt:
        raise Interrupted(f"{journal}: stopped by hand; the same command goes on from there") from None


def write_journal(out: Path, label: str, lines: Iterable[str]) -> Path:
    """Write lines made by `photos.journal_line`, anywhere and in any order, where the build of `out` finds them."""
    path = journal_path(out, label)
    with written_whole(path) as file:
        file.write("".join(lines).encode())
    return path


def journal_path(out: Path, label: str) -> Path:
    """Where the journal of a shard lies."""
    return out / SHARDS / f"{label}.journal"
