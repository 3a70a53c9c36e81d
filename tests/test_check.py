"""`data check`: every fault is found and named, whatever reads the lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.reasoning.store import read_pair_rationales, read_rationales
from crop_reasoning.records import read_pairs, read_records
from tests.fcdb_copy import picture
from tests.verbs import alter, built_fcdb, refused, run


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return built_fcdb(tmp_path)


def test_check_without_deep_opens_no_photo_and_sees_a_changed_one_by_its_size(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for record in read_records(built):
        (built / record.image.path).chmod(0)
    monkeypatch.setattr("data_builders.check_lines.sha256_of", lambda path: pytest.fail(f"{path} was hashed"))
    monkeypatch.setattr("data_builders.check_lines.load_upright", lambda path: pytest.fail(f"{path} was decoded"))
    findings = json.loads(run("check", built, "--json").stdout)
    assert findings["problems"] == []
    assert findings["counts"]["photos looked up"] == 10
    photo = built / read_records(built)[0].image.path
    photo.chmod(0o644)
    photo.write_bytes(photo.read_bytes() + b"more")
    assert re.search(
        r"records.jsonl:1: record .* is not the one recorded: it has [\d,]+ bytes", str(refused("check", built))
    )


def test_check_sees_a_photo_of_the_same_size_and_other_bytes_with_deep_alone(built: Path) -> None:
    photo = built / read_records(built)[0].image.path
    content = bytearray(photo.read_bytes())
    content[-10] ^= 1
    photo.write_bytes(content)
    assert run("check", built).exit_code == 0
    assert "is not the one recorded (sha256 differs)" in str(refused("check", built, "--deep"))


def test_check_of_parquet_looks_at_the_end_and_hashes_with_deep(built: Path) -> None:
    shard = built / "parquet" / "train-00000-of-00001.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    assert "parquet/train-00000-of-00001.parquet: does not end as a Parquet file does" in str(refused("check", built))
    shard.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert run("check", built).exit_code == 0
    assert "train-00000-of-00001.parquet: was changed since manifest.json" in str(refused("check", built, "--deep"))


def test_check_finds_the_same_in_one_process_and_in_several(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are numbered, twins and leaks found across parts, wherever the parts are read."""
    records = built / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    copies = [line.replace('"id": "fcdb-', f'"id": "copy{n}-') for n in range(5) for line in lines]
    records.write_text("".join([*lines, "\n", *copies, lines[3], '{"id": "cut']))
    alter_split = json.loads(lines[4]) | {"id": "leak", "split": "test"}
    records.write_text(records.read_text() + "\n" + json.dumps(alter_split) + "\n")
    spoil_rationale(built, {})
    whole = json.loads(run("check", built, "--json").stdout)
    assert {"records.jsonl:62", "records.jsonl:63", "rationales.jsonl:1"} <= {one["where"] for one in whole["problems"]}
    monkeypatch.setattr("data_builders.check_lines.PART_BYTES", 700)
    monkeypatch.setattr("data_builders.check_lines.DEEP_PART_BYTES", 700)
    for deep in ([], ["--deep"]):
        parted = json.loads(run("check", built, "--json", *deep).stdout)
        assert sorted(map(str, parted["problems"])) == sorted(map(str, whole["problems"]))


def test_check_passes_a_good_folder(built: Path) -> None:
    result = run("check", built, "--deep", "--json")
    findings = json.loads(result.stdout)
    assert result.exit_code == 0
    assert findings["problems"] == []
    assert findings["counts"]["photos decoded"] == findings["counts"]["rationales.jsonl"] == 10
    assert findings["counts"]["pair_rationales.jsonl"] == findings["counts"]["pairs.jsonl"] == 20


def test_check_prints_all_problems_not_only_the_first(built: Path) -> None:
    records = built / "records.jsonl"
    alter(records, 0, lambda line: line.update(split="training"))
    alter(records, 1, lambda line: line["crops"][0].update(box=[0.5, 0.1, 0.4, 0.9]))
    alter(records, 2, lambda line: line.update(id=json.loads(records.read_text().splitlines()[3])["id"]))
    alter(records, 4, lambda line: line.update(taks="free"))
    alter(records, 5, lambda line: line.update(crops=[]))
    records.write_text(records.read_text()[:-40])  # the last line is cut
    alter(built / "pairs.jsonl", 18, lambda line: line.update(margin=0))
    (built / json.loads(records.read_text().splitlines()[6])["image"]["path"]).unlink()
    problem = refused("check", built)
    assert problem.exit_code == 3
    text = str(problem)
    for expected in (
        "records.jsonl:1: record fcdb-",
        "split 'training', expected one of train, val, test",
        "records.jsonl:2: ",
        "box (0.5, 0.1, 0.4, 0.9)",
        "stands in records.jsonl:3 already",
        "records.jsonl:5: record fcdb-",
        "unknown field 'taks' of the record, expected id, ",
        "records.jsonl:6: record fcdb-",
        "has no crop",
        "records.jsonl:10: not a JSON object",
        "is missing; was it or the data set moved?",
        "margin 0, expected above 0",
        "is not in records.jsonl",
        "records.jsonl: was changed since manifest.json was written",
    ):
        assert expected in text
    assert text.count("taks") == 1


def spoil_photo(folder: Path, record: dict[str, Any]) -> None:
    picture(99).save(folder / record["image"]["path"])


def spoil_size(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "records.jsonl", 0, lambda line: line["image"].update(wh=[300, 400]))


