"""Rationales on disk, beside the records they belong to: `rationales.jsonl`, `pair_rationales.jsonl`, `dialogs.jsonl`.

Geometry is stored as [0,1] floats, so the same file serves every model family; integers appear only when a sample is
rendered for one of them. Besides the answer a line says who wrote it and what the verifier found; neither is read here.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.json_fields import as_box, as_element, as_list, as_object, as_sides, as_text, as_words, naming
from crop_reasoning.reasoning.dialogs import Ask, Dialog, Exchange
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale
from crop_reasoning.records import CropRecord, Pair, pair_from_json, read_jsonl, read_records, record_from_json

RATIONALES, PAIR_RATIONALES, DIALOGS = "rationales.jsonl", "pair_rationales.jsonl", "dialogs.jsonl"
REFUSED = "rationales_refused.jsonl"
"""Lines of either kind whose answers say what was not measured; nobody learns from them."""
TASK_RECORDS = "task_records.jsonl"
"""Records of photos that were made for dialogues alone; plain cropping neither trains nor is measured on them."""


def rationale_from_json(value: dict[str, Any], where: str) -> Rationale:
    """The rationale that `records.to_json` wrote; `DataError` names `where` and what is wrong."""
    try:
        return Rationale(
            subject=None if value["subject"] is None else as_box(value["subject"]),
            elements=tuple(element_from_json(as_element(one)) for one in as_list(value["elements"], "elements")),
            proposals=tuple(_proposal(one) for one in as_list(value["proposals"], "proposals")),
            decision=Decision(as_box(value["decision"]["box"]), as_words(value["decision"]["why"], "why")),
        )
    except KeyError as missing:
        raise DataError(f"{where}: rationale without field {missing}; write the rationales anew") from None
    except (TypeError, ValueError, AttributeError, OverflowError, DataError) as problem:
        raise DataError(f"{where}: rationale cannot be read ({problem}); write the rationales anew") from None


def _proposal(value: dict[str, Any]) -> Proposal:
    serves = tuple(as_words(name, "a name that a proposal serves") for name in as_list(value["serves"], "serves"))
    return Proposal(as_box(value["box"]), serves, as_words(value["reason"], "reason"))


def element_from_json(value: dict[str, Any]) -> Element:
    """An element from JSON values in [0,1], as records' `scene` and stored rationales hold them."""
    return Element(
        value["name"],
        value.get("evidence", ""),
        point=tuple(value["point"]) if value.get("point") else None,
        line=tuple(value["line"]) if value.get("line") else None,
        box=Box(*value["box"]) if value.get("box") else None,
    )


def read_rationales(folder: Path | str, split: str | None = None) -> dict[str, list[Rationale]]:
    """Rationales by record id, in file order, of one split or of all. `DataError` if the file is missing."""
    path = Path(folder) / RATIONALES
    members = {record.id for record in read_records(folder, split)}
    found: dict[str, list[Rationale]] = defaultdict(list)
    for number, value in enumerate(read_jsonl(path), 1):
        with naming(f"{path}, item {number}"):
            record_id = as_text(value["record_id"], "record_id")
            if record_id in members:
                found[record_id].append(rationale_from_json(value["rationale"], f"record {record_id}"))
    return dict(found)


def read_pair_rationales(folder: Path | str, split: str | None = None) -> list[tuple[Pair, Rationale, Rationale]]:
    """Each pair with the matched answers for its chosen and its rejected crop (equal but for the decision)."""
    path = Path(folder) / PAIR_RATIONALES
    members = {record.id for record in read_records(folder, split)}
    found = []
    for number, value in enumerate(read_jsonl(path), 1):
        with naming(f"{path}, item {number}"):
            pair = pair_from_json(as_object(value["pair"], "pair"))
            if pair.record_id in members:
                chosen = rationale_from_json(value["chosen"], f"the chosen answer of record {pair.record_id}")
                rejected = rationale_from_json(value["rejected"], f"the rejected answer of record {pair.record_id}")
                found.append((pair, chosen, rejected))
    return found


def read_dialog_records(folder: Path | str, split: str | None = None) -> dict[str, CropRecord]:
    """Every record that conversations may speak of, by id: the data set's own and those of photos made for them."""
    found = {record.id: record for record in read_records(folder)}
    path = Path(folder) / TASK_RECORDS
    for number, value in enumerate(read_jsonl(path) if path.is_file() else (), 1):
        with naming(f"{path}, item {number}"):
            record = record_from_json(value)
            if record.id in found:
                raise DataError(f"record id {record.id!r} stands twice; make the dialogues anew")
            found[record.id] = record
    return {name: record for name, record in found.items() if split in (None, record.split)}


def read_dialogs(folder: Path | str, split: str | None = None) -> list[Dialog]:
    """The conversations about the records of one split or of all, in file order. `DataError` if the file is missing or
    speaks of a record that is not there."""
    path = Path(folder) / DIALOGS
    splits = {name: record.split for name, record in read_dialog_records(folder).items()}
    found = []
    for number, value in enumerate(read_jsonl(path), 1):
        with naming(f"{path}, item {number}"):
            record_id = as_text(value["record_id"], "record_id")
            if record_id not in splits:
                raise DataError(f"a dialogue of no known record, {record_id!r}; make the dialogues anew")
            if split in (None, splits[record_id]):
                found.append(_dialog(record_id, value))
    return found


def _dialog(record_id: str, value: dict[str, Any]) -> Dialog:
    where = f"record {record_id}"
    history = tuple(_exchange(as_object(one, "exchange"), where) for one in as_list(value["history"], "history"))
    answer = rationale_from_json(as_object(value["answer"], "answer"), where)
    return Dialog(record_id, as_text(value["task"], "task"), history, _ask(value["ask"]), answer)


def _exchange(value: dict[str, Any], where: str) -> Exchange:
    answer = value["answer"]
    return Exchange(_ask(value["ask"]), answer if isinstance(answer, str) else rationale_from_json(answer, where))


def _ask(value: Any) -> Ask:
    as_object(value, "ask", Ask.__dataclass_fields__)
    return Ask(
        words=as_words(value.get("words", ""), "words"),
        aspect=None if value.get("aspect") is None else as_sides(value["aspect"], "aspect"),
        subject=None if value.get("subject") is None else as_box(value["subject"]),
    )
