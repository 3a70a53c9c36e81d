"""Canonical records: what is written is read back, and whatever is wrong is named by file, item and field."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning import records as records_module
from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.files import written_whole
from crop_reasoning.geometry import Box
from crop_reasoning.records import (
    CropRecord,
    ImageRef,
    Pair,
    ScoredCrop,
    pair_from_json,
    read_jsonl,
    read_pairs,
    read_records,
    record_from_json,
    to_json,
    write_jsonl,
)
from tests.strategies import boxes, texts

RECORD = CropRecord(
    id="fcdb/1",
    dataset="fcdb",
    split="train",
    image=ImageRef("images/1.jpg", "ab" * 32, (512, 384)),
    crops=(ScoredCrop(Box(0.1, 0.2, 0.9, 0.8), 1.0, "expert"), ScoredCrop(Box(0, 0, 1, 1), 0.5, "whole")),
    subject=Box(0.4, 0.4, 0.6, 0.6),
    aspect=(4, 5),
    licence="research only",
    provenance="row 7",
    scene={"elements": [{"name": "horizontal", "line": [0.0, 0.4, 1.0, 0.4]}]},
)
PAIR = Pair("fcdb/1", Box(0.1, 0.1, 0.9, 0.9), Box(0, 0, 0.5, 0.5), 0.6)


def changed(**fields: Any) -> dict[str, Any]:
    """The record as JSON with fields replaced, or dropped where the value is `...`."""
    value = {**to_json(RECORD), **fields}
    return {key: item for key, item in value.items() if item is not ...}


def write_lines(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_records_and_pairs_round_trip_through_a_folder(tmp_path):
    plain = CropRecord("b", "toy", "test", ImageRef("b.png", "cd" * 32, (8, 8)), ())
    assert write_jsonl(tmp_path / "records.jsonl", [RECORD, plain]) == 2
    assert write_jsonl(tmp_path / "pairs.jsonl", [PAIR]) == 1
    assert read_records(tmp_path) == [RECORD, plain]
    assert read_records(tmp_path, "train") == [RECORD]
    assert read_records(tmp_path, "val") == []
    assert read_pairs(tmp_path) == read_pairs(tmp_path, "train") == [PAIR]
    assert read_pairs(tmp_path, "test") == []


@given(boxes(), st.floats(allow_nan=False, allow_infinity=False), texts.filter(bool), texts)
def test_any_record_round_trips_within_a_millionth(box, score, name, note):
    record = replace(RECORD, id=name, provenance=note, crops=(ScoredCrop(box, score, "x"),), subject=None, aspect=None)
    back = record_from_json(json.loads(json.dumps(to_json(record), ensure_ascii=False)))
    assert back.best.xyxy == pytest.approx(box.xyxy, abs=1e-6)
    assert replace(back, crops=record.crops) == record
    assert back.crops[0].score == score


@given(st.lists(texts, max_size=5))
def test_lines_hold_any_text(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    assert write_jsonl(path, ({"text": text} for text in values)) == len(values)
    assert [value["text"] for value in read_jsonl(path)] == values


def test_the_best_crop_is_the_highest_score_and_the_first_on_ties():
    low, high, tied = (
        ScoredCrop(Box(0, 0, 0.5, 0.5), 1, "a"),
        ScoredCrop(Box(0, 0, 0.6, 0.6), 2, "b"),
        ScoredCrop(Box(0, 0, 0.7, 0.7), 2, "c"),
    )
    assert replace(RECORD, crops=(low, high, tied)).best == high.box
    with pytest.raises(DataError, match="fcdb/1: has no crop"):
        _ = replace(RECORD, crops=()).best


NAN = float("nan")
WRONG_RECORDS = {
    "no id": (changed(id=...), "field 'id' is missing"),
    "no split": (changed(split=...), "field 'split' is missing"),
    "no image": (changed(image=...), "field 'image' is missing"),
    "no crops": (changed(crops=...), "field 'crops' is missing"),
    "no sha256": (changed(image={"path": "a", "wh": [1, 1]}), "field 'sha256' is missing"),
    "no box": (changed(crops=[{"score": 1, "source": "a"}]), "field 'box' is missing"),
    "empty id": (changed(id=""), "id is ''"),
    "number as id": (changed(id=7), "id is 7"),
    "unknown split": (changed(split="training"), "split 'training', expected one of train, val, test"),
    "list as split": (changed(split=["train"]), "expected one of train, val, test"),
    "misspelt field": (changed(subjct=[0, 0, 1, 1]), "unknown field 'subjct'"),
    "image as text": (changed(image="a.jpg"), "record fcdb/1"),
    "crops as text": (changed(crops="abc"), "record fcdb/1"),
    "crops as null": (changed(crops=None), "record fcdb/1"),
    "height missing": (changed(image={"path": "a", "sha256": "b", "wh": [512]}), "two positive whole numbers"),
    "size as text": (changed(image={"path": "a", "sha256": "b", "wh": "88"}), "two positive whole numbers"),
    "size of zero": (changed(image={"path": "a", "sha256": "b", "wh": [0, 9]}), "two positive whole numbers"),
    "fractional size": (changed(image={"path": "a", "sha256": "b", "wh": [9.5, 9]}), "two positive whole numbers"),
    "aspect as text": (changed(aspect="4:5"), "aspect is '4:5'"),
    "aspect of zero": (changed(aspect=[4, 0]), "two positive whole numbers"),
    "empty aspect": (changed(aspect=[]), "two positive whole numbers"),
    "empty subject": (changed(subject=[]), "four numbers"),
    "nan subject": (changed(subject=[0, NAN, 1, 1]), "finite number"),
    "inverted subject": (changed(subject=[0.9, 0, 0.1, 1]), "expected 0 <= x1 < x2 <= 1"),
    "scene as list": (changed(scene=["a"]), "scene is ['a'], expected an object"),
    "licence as number": (changed(licence=4), "licence is 4, expected text"),
    "provenance as list": (changed(provenance=[]), "provenance is [], expected text"),
    "unknown field of a crop": (
        changed(crops=[{"box": [0, 0, 1, 1], "score": 1, "source": "a", "scoer": 2}]),
        "unknown field 'scoer' of the crop, expected box, score, source",
    ),
    "unknown field of the image": (
        changed(image={"path": "a", "sha256": "b", "wh": [1, 1], "size": [1, 1]}),
        "unknown field 'size' of the image, expected path, sha256, wh",
    ),
    **{
        f"scene with {label}": (changed(scene={"elements": elements}), reason)
        for label, elements, reason in [
            ("elements as an object", {"name": "center"}, "elements is {'name': 'center'}, expected a list"),
            ("an element as text", ["center"], "element 1 of the scene: element is 'center', expected an object"),
            (
                "a nameless element",
                [{"name": "center"}, {"line": [0, 0, 1, 1]}],
                "element 2 of the scene: field 'name'",
            ),
            ("a number as name", [{"name": 5}], "name is 5, expected text"),
            ("a list as evidence", [{"name": "a", "evidence": []}], "evidence is [], expected text"),
            ("a misspelt geometry", [{"name": "a", "lines": [0, 0, 1, 1]}], "unknown field 'lines' of the element"),
            ("half a line", [{"name": "a", "line": [0, 1]}], "expected a list of 4 numbers in [0,1]"),
            ("a point in pixels", [{"name": "a", "point": [120, 80]}], "leaves the image"),
            ("a point of text", [{"name": "a", "point": ["0", "1"]}], "expected a finite number"),
            ("an inverted box", [{"name": "a", "box": [0.9, 0, 0.1, 1]}], "expected 0 <= x1 < x2 <= 1"),
            ("two geometries", [{"name": "a", "point": [0, 0], "line": [0, 0, 1, 1]}], "has point and line"),
        ]
    },
    **{
        f"crop {label}": (changed(crops=[{"box": box, "score": 1, "source": "a"}]), reason)
        for label, box, reason in [
            ("with nan", [0.1, NAN, 0.9, 0.9], "finite number"),
            ("with infinity", [0.1, 0.1, math.inf, 0.9], "finite number"),
            ("with null", [0.1, None, 0.9, 0.9], "finite number"),
            ("of booleans", [False, False, True, True], "finite number"),
            ("of texts", ["0", "0", "1", "1"], "finite number"),
            ("of three numbers", [0, 0, 1], "four numbers"),
            ("of five numbers", [0, 0, 1, 1, 1], "four numbers"),
            ("as an object", {"x1": 0, "y1": 0, "x2": 1, "y2": 1}, "four numbers"),
            ("in pixels", [10, 20, 300, 400], "expected 0 <= x1 < x2 <= 1"),
            ("in xywh order", [0.5, 0.5, 0.4, 0.4], "expected 0 <= x1 < x2 <= 1"),
            ("beyond the image", [0.5, 0.5, 1.004, 0.9], "expected 0 <= x1 < x2 <= 1"),
            ("without area", [0.5, 0.1, 0.5, 0.9], "expected 0 <= x1 < x2 <= 1"),
        ]
    },
    **{
        f"score {score!r}"[:20]: (
            changed(crops=[{"box": [0, 0, 1, 1], "score": score, "source": "a"}]),
            "record fcdb/1",
        )
        for score in (NAN, math.inf, "5", None, True, 10**400)
    },
}


@pytest.mark.parametrize("name", WRONG_RECORDS)
def test_a_wrong_record_is_named_with_what_is_wrong(name):
    value, reason = WRONG_RECORDS[name]
    with pytest.raises(DataError, match=re.escape(reason)) as refused:
        record_from_json(value)
    assert str(refused.value).startswith("record ")


def test_an_element_that_was_stored_with_nulls_is_read_without_them():
    element = {"name": "horizontal", "evidence": "", "point": None, "line": [0, 0.4, 1, 0.4], "box": None}
    read = record_from_json(changed(scene={"kind": "horizon", "elements": [element, {"name": "center"}]}))
    line = {"name": "horizontal", "evidence": "", "line": [0, 0.4, 1, 0.4]}
    assert read.scene == {"kind": "horizon", "elements": [line, {"name": "center"}]}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"margin": 0}, "margin 0, expected above 0"),
        ({"margin": -0.2}, "expected above 0"),
        ({"margin": 1.5}, "at most 1"),
        ({"margin": NAN}, "finite number"),
        ({"margin": "0.5"}, "finite number"),
        ({"chosen": [0, 0, 0.5, 0.5]}, "the same box"),
        ({"chosen": [0, 0, 2, 2]}, "expected 0 <= x1"),
        ({"record_id": None}, "record_id is None"),
        ({"vote": 5}, "unknown field 'vote' of the pair, expected record_id, chosen, rejected, margin, votes, bucket"),
        ({"votes": 5}, "votes 5, expected two whole numbers from 0 that are not equal"),
        ({"votes": [2, 2]}, "not equal"),
        ({"votes": [-1, 4]}, "whole numbers from 0"),
        ({"votes": [5, True]}, "whole numbers"),
        ({"votes": [4, 1, 0]}, "two whole numbers"),
        ({"bucket": "tough"}, "bucket 'tough', expected one of hard, medium, easy"),
    ],
)
def test_a_wrong_pair_is_named_with_what_is_wrong(fields, reason):
    with pytest.raises(DataError, match=reason):
        pair_from_json({**to_json(PAIR), **fields})


def test_a_pair_keeps_its_votes_and_bucket_and_needs_neither():
    voted = replace(PAIR, votes=(1, 4), bucket="medium")
    assert pair_from_json(json.loads(json.dumps(to_json(voted)))) == voted
    assert pair_from_json({key: to_json(PAIR)[key] for key in ("record_id", "chosen", "rejected", "margin")}) == PAIR


def test_the_file_and_the_item_of_a_wrong_record_are_named(tmp_path):
    write_jsonl(tmp_path / "records.jsonl", [RECORD, changed(id="x", subject=[0, 0, 7, 7])])
    with pytest.raises(DataError, match=r"records\.jsonl, item 2: record x: box \(0, 0, 7, 7\)"):
        read_records(tmp_path)


def test_a_torn_last_line_is_an_error_not_a_shorter_data_set(tmp_path):
    whole = json.dumps(to_json(RECORD))
    for cut in (1, len(whole) // 2, len(whole) - 1):
        path = write_lines(tmp_path / "records.jsonl", whole.replace("fcdb/1", "a"), whole[:cut])
        with pytest.raises(DataError, match=rf"{re.escape(str(path))}:2: not JSON .* was the file cut short"):
            read_records(tmp_path)


@pytest.mark.parametrize("line", ["[]", "5", "null", '"text"', "true"])
def test_a_line_that_is_no_object_is_named_by_its_number(tmp_path, line):
    path = write_lines(tmp_path / "a.jsonl", '{"a":1}', "", line)
    with pytest.raises(DataError, match=r"a\.jsonl:3: got a .*, expected an object"):
        list(read_jsonl(path))


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe{}", b"{", b'{"a":1}}', b'{"a":\x00}', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}"],
    ids=["utf-16", "open", "two closings", "nul", "nested", "huge integer", "byte order mark"],
)
def test_bytes_that_are_no_json_are_a_sentence(tmp_path, line):
    with pytest.raises(DataError, match=r"a\.jsonl:1: not JSON"):
        list(read_jsonl(write_lines(tmp_path / "a.jsonl", line)))


def test_empty_lines_and_a_missing_last_newline_are_no_errors(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", '{"a":1}', "", "  ", '{"a":2}')
    assert [value["a"] for value in read_jsonl(path)] == [1, 2]


def test_a_missing_file_says_what_builds_it(tmp_path):
    with pytest.raises(DataError, match="no such file; build it first"):
        read_records(tmp_path)


def test_an_id_that_stands_twice_is_refused(tmp_path):
    write_jsonl(tmp_path / "records.jsonl", [RECORD, replace(RECORD, split="test")])
    with pytest.raises(DataError, match="'fcdb/1' stands twice"):
        read_records(tmp_path)


def test_asking_for_a_split_that_does_not_exist_is_no_empty_answer(tmp_path):
    write_jsonl(tmp_path / "records.jsonl", [RECORD])
    with pytest.raises(DataError, match="split 'tset', expected one of train, val, test"):
        read_records(tmp_path, "tset")


def test_a_pair_of_no_record_is_refused_not_dropped(tmp_path):
    write_jsonl(tmp_path / "records.jsonl", [RECORD])
    write_jsonl(tmp_path / "pairs.jsonl", [PAIR, replace(PAIR, record_id="gone")])
    with pytest.raises(DataError, match=r"1 pairs of no known record, the first of 'gone'"):
        read_pairs(tmp_path, "train")


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ({"score": NAN}, DataError),
        ({"score": math.inf}, DataError),
        ({"text": "half a pair \ud83d"}, DataError),
        ({"path": Path("a")}, TypeError),
    ],
    ids=["nan", "infinity", "surrogate", "not json"],
)
def test_a_failed_write_leaves_nothing_new_and_nothing_lost(tmp_path, item, error):
    path = tmp_path / "new" / "a.jsonl"
    with pytest.raises(error):
        write_jsonl(path, [{"fine": 1}, item])
    assert list((tmp_path / "new").iterdir()) == []
    write_jsonl(path, [{"old": 1}])
    with pytest.raises(error):
        write_jsonl(path, [{"fine": 1}, item])
    assert list(read_jsonl(path)) == [{"old": 1}]
    assert [entry.name for entry in path.parent.iterdir()] == ["a.jsonl"]


def test_a_failing_source_and_an_interrupt_leave_nothing_behind(tmp_path):
    def items(problem: type[BaseException]):
        yield {"a": 1}
        raise problem

    for problem in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(problem):
            write_jsonl(tmp_path / "a.jsonl", items(problem))
        assert list(tmp_path.iterdir()) == []


def test_the_item_that_cannot_be_stored_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.jsonl: item 2: cannot be stored as JSON"):
        write_jsonl(tmp_path / "a.jsonl", [{"a": 1}, {"a": NAN}])


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.jsonl").mkdir()
    for path in (tmp_path / "file" / "a.jsonl", tmp_path / "folder.jsonl"):
        with pytest.raises(EnvironmentProblem, match="not written"):
            write_jsonl(path, [{"a": 1}])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence(tmp_path):
    (tmp_path / f"a.jsonl.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(EnvironmentProblem, match="No space left"):
        write_jsonl(tmp_path / "a.jsonl", [{"a": "b" * 100_000}])
    assert not (tmp_path / "a.jsonl").exists()


def test_two_processes_that_write_one_file_do_not_meet(tmp_path, monkeypatch):
    """Two runs of one command at once shared a partial file: the one that ended last failed for want of it."""
    with written_whole(tmp_path / "a.png") as one:
        one.write(b"of the first")
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with written_whole(tmp_path / "a.png") as other:
            other.write(b"second")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"of the first"}


def test_records_are_parsed_once_and_again_when_the_file_changes(tmp_path, monkeypatch):
    parsed: list[str] = []
    stock = records_module.record_from_json
    monkeypatch.setattr(records_module, "record_from_json", lambda value: (parsed.append(value["id"]), stock(value))[1])
    write_jsonl(tmp_path / "records.jsonl", [replace(RECORD, id=name) for name in "ab"])
    read_records(tmp_path).clear()  # the caller's own list
    assert [record.id for record in read_records(tmp_path, RECORD.split)] == ["a", "b"]
    assert parsed == ["a", "b"]
    write_jsonl(tmp_path / "records.jsonl", [replace(RECORD, id=name) for name in "cb"])
    assert [record.id for record in read_records(tmp_path)] == ["c", "b"]
