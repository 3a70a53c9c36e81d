"""A teacher over HTTP: what is asked, how often, what is kept, and what every failure of an endpoint comes to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from crop_reasoning.authors.teacher import ATTEMPTS, PHOTO_ONLY, TEACHER, Teacher
from crop_reasoning.engines.base import Request
from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.engines.patience import Patience, patient_ask
from crop_reasoning.errors import CropReasoningError, EnvironmentProblem
from crop_reasoning.geometry import Box, centered
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.reasoning.store import REFUSED, read_pair_rationales, read_rationales
from crop_reasoning.records import PAIRS, read_jsonl, read_pairs, read_records, to_json
from crop_reasoning.verification.verify import VERSION
from data_builders.teacher import Lesson, teach
from data_builders.teacher_journal import JOURNAL
from tests.servers import server
from tests.teachers import (
    HANG,
    HANGING_S,
    RESET,
    Act,
    Json,
    answer_to,
    completion,
    measured_once,
    question,
    teaching,
    written,
)

QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, timeout_s=HANGING_S / 3)
BUSY = Act(429, {"error": {"message": "slow down"}}, {"retry-after": "0.3"})
BROKEN = Act(500, {"error": {"message": "out of memory"}})


@pytest.fixture
def folder(two_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("data_builders.teacher.measure", measured_once)
    return Path(shutil.copytree(two_scenes, tmp_path / "data"))


def taught(folder: Path, url: str, limit: int | None = 1, **options: Any) -> Json:
    return teach(folder, Teacher("m"), url, limit=limit, patience=QUICK, **options)


def is_pair(body: Json) -> bool:
    return "Write two decisions" in question(body)


def on_best_crops(answer: Callable[[Json, int], Act | str]) -> Callable[[Json, int], Act | str]:
    """A script that does something with the requests about best crops, and answers those about pairs."""
    return lambda body, number: written(body) if is_pair(body) else answer(body, number)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*rationales*.jsonl")}


def journal_lines(folder: Path) -> list[Json]:
    return list(read_jsonl(folder / JOURNAL))


def test_every_record_and_pair_gets_a_verified_rationale_with_its_provenance(folder: Path) -> None:
    with teaching() as teacher:
        found = taught(folder, teacher.url, limit=None, concurrency=2)
    records, pairs = read_records(folder), read_pairs(folder)
    assert (found["rationales"], found["pair_rationales"]) == (len(records), len(pairs))
    assert not found["refused"]
    assert not found["unanswered"]
    assert len(teacher.asked) == len(records) + len(pairs)
    assert found["tokens"] == {"prompt": 1000 * len(teacher.asked), "completion": 100 * len(teacher.asked)}
    assert found["diversity"]
    for record, line in zip(records, read_jsonl(folder / "rationales.jsonl"), strict=True):
        provenance = {name: line[name] for name in ("record_id", "author", "prompt_id", "model", "seed", "grammar")}
        expected = (record.id, TEACHER, TEACHER, "m", 0, GRAMMAR)
        assert tuple(provenance.values()) == expected
        assert line["verified"]["version"] == VERSION
        assert line["verified"]["claims"] > 0
        assert line["verified"]["contradictions"] == []
    assert all(read_rationales(folder)[record.id][0].decision.box == record.best for record in records)
    for pair, chosen, rejected in read_pair_rationales(folder):
        assert (chosen.decision.box, rejected.decision.box) == (pair.chosen, pair.rejected)


def test_a_request_shows_the_photo_and_its_drawn_copy_or_the_photo_alone(folder: Path) -> None:
    for prompt_id, images in ((TEACHER, 2), (PHOTO_ONLY, 1)):
        with teaching() as teacher:
            teach(folder, Teacher("m", prompt_id=prompt_id), teacher.url, limit=1, patience=QUICK)
        urls = [part["image_url"]["url"] for part in teacher.asked[0]["messages"][1]["content"] if "image_url" in part]
        assert len(set(urls)) == images


def test_the_subject_that_a_record_tells_is_the_one_that_is_sent(folder: Path) -> None:
    subject = Box(0.1, 0.2, 0.3, 0.4)
    record = replace(read_records(folder)[0], subject=subject)
    measured = Lesson(folder, record, Teacher("m")).measured
    assert measured.subjects is not None
    assert measured.subjects.box == subject


def test_a_repeated_command_asks_nothing_and_writes_the_same_bytes(folder: Path) -> None:
    with teaching() as teacher:
        first = taught(folder, teacher.url)
        before, asked = files(folder), len(teacher.asked)
        again = taught(folder, teacher.url)
        assert len(teacher.asked) == asked
    assert files(folder) == before
    assert again["tokens_this_run"] == {"prompt": 0, "completion": 0}
    assert {**again, "tokens_this_run": 0} == {**first, "tokens_this_run": 0}


def test_more_records_later_ask_for_these_alone_and_keep_the_lines_of_the_first(folder: Path) -> None:
    with teaching() as teacher:
        taught(folder, teacher.url, limit=1)
        first = files(folder)["rationales.jsonl"]
        asked = len(teacher.asked)
        taught(folder, teacher.url, limit=2)
        assert len(teacher.asked) == 2 * asked
    assert files(folder)["rationales.jsonl"].startswith(first)


def test_any_number_of_threads_writes_the_same_bytes(two_scenes: Path, tmp_path: Path) -> None:
    """OpenCV's networks are not made for several threads: photos are measured one at a time."""
    found = []
    for threads in (1, 4):
        folder = Path(shutil.copytree(two_scenes, tmp_path / str(threads)))
        with teaching() as teacher:
            taught(folder, teacher.url, limit=None, concurrency=threads)
        found.append(files(folder))
    assert found[0] == found[1]


