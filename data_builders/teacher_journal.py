"""What a teacher was asked and what it answered, kept line by line, so that no answer is ever paid for twice.

The journal is append-only and held by one process at a time. A line that a crash cut short is forgotten; a later line
about the same attempt replaces an earlier one. What was judged by another version of the verifier is judged anew.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from crop_reasoning.authors.teacher import ATTEMPTS, Judged, Reply, Teacher, key
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.json_fields import as_box
from crop_reasoning.locks import held
from crop_reasoning.log import say
from crop_reasoning.records import PAIRS, CropRecord, Pair, read_pairs, read_records
from crop_reasoning.verification.verify import VERSION, Contradiction

JOURNAL = "teacher.journal"


@dataclass(frozen=True, slots=True)
class Item:
    """One answer that is wanted: of a record its best crop, or both crops of a pair. `key` names it in the journal."""

    key: str
    record: CropRecord
    targets: tuple[Box, ...]
    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt: the proposals it was given, the reply (None while a batch is away), and the verdict on it."""

    proposals: tuple[Box, ...]
    reply: Reply | None = None
    judged: Judged | None = None


def wanted(folder: Path, teacher: Teacher, split: str | None, limit: int | None) -> list[Item]:
    """The answers that a folder wants: of its first `limit` records with crops, then of the pairs of these."""
    records = [record for record in read_records(folder, split) if record.crops][:limit]
    by_id = {record.id: record for record in records}
    items = [Item(key(record, (record.best,), teacher), record, (record.best,)) for record in records]
    pairs = read_pairs(folder, split) if (folder / PAIRS).is_file() else []
    for pair in pairs:
        if record := by_id.get(pair.record_id):
            targets = (pair.chosen, pair.rejected)
            items.append(Item(key(record, targets, teacher), record, targets, pair))
    return items


def by_record(items: Sequence[Item]) -> list[list[Item]]:
    """The items of each record together, so that its photo is opened and measured once."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.record.id, []).append(item)
    return list(groups.values())


class Journal:
    """The attempts of every item, by key; any thread may note one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._entries: dict[str, list[Entry]] = {}
        file.seek(0)
        content, torn = file.read(), 0
        for line in content.splitlines():
            try:
                value = json.loads(line)
                self._keep(value["key"], value["attempt"], _entry(value))
            except (ValueError, KeyError, TypeError, AttributeError, DataError):
                torn += 1  # cut short by a crash
        if torn:
            say(f"{JOURNAL}: {torn} lines were cut short and are left out; what they answered is asked for again")
        if content and not content.endswith(b"\n"):
            file.write(b"\n")

    def entries(self, item: Item) -> tuple[Entry, ...]:
        """The attempts so far, the first one first."""
        return tuple(self._entries.get(item.key, ()))

    def replied(self, item: Item) -> list[Entry]:
        """The attempts that were answered."""
        return [entry for entry in self.entries(item) if entry.reply]

    def accepted(self, item: Item) -> Entry | None:
        """The attempt whose reply may be used, if there is one."""
        return next((entry for entry in self.replied(item) if entry.judged and not entry.judged.kind), None)

    def is_open(self, item: Item) -> bool:
        """Whether there is something to do: a reply to judge, or an answer to ask for."""
        replied = self.replied(item)
        unjudged = any(entry.judged is None for entry in replied)
        return unjudged or (self.accepted(item) is None and len(replied) < ATTEMPTS)

    def note(self, item: Item, attempt: int, entry: Entry) -> None:
        """Keep an attempt (the first one is 0); it is on disk when this returns."""
        value: dict[str, Any] = {"key": item.key, "attempt": attempt, "record_id": item.record.id}
        value["proposals"] = [list(box.xyxy) for box in entry.proposals]
        if entry.reply:
            value["reply"] = asdict(entry.reply)
        if entry.judged:
            value["judged"] = {"verifier": VERSION, **asdict(entry.judged)}
        with self._lock:
            self._file.write((json.dumps(value) + "\n").encode())
            self._file.flush()
            self._keep(item.key, attempt, entry)

    def tokens(self, items: Sequence[Item]) -> tuple[int, int]:
        """Tokens read and written for these items so far."""
        spent = [entry.reply.tokens for item in items for entry in self.replied(item) if entry.reply]
        return (sum(read for read, _ in spent), sum(written for _, written in spent))

    def _keep(self, name: str, attempt: int, entry: Entry) -> None:
        entries = self._entries.setdefault(name, [])
        entries[attempt : attempt + 1] = [entry]


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """The journal of a folder, held; `EnvironmentProblem` while another process teaches there."""
    path = folder / JOURNAL
    refusal = f"{path}: another process writes rationales here; wait for it, or stop it first"
    with held(path, refusal) as file:
        yield Journal(file)


def _entry(value: dict[str, Any]) -> Entry:
    reply, judged = value.get("reply"), value.get("judged")
    if reply:
        reply = Reply(**{**reply, "tokens": tuple(reply["tokens"])})
    if judged and judged.pop("verifier") == VERSION:
        judged["contradictions"] = tuple(Contradiction(**each) for each in judged["contradictions"])
        judged = Judged(**judged)
    else:
        judged = None
    return Entry(tuple(as_box(box) for box in value["proposals"]), reply, judged)