def spoil_split(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "records.jsonl", 9, lambda line: line.update(image=record["image"]))


def spoil_pair(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "pairs.jsonl", 0, lambda line: line.update(record_id="fcdb-0"))


def spoil_rationale(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "rationales.jsonl", 0, lambda line: line["rationale"].pop("decision"))


def spoil_pair_rationale(folder: Path, record: dict[str, Any]) -> None:
    decision = {"box": [0.0, 0.0, 0.3, 0.3], "why": ""}
    alter(folder / "pair_rationales.jsonl", 0, lambda line: line["chosen"].update(decision=decision))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_photo, "is not the one recorded (sha256 differs)"),
        (spoil_size, "400x300 px upright, the record says 300x400"),
        (spoil_split, "the same photo stands in several splits"),
        (spoil_pair, "pairs.jsonl:1: record 'fcdb-0' is not in records.jsonl"),
        (spoil_rationale, "rationales.jsonl:1: its answer: rationale without field 'decision'"),
        (spoil_pair_rationale, "the chosen answer decides on another crop than the pair's"),
    ],
)
def test_check_names_each_fault(built: Path, spoil: Callable[[Path, dict[str, Any]], None], expected: str) -> None:
    spoil(built, json.loads((built / "records.jsonl").read_text().splitlines()[0]))
    result = run("check", built, "--deep", "--json")
    assert isinstance(result.exception, CropReasoningError)
    assert result.exception.exit_code == 3
    problems = json.loads(result.stdout)["problems"]
    assert any(expected in f"{problem['where']}: {problem['what']}" for problem in problems)


def change_element(line: dict[str, Any]) -> None:
    line["scene"] = {"elements": [{"line": [0, 0, 1, 1]}]}


def change_decision(line: dict[str, Any]) -> None:
    line["rationale"]["decision"]["box"] = [0.0, 0.0, 0.3, 0.3]


def change_why(line: dict[str, Any]) -> None:
    line["rationale"]["decision"]["why"] = 5


def change_serves(line: dict[str, Any]) -> None:
    line["rationale"]["proposals"][0]["serves"] = "center"


UNREADABLE = [
    ("records.jsonl", change_element, "element 1 of the scene: field 'name' is missing"),
    ("records.jsonl", lambda line: line["crops"][0].update(scoer=1), "unknown field 'scoer' of the crop"),
    ("records.jsonl", lambda line: line.update(licence=4), "licence is 4, expected text"),
    ("pairs.jsonl", lambda line: line.update(vote=5), "unknown field 'vote' of the pair"),
    ("rationales.jsonl", change_why, "why is 5, expected text"),
    ("rationales.jsonl", change_serves, "serves is 'center', expected a list"),
    ("rationales.jsonl", lambda line: line.pop("record_id"), "field 'record_id' is missing"),
    ("rationales.jsonl", lambda line: line.update(rationale="a crop"), "rationale cannot be read"),
    ("pair_rationales.jsonl", lambda line: line.update(pair=5), "pair is 5, expected an object"),
    ("pair_rationales.jsonl", lambda line: line["pair"].update(vote=5), "unknown field 'vote' of the pair"),
    ("pair_rationales.jsonl", lambda line: line["chosen"]["decision"].update(why=None), "why is None, expected text"),
]
READERS = {
    "records.jsonl": read_records,
    "pairs.jsonl": read_pairs,
    "rationales.jsonl": read_rationales,
    "pair_rationales.jsonl": read_pair_rationales,
}


@pytest.mark.parametrize(("name", "change", "expected"), UNREADABLE)
def test_a_broken_line_is_refused_by_its_reader_and_named_by_check(
    built: Path, name: str, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    alter(built / name, 1, change)
    with pytest.raises(DataError, match=re.escape(expected)) as problem:
        READERS[name](built)
    assert f"{name}, item 2: " in str(problem.value)
    found = [line for line in str(refused("check", built)).splitlines() if line.startswith(f"{name}:2: ")]
    assert len(found) == 1
    assert expected in found[0]


def test_check_finds_an_answer_that_does_not_decide_on_the_best_crop(built: Path) -> None:
    alter(built / "rationales.jsonl", 1, change_decision)
    text = str(refused("check", built))
    assert "rationales.jsonl:2: record fcdb-" in text
    assert "decides on [0, 0, 0.3, 0.3], expected a crop of the record's highest score, [0.1, 0.1, 0.6, 0.6]" in text


def test_check_takes_any_of_several_best_crops_and_boxes_of_more_decimals(built: Path) -> None:
    def tie(line: dict[str, Any]) -> None:
        line["crops"] = [{"box": [0.0, 0.0, 1.0, 1.0], "score": 1.0, "source": "a"}, *line["crops"]]

    alter(built / "records.jsonl", 0, tie)
    alter(built / "records.jsonl", 1, lambda line: line["crops"][0].update(box=[0.1000004, 0.1, 0.6, 0.6]))
    assert "1 problems (1 in records.jsonl)" in str(refused("check", built))  # its hash


def test_check_of_no_data_set_says_so(tmp_path: Path) -> None:
    assert "build it first" in str(refused("check", tmp_path))


def test_ctrl_c_in_a_check_says_so(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("data_builders.check_lines.load_upright", interrupted)
    problem = refused("check", built, "--deep")
    assert (problem.exit_code, "stopped by hand before all was checked" in str(problem)) == (130, True)
