"""A teacher asked by files, as batch services take them: requests out, results in, in any order.

A request's id names what is asked and which attempt it is. Results go into the same journal as answers that were asked
for one by one, so both ways may follow each other, and the same texts give the same rationales.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from crop_reasoning.authors.teacher import Teacher
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.files import written_whole
from crop_reasoning.log import progress
from data_builders.teacher import Lesson, reply_from
from data_builders.teacher_journal import Entry, Item, Journal, by_record, opened, wanted
from data_builders.teacher_lines import write_answers

MAX_BYTES, MAX_REQUESTS = 190_000_000, 50_000
"""Of one file: the usual limits are 200 MB and 50,000 requests."""
_URL = "/v1/chat/completions"


def write_requests(
    folder: Path | str,
    teacher: Teacher,
    out: Path,
    *,
    split: str | None = None,
    limit: int | None = None,
    max_bytes: int = MAX_BYTES,
    max_requests: int = MAX_REQUESTS,
) -> dict[str, Any]:
    """Write a request for every answer that is missing into `out`, and `out-2`, `out-3`, ... as the limits demand.

    Nobody is asked. Answers that were refused are asked for again, with what was wrong. The files, the number of
    requests, and the photos that cannot be read.
    """
    folder = Path(folder)
    unreadable: list[str] = []
    with opened(folder) as journal:
        items = [item for item in wanted(folder, teacher, split, limit) if journal.is_open(item)]
        lines = _requests(folder, items, teacher, journal, unreadable)
        files = _write_split(out, lines, max_bytes, max_requests)
    counts = {str(path): count for path, count in files.items()}
    return {"requests": sum(files.values()), "files": counts, "unreadable": unreadable}


def read_results(
    folder: Path | str, teacher: Teacher, results: Sequence[Path], *, split: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Read result files into the journal, then write what was accepted as `teach` does; the counts.

    Lines that give no answer are counted by kind in `lines`; answers that are missing are listed as such.
    """
    folder = Path(folder)
    with opened(folder) as journal:
        items = wanted(folder, teacher, split, limit)
        seen, replies = _replies(results, {item.key: item for item in items}, journal)
        problems: dict[str, CropReasoningError] = {}
        groups = by_record([item for item in items if item.key in replies or journal.is_open(item)])
        for its_items in progress(groups, "photos", len(groups)):
            lesson = Lesson(folder, its_items[0].record, teacher)
            for item in its_items:
                try:
                    _take(lesson, item, journal, replies.get(item.key))
                except DataError as problem:
                    problems[item.key] = problem
        found = write_answers(folder, items, teacher, journal, problems)
        spent = journal.tokens(items)
    return {**found, "lines": dict(seen.most_common()), "tokens": {"prompt": spent[0], "completion": spent[1]}}


def _take(lesson: Lesson, item: Item, journal: Journal, value: dict[str, Any] | None) -> None:
    """Judge what is to be judged of an item, the new reply included."""
    lesson.judge_again(item, journal)
    if value is None:
        return
    attempt = len(journal.replied(item))
    entries = journal.entries(item)
    proposals = entries[attempt].proposals if attempt < len(entries) else lesson.request(item, journal)[0].proposals
    entry = Entry(proposals, reply_from(value))
    journal.note(item, attempt, Entry(proposals, entry.reply, lesson.judge(item, entry)))


def _requests(
    folder: Path, items: Sequence[Item], teacher: Teacher, journal: Journal, unreadable: list[str]
) -> Iterator[bytes]:
    groups = by_record(items)
    for its_items in progress(groups, "photos", len(groups)):
        lesson = Lesson(folder, its_items[0].record, teacher)
        try:
            for item in its_items:
                lesson.judge_again(item, journal)
                if not journal.is_open(item):
                    continue
                assignment, body = lesson.request(item, journal)
                attempt = len(journal.replied(item))
                journal.note(item, attempt, Entry(assignment.proposals))
                request = {"custom_id": f"{item.key}-{attempt}", "method": "POST", "url": _URL, "body": body}
                yield (json.dumps(request) + "\n").encode()
        except DataError as problem:
            unreadable.append(str(problem))


def _write_split(out: Path, lines: Iterator[bytes], max_bytes: int, max_requests: int) -> dict[Path, int]:
    """Write lines into files below the limits; each file's count. A file is whole when its name is there."""
    files: dict[Path, int] = {}
    size, count = 0, 0
    with ExitStack() as stack:
        file: BinaryIO | None = None
        for line in lines:
            if file is None or size + len(line) > max_bytes or count == max_requests:
                stack.close()
                path = out if not files else out.with_name(f"{out.stem}-{len(files) + 1}{out.suffix}")
                file, size, count = stack.enter_context(written_whole(path)), 0, 0
            file.write(line)
            size, count = size + len(line), count + 1
            files[path] = count
    return files


def _replies(
    results: Sequence[Path], items: dict[str, Item], journal: Journal
) -> tuple[Counter[str], dict[str, dict[str, Any]]]:
    """The new answers' bodies by key, and the lines counted: `answers`, or why they give none."""
    seen = Counter[str]()
    found: dict[str, dict[str, Any]] = {}
    for path in results:
        if not path.is_file():
            raise DataError(f"{path}: no such file; expected the results that the batch service wrote")
        with path.open("rb") as file:
            for line in file:
                if not line.strip():
                    continue
                kind, name, body = _result(line)
                key, _, attempt = name.rpartition("-")
                if not kind and key not in items:
                    kind = "of_another_request"
                elif not kind and (key in found or attempt != str(len(journal.replied(items[key])))):
                    kind = "read_before"
                seen[kind or "answers"] += 1
                if not kind:
                    found[key] = body
    return seen, found


def _result(line: bytes) -> tuple[str, str, dict[str, Any]]:
    """Of a line of results: why it gives no answer (empty if it does), the request's id, the completion's body."""
    try:
        value = json.loads(line)
        name, error, response = str(value["custom_id"]), value.get("error"), value.get("response") or {}
        if error:
            return f"error: {error.get('code') or 'unknown'}", name, {}
        if response.get("status_code", 200) != 200:
            return f"status {response['status_code']}", name, {}
        body = response["body"]
        reply_from(body)
        return "", name, body
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return "unreadable_line", "", {}