def test_no_more_requests_than_asked_for_are_under_way(folder: Path) -> None:
    def slow(body: Json, number: int) -> str:
        time.sleep(0.1)
        return written(body)

    with teaching(slow) as teacher:
        taught(folder, teacher.url, limit=None, concurrency=2)
    assert teacher.most_under_way == 2


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (BUSY, "rate_limited"),
        (BROKEN, "status_500"),
        (Act(503, b"<html>down</html>"), "status_503"),
        (RESET, "connection"),
        (HANG, "timeout"),
        (Act(200, b'{"choices": [{"mess'), "broken_body"),
        (Act(200, b"<html>a proxy's page</html>", {"content-type": "text/html"}), "broken_body"),
        (Act(200, {"object": "error"}), "broken_body"),
    ],
)
def test_trouble_that_passes_is_waited_out_and_counted(folder: Path, trouble: Act | str, kind: str) -> None:
    with teaching(lambda body, number: written(body) if number else trouble) as teacher:
        found = taught(folder, teacher.url)
    assert found["asked_again"] == {kind: 1}
    assert found["rationales"] == 1
    assert not found["unanswered"]


@pytest.mark.parametrize(
    "retry_after", ["0.4", formatdate(time.time() + 3600, usegmt=True), "no number"], ids=["seconds", "date", "neither"]
)
def test_retry_after_is_honored_in_seconds_or_as_a_date(retry_after: str) -> None:
    busy = Act(429, {"error": {"message": "slow down"}}, {"retry-after": retry_after})
    stop, trouble = threading.Event(), Counter[str]()
    with teaching(lambda body, number: busy if number == 0 else "done") as teacher:
        ask = patient_ask(teacher.url, QUICK, stop, trouble)
        threading.Timer(1.0, stop.set).start()  # an hour's wait ends when the work is stopped
        start = time.monotonic()
        if "GMT" in retry_after:
            with pytest.raises(CropReasoningError, match="status 429, asked 1 times"):
                ask({"model": "m", "messages": []})
            assert time.monotonic() - start >= 0.9
        else:
            assert ask({"model": "m", "messages": []})["choices"]
            assert (time.monotonic() - start >= 0.4) == (retry_after == "0.4")


def test_what_stays_without_an_answer_is_listed_and_asked_for_next_time(folder: Path) -> None:
    with teaching(on_best_crops(lambda body, number: BROKEN)) as teacher:
        found = taught(folder, teacher.url)
    pairs = len([pair for pair in read_pairs(folder) if pair.record_id == read_records(folder)[0].id])
    assert len(teacher.asked) == QUICK.attempts, "the photo's other questions would fare no better"
    assert found["unanswered"] == {"status_500": 1 + pairs}
    assert Counter(line["kind"] for line in read_jsonl(folder / REFUSED)) == {"status_500": 1 + pairs}
    assert journal_lines(folder) == []
    with teaching() as teacher:
        found = taught(folder, teacher.url)
    assert (found["rationales"], found["unanswered"]) == (1, {})
    assert not (folder / REFUSED).exists()


def test_an_endpoint_that_answers_nobody_any_more_ends_the_work(folder: Path) -> None:
    with teaching(lambda body, number: BROKEN) as teacher, pytest.raises(CropReasoningError) as problem:
        taught(folder, teacher.url, limit=None, concurrency=1)
    assert "status 500, asked 3 times; nobody answers any more" in str(problem.value)
    assert len(teacher.asked) <= 3 * QUICK.attempts, "two photos, and what was under way for the third"


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, "invalid_api_key", "answered 401: wrong key [key]"),
        (404, "model_not_found", "answered 404"),
        (400, "invalid_request", "answered 400"),
        (403, "", "answered 403"),
        (429, "insufficient_quota", "answered 429"),
    ],
)
def test_what_no_repetition_cures_is_said_once_and_ends_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str, said: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    act = Act(status, {"error": {"message": "wrong key sk-very-secret", "code": code}})
    with teaching(lambda body, number: act) as teacher, pytest.raises(CropReasoningError) as problem:
        taught(folder, teacher.url, limit=None, concurrency=1)
    assert said in str(problem.value)
    assert len(teacher.asked) == 1
    assert teacher.keys == ["Bearer sk-very-secret"]


