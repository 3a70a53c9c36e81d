"""A teacher's answers as the lines of stored rationales, and what was refused as lines beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.authors.diversity import diversity
from crop_reasoning.authors.teacher import TEACHER, Assignment, Judged, Teacher, read_answer
from crop_reasoning.errors import CropReasoningError
from crop_reasoning.reasoning.rationale import Rationale
from crop_reasoning.records import PAIRS, read_pairs, read_records, to_json
from crop_reasoning.verification.verify import VERSION
from data_builders.rationale_files import Line, judged, provenance, write_lines
from data_builders.teacher_journal import Item, Journal


def write_answers(
    folder: Path,
    items: Sequence[Item],
    teacher: Teacher,
    journal: Journal,
    unanswered: Mapping[str, CropReasoningError],
) -> dict[str, Any]:
    """Write what was accepted into the folder's rationales and list the rest; the counts.

    Lines of records that were not asked for, and of those without an accepted answer, stay as they were. `unanswered`
    says by key why items have no reply; what stands there and in no reply is not refused, it is still to be asked.
    """
    lines: dict[str, Line] = {}
    pair_lines: dict[str, Line] = {}
    refused: list[Line] = []
    answers: list[Rationale] = []
    counts = {name: Counter[str]() for name in ("refused", "contradictions", "refused_at_first", "unanswered")}
    for item in items:
        for entry in journal.replied(item):
            if entry.judged and entry.judged.kind:
                counts["refused_at_first"][entry.judged.kind] += 1
        found = _accepted(item, journal)
        if found:
            rationales, verdict = found
            answers += rationales
            said = _line(item, teacher, verdict, rationales)
            if item.pair:
                pair_lines[item.key] = said
            else:
                lines[item.record.id] = said
            continue
        line = _refused(item, teacher, journal, unanswered.get(item.key))
        if line["attempts"] and not journal.is_open(item):
            counts["refused"][line["kind"]] += 1
            counts["contradictions"].update(each["kind"] for each in line["verified"]["contradictions"])
        else:
            counts["unanswered"][line["kind"]] += 1
        refused.append(line)
    written = _files(folder, items, lines, pair_lines, refused)
    figures = {name: dict(count.most_common()) for name, count in counts.items()}
    own = {"rationales": len(lines), "pair_rationales": len(pair_lines)}
    provenance_of_all = {"author": TEACHER, "prompt_id": teacher.prompt_id, "model": teacher.model, "verifier": VERSION}
    return {**provenance_of_all, **own, "in_files": written, **figures, "diversity": diversity(answers)}


def _accepted(item: Item, journal: Journal) -> tuple[tuple[Rationale, ...], Judged] | None:
    entry = journal.accepted(item)
    if entry is None or entry.reply is None or entry.judged is None:
        return None
    found = read_answer(entry.reply, Assignment(item.record, item.targets, entry.proposals, item.pair))
    return None if isinstance(found, Judged) else (found, entry.judged)


def _whose(item: Item, teacher: Teacher) -> Line:
    whose: Line = {"pair": item.pair} if item.pair else {"record_id": item.record.id}
    return {**whose, **provenance(TEACHER, teacher.seed, prompt_id=teacher.prompt_id, model=teacher.model)}


def _line(item: Item, teacher: Teacher, verdict: Judged, rationales: Sequence[Rationale]) -> Line:
    names = ("chosen", "rejected") if item.pair else ("rationale",)
    said = dict(zip(names, rationales, strict=True))
    return to_json({**_whose(item, teacher), "verified": judged(verdict.claims, ()), **said})


def _refused(item: Item, teacher: Teacher, journal: Journal, problem: CropReasoningError | None) -> Line:
    """What is known of an item without an accepted answer: the last reply and what is wrong with it, or why there is
    none (its kind; `missing` where nothing is known, as of a batch that is away)."""
    replied = journal.replied(item)
    last = replied[-1] if replied else None
    if last and last.judged and not journal.is_open(item):
        kind, detail = last.judged.kind, last.judged.detail
    else:
        kind = getattr(problem, "kind", "unreadable_photo" if problem else "missing")
        detail = str(problem or "no reply yet")
    verdict = last.judged if last and last.judged else Judged()
    text = last.reply.text if last and last.reply else ""
    return to_json(
        {
            **_whose(item, teacher),
            "verified": judged(verdict.claims, verdict.contradictions),
            "kind": kind,
            "detail": detail,
            "attempts": len(replied),
            "text": text,
        }
    )


def _files(
    folder: Path,
    items: Sequence[Item],
    lines: Mapping[str, Line],
    pair_lines: Mapping[str, Line],
    refused: Sequence[Line],
) -> dict[str, int]:
    """Merge the lines into the folder's files, in the order of its records and pairs; the counts of whole files."""
    records = read_records(folder)
    pairs = read_pairs(folder) if (folder / PAIRS).is_file() else []
    places = {item.pair: pair_lines[item.key] for item in items if item.pair and item.key in pair_lines}
    return write_lines(
        folder,
        records,
        pairs,
        {item.record.id for item in items},
        lambda index: lines.get(records[index].id),
        lambda index: places.get(pairs[index]),
        refused,
    )
