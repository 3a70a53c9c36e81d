"""A teacher asked by batch files, and the verb `data rationales`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from crop_reasoning.authors.teacher import Teacher
from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.locks import held
from crop_reasoning.reasoning.store import REFUSED
from crop_reasoning.records import read_jsonl, read_pairs, read_records
from data_builders.teacher import teach
from data_builders.teacher_batch import read_results, write_requests
from data_builders.teacher_journal import JOURNAL
from tests.teachers import Json, completion, measured_once, teaching, written
from tests.verbs import refused, run

TEACHER = Teacher("m")


@pytest.fixture
def folder(two_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("data_builders.teacher.measure", measured_once)
    return Path(shutil.copytree(two_scenes, tmp_path / "data"))


def requests(path: Path) -> list[Json]:
    return list(read_jsonl(path))


def result(request: Json, text: str | None = None, **more: Any) -> Json:
    """A line as a batch service writes it."""
    body = completion(written(request["body"]) if text is None else text)
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None} | more


def write(path: Path, lines: list[Json]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*rationales*.jsonl")}


def test_a_batch_in_any_order_gives_what_asking_one_by_one_gives(
    folder: Path, two_scenes: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(two_scenes, tmp_path / "other"))
    with teaching() as teacher:
        sync = teach(other, TEACHER, teacher.url)
    out = tmp_path / "batch.jsonl"
    assert write_requests(folder, TEACHER, out)["files"] == {str(out): len(teacher.asked)}
    lines = requests(out)
    assert sorted(json.dumps(line["body"]) for line in lines) == sorted(map(json.dumps, teacher.asked))
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    ids = [line["custom_id"] for line in lines]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 64
    found = read_results(folder, TEACHER, [write(tmp_path / "in.jsonl", [result(line) for line in reversed(lines)])])
    assert files(folder) == files(other)
    assert found["lines"] == {"answers": len(lines)}
    assert {name: found[name] for name in found if name != "lines"} == {
        name: sync[name] for name in found if name != "lines"
    }


def test_lines_without_an_answer_are_counted_by_kind_and_asked_for_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.jsonl"
    write_requests(folder, TEACHER, out)
    first, second, third, fourth, fifth, sixth = requests(out)
    expired = {"code": "batch_expired", "message": "too late"}
    lines = [
        result(first),
        result(first),
        result(second, response=None, error=expired),
        result(third, response={"status_code": 429, "body": {"error": {"message": "busy"}}}),
        result(fourth, "I'm sorry, but I can't."),
        result(fifth) | {"custom_id": "of-somebody-else"},
    ]
    results = write(tmp_path / "in.jsonl", lines)
    with results.open("a") as file:
        file.write(json.dumps(result(sixth))[:80])
    found = read_results(folder, TEACHER, [results])
    assert found["lines"] == {
        "answers": 2,
        "read_before": 1,
        "error: batch_expired": 1,
        "status 429": 1,
        "of_another_request": 1,
        "unreadable_line": 1,
    }
    assert found["unanswered"] == {"missing": 5}
    assert found["refused_at_first"] == {"refusal": 1}
    assert len(list(read_jsonl(folder / REFUSED))) == 5
    again = tmp_path / "again.jsonl"
    write_requests(folder, TEACHER, again)
    asked = {line["custom_id"]: len(line["body"]["messages"]) for line in requests(again)}
    told = fourth["custom_id"].removesuffix("-0") + "-1"
    assert asked == {**{line["custom_id"]: 2 for line in (second, third, fifth, sixth)}, told: 4}
    found = read_results(folder, TEACHER, [results, write(tmp_path / "2.jsonl", [result(r) for r in requests(again)])])
    assert (found["rationales"], found["pair_rationales"]) == (2, 4)
    assert found["lines"]["read_before"] == 3, "the answers of the first file stand in the journal"


def test_a_batch_is_split_below_the_limits_and_written_whole(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.jsonl"
    whole = write_requests(folder, TEACHER, out)
    size = max(len(line) + 1 for line in out.read_text().splitlines())
    lines = out.read_bytes()
    for limits in ({"max_requests": 2}, {"max_bytes": 2 * size}):
        part = write_requests(folder, TEACHER, tmp_path / "part.jsonl", **limits)
        names = [Path(name).name for name in part["files"]]
        assert names == ["part.jsonl", *(f"part-{n}.jsonl" for n in range(2, len(names) + 1))]
        assert len(names) >= 3
        assert part["requests"] == whole["requests"]
        parts = [Path(name).read_bytes() for name in part["files"]]
        assert b"".join(parts) == lines
        assert max(map(len, parts)) <= limits.get("max_bytes", len(lines))
    assert not list(tmp_path.glob("*.partial"))


def test_a_batch_after_some_answers_asks_for_the_others_only(folder: Path, tmp_path: Path) -> None:
    with teaching() as teacher:
        teach(folder, TEACHER, teacher.url, limit=1)
    every = len(read_records(folder)) + len(read_pairs(folder))
    assert write_requests(folder, TEACHER, tmp_path / "batch.jsonl")["requests"] == every - len(teacher.asked)


def test_batches_of_a_folder_in_use_and_results_that_are_missing_are_refused(folder: Path, tmp_path: Path) -> None:
    with held(folder / JOURNAL, "taken"), pytest.raises(EnvironmentProblem, match="another process"):
        write_requests(folder, TEACHER, tmp_path / "batch.jsonl")
    with pytest.raises(DataError, match="no such file"):
        read_results(folder, TEACHER, [tmp_path / "nowhere.jsonl"])


def test_the_verb_asks_a_teacher_and_prints_its_figures(folder: Path) -> None:
    with teaching() as teacher:
        command = ("rationales", folder, "--author", "teacher", "--base-url", teacher.url, "--model", "m", "--limit", 1)
        printed = run(*command)
        document = json.loads(run(*command, "--json").stdout)
    assert printed.exit_code == 0, printed.output
    assert "rationales: 1\n" in printed.stdout
    assert "tokens: prompt 3,000, completion 300" in printed.stdout
    assert document["verifier"] in printed.stdout
    assert document["diversity"]["distinct-1"] > 0
    assert document["tokens_this_run"] == {"prompt": 0, "completion": 0}


def test_the_verb_leaves_with_1_if_answers_are_missing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "batch.jsonl"
    command = ("rationales", folder, "--author", "teacher", "--model", "m", "--limit", 1, "--photo-only")
    assert run(*command, "--batch-out", out).exit_code == 0
    first, *others = requests(out)
    ended = run(*command, "--batch-in", write(tmp_path / "1.jsonl", [result(first)]))
    assert ended.exit_code == 1
    assert f"unanswered: missing {len(others)}" in ended.stdout
    results = write(tmp_path / "2.jsonl", [result(other) for other in others])
    assert run(*command, "--batch-in", tmp_path / "1.jsonl", "--batch-in", results).exit_code == 0


def test_the_verb_runs_the_authors_that_need_nobody(folder: Path) -> None:
    boxes = json.loads(run("rationales", folder, "--author", "boxes", "--json").stdout)
    assert boxes["rationales"] == 2
    measured = json.loads(run("rationales", folder, "--author", "measured", "--limit", 1, "--json").stdout)
    assert measured["rationales"] == 2, "the line of the other stays"
    assert "diversity" in measured
    assert "distinct-1" in run("rationales", folder, "--author", "measured", "--limit", 1).stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--author", "teacher", "--model", "m"), "got none, expected one of --base-url, --batch-out, --batch-in"),
        (("--author", "teacher", "--base-url", "http://h/v1"), "expected --model"),
        (
            ("--author", "teacher", "--model", "m", "--base-url", "http://h/v1", "--batch-out", "x.jsonl"),
            "got --base-url and --batch-out",
        ),
        (("--author", "boxes", "--base-url", "http://h/v1"), "--base-url: of --author teacher only"),
        (("--author", "measured", "--photo-only"), "--photo-only: of --author teacher only"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_a_sentence(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    assert said in str(refused("rationales", folder, *options))