def test_the_key_stands_in_no_file_and_in_no_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with teaching(on_best_crops(lambda body, number: BROKEN if number < 4 else written(body))) as teacher:
        taught(folder, teacher.url)
    assert b"sk-very-secret" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert "sk-very-secret" not in "".join(capfd.readouterr())


def test_an_address_where_nobody_listens_is_said_at_once(folder: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be reached"):
        taught(folder, "http://127.0.0.1:9/v1")


def wrong_box(body: Json, number: int) -> str:
    head, tag, decision = written(body).rpartition("<decision>")
    value = json.loads(decision.removesuffix("</decision>"))
    value["box"][2] -= 1
    return f"{head}{tag}\n{json.dumps(value)}\n</decision>"


def elsewhere(body: Json, number: int) -> str:
    text = written(body)
    analysis = text.split("\n")[1]
    return text.replace(analysis, json.dumps(json.loads(analysis) | {"subject": [5, 900, 60, 990]}))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (wrong_box, "decision"),
        (elsewhere, "contradicted"),
        (lambda body, number: "I'm sorry, but I can't assist with that.", "refusal"),
        (lambda body, number: Act(body=completion("", refusal="no")), "refusal"),
        (lambda body, number: Act(400, {"error": {"message": "filtered", "code": "content_filter"}}), "refusal"),
        (lambda body, number: "", "empty"),
        (lambda body, number: Act(body=completion(written(body)[:-60], "length")), "cut"),
        (lambda body, number: written(body)[:-60], "cut"),
        (lambda body, number: written(body).replace("keeps", "keeps<|im_end|>"), "control_token"),
        (lambda body, number: written(body) + "x" * 30_000, "too_long"),
        (lambda body, number: written(body).replace('"why": "', '"why": "2 reasons: '), "digits"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_twice_more_then_listed_by_kind(
    folder: Path, answer: Callable[[Json, int], Act | str], kind: str
) -> None:
    with teaching(on_best_crops(answer)) as teacher:
        found = taught(folder, teacher.url)
        asked = [body for body in teacher.asked if not is_pair(body)]
        assert len(asked) == ATTEMPTS
        assert [len(body["messages"]) for body in asked] == [2, 4, 6], "each time what was wrong is told"
        assert found["refused"] == {kind: 1}
        assert found["refused_at_first"] == {kind: ATTEMPTS}
        assert found["rationales"] == 0
        taught(folder, teacher.url)
        assert len(teacher.asked) == len([body for body in teacher.asked if is_pair(body)]) + ATTEMPTS
    (line,) = read_jsonl(folder / REFUSED)
    assert (line["kind"], line["attempts"], line["model"]) == (kind, ATTEMPTS, "m")
    assert bool(line["verified"]["contradictions"]) == (kind == "contradicted")


def test_an_answer_that_is_right_at_the_second_attempt_is_kept(folder: Path) -> None:
    script = on_best_crops(lambda body, number: written(body) if len(body["messages"]) > 2 else elsewhere(body, number))
    with teaching(script) as teacher:
        found = taught(folder, teacher.url)
    told = teacher.asked[1]["messages"][-1]["content"]
    assert "analysis.subject" in told
    assert (found["rationales"], found["refused"], found["refused_at_first"]) == (1, {}, {"contradicted": 1})


def test_a_line_that_a_crash_cut_short_is_told_and_asked_for_again_and_nothing_else(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with teaching() as teacher:
        taught(folder, teacher.url)
        before, asked = files(folder), len(teacher.asked)
        journal = folder / JOURNAL
        journal.write_bytes(journal.read_bytes()[:-40])
        taught(folder, teacher.url)
        assert len(teacher.asked) == asked + 1
        assert "1 lines were cut short and are left out" in capsys.readouterr().err
        taught(folder, teacher.url)
        assert len(teacher.asked) == asked + 1, "the line after the torn one is whole"
    assert files(folder) == before


def test_another_verifier_judges_the_answers_anew_and_asks_nobody(folder: Path) -> None:
    with teaching() as teacher:
        taught(folder, teacher.url)
        before, asked = files(folder), len(teacher.asked)
        journal = folder / JOURNAL
        journal.write_text(journal.read_text().replace(f'"{VERSION}"', '"verify/0"'))
        taught(folder, teacher.url)
        assert len(teacher.asked) == asked
    assert files(folder) == before
    assert sum(line["judged"]["verifier"] == VERSION for line in journal_lines(folder)) == asked


def test_a_second_process_in_the_same_folder_is_refused(folder: Path) -> None:
    from crop_reasoning.locks import held

    with held(folder / JOURNAL, "taken"), pytest.raises(EnvironmentProblem, match="another process"):
        taught(folder, "http://127.0.0.1:9/v1")


def test_a_photo_that_is_gone_is_listed_and_the_others_go_on(folder: Path) -> None:
    first = read_records(folder)[0]
    (folder / first.image.path).unlink()
    with teaching() as teacher:
        found = taught(folder, teacher.url, limit=None)
    assert found["rationales"] == 1
    assert set(found["unanswered"]) == {"unreadable_photo"}
    assert "no such file" in next(read_jsonl(folder / REFUSED))["detail"]


def test_a_photo_that_changed_since_it_was_recorded_is_not_sent(folder: Path) -> None:
    first, second = (folder / record.image.path for record in read_records(folder))
    first.write_bytes(second.read_bytes())
    with teaching() as teacher:
        found = taught(folder, teacher.url)
    assert teacher.asked == []
    assert set(found["unanswered"]) == {"unreadable_photo"}
    assert "the record says" in next(read_jsonl(folder / REFUSED))["detail"]


def test_what_is_sent_of_a_pair_does_not_hang_on_which_crop_is_preferred(folder: Path) -> None:
    pair = read_pairs(folder)[0]
    swapped = replace(pair, chosen=pair.rejected, rejected=pair.chosen)
    bodies = []
    for one in (pair, swapped):
        (folder / JOURNAL).unlink(missing_ok=True)
        (folder / PAIRS).write_text(json.dumps(to_json(one)) + "\n")
        with teaching() as teacher:
            taught(folder, teacher.url)
        bodies.append([body for body in teacher.asked if is_pair(body)])
    assert bodies[0] == bodies[1] != []


def test_ctrl_c_keeps_what_was_answered_and_what_is_under_way(folder: Path) -> None:
    answered = threading.Event()

    def slow(body: Json, number: int) -> str:
        if number == 2:
            answered.set()
        if number >= 2:
            time.sleep(0.6)
        return written(body)

    environment = os.environ | {"OPENAI_API_KEY": "x", "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with teaching(slow) as teacher:
        verb = [sys.executable, "-m", "crop_reasoning", "data", "rationales", str(folder), "--author", "teacher"]
        command = [*verb, "--model", "m", "--base-url", teacher.url, "--concurrency", "1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert answered.wait(60)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "stopped by hand; what was answered is kept" in errors
        assert "Traceback" not in errors
        assert len(teacher.asked) == 3
        assert [line["attempt"] for line in journal_lines(folder)] == [0, 0, 0], "the third was under way"
        assert not (folder / "rationales.jsonl").exists()
        again = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert again.returncode == 0, again.stderr
        assert len(teacher.asked) == len(read_records(folder)) + len(read_pairs(folder))
    assert len(read_rationales(folder)) == len(read_records(folder))


class ReadingEngine(FakeEngine):
    """Answers a teacher's question out of the question's own words."""

    def text_for(self, request: Request) -> str:
        words = next(turn["content"][-1]["text"] for turn in request.messages if turn["role"] == "user")
        return answer_to(words[words.index("Measured in the photograph:") :])


@pytest.mark.parametrize("obedient", [False, True])
def test_our_own_server_is_a_teacher_whose_answers_are_used_if_they_hold(folder: Path, obedient: bool) -> None:
    record = read_records(folder)[0]
    pairs = len([pair for pair in read_pairs(folder) if pair.record_id == record.id])
    engine = ReadingEngine() if obedient else FakeEngine([centered(0.8)])
    with server(engine) as url:
        teacher = Teacher("fake", prompt_id=PHOTO_ONLY)
        found = teach(folder, teacher, url, limit=1, concurrency=2, patience=replace(QUICK, timeout_s=30))
    assert found["tokens"]["completion"] > 0
    written = (found["rationales"], found["pair_rationales"])
    assert written == ((1, pairs) if obedient else (0, 0))
    assert found["refused"] == ({} if obedient else {"form": pairs, "proposals": 1})


def test_our_own_server_refuses_two_images_in_a_sentence(folder: Path) -> None:
    with server(FakeEngine()) as url, pytest.raises(CropReasoningError, match="answered 400: 2 photos"):
        teach(folder, Teacher("fake"), url, limit=1, patience=QUICK)
