"""Predicting: what an engine is asked, and a run that is killed, torn, changed or out of disk."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.evaluation.predict import predict
from crop_reasoning.evaluation.predictions import fingerprint, read_predictions
from crop_reasoning.evaluation.score import score
from crop_reasoning.images import plan_image
from crop_reasoning.records import read_records, write_jsonl
from tests.answers import N_TEST, TableEngine, make_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


# --- what the engine is asked ----------------------------------------------------------------------------------------


def test_the_engine_sees_planned_pixels_and_its_own_prompt(data: Path, tmp_path: Path) -> None:
    engine = TableEngine(data)
    predict(engine, data, "test", tmp_path / "p.jsonl")
    for request in engine.seen:
        plan = plan_image(engine.records[request.id].image.wh, engine.budget)
        assert request.image.size == plan.seen_wh
        assert request.messages[0]["content"] == [{"type": "image"}, {"type": "text", "text": "Crop this photo."}]


def test_a_subject_is_told_only_where_the_task_gives_it(data: Path, tmp_path: Path) -> None:
    records = [replace(record, task="subject") if record.id == "test01" else record for record in read_records(data)]
    write_jsonl(data / "records.jsonl", records)
    engine = TableEngine(data)
    predict(engine, data, "test", tmp_path / "p.jsonl", limit=2)
    told = ["Subject:" in request.messages[0]["content"][1]["text"] for request in engine.seen]
    assert told == [False, True]


# --- a killed run ----------------------------------------------------------------------------------------------------


def test_ctrl_c_loses_at_most_one_batch_and_the_same_call_continues(data: Path, tmp_path: Path) -> None:
    straight, stopped = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    predict(TableEngine(data), data, "test", straight, batch_size=3)
    engine = TableEngine(data)
    engine.stop_after = 6
    with pytest.raises(KeyboardInterrupt):
        predict(engine, data, "test", stopped, batch_size=3)
    assert len(read_predictions(stopped)[1]) == 6
    engine = TableEngine(data)
    assert predict(engine, data, "test", stopped, batch_size=3) == N_TEST - 6
    assert len(engine.seen) == N_TEST - 6
    assert stopped.read_bytes() == straight.read_bytes()


@pytest.mark.parametrize("kept", [1.0, 0.5, 0.05], ids=["lacks its line end", "half a line", "a few bytes"])
def test_a_torn_last_line_is_done_again(data: Path, tmp_path: Path, kept: float) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    whole = out.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    out.write_bytes(whole[: last + max(1, int((len(whole) - 1 - last) * kept))])
    engine = TableEngine(data)
    assert predict(engine, data, "test", out) == 1
    assert [request.id for request in engine.seen] == ["test09"]
    assert out.read_bytes() == whole


def test_a_torn_header_starts_afresh(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    out.write_text('{"method": "tab')
    assert predict(TableEngine(data), data, "test", out) == N_TEST
    assert len(read_predictions(out)[1]) == N_TEST


def test_a_changed_header_is_refused_and_says_what_changed(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out, limit=3)
    before = out.read_bytes()
    engine = TableEngine(data)
    engine.prompt_id = "crop/1"
    with pytest.raises(DataError, match=r"prompt_id was 'crop-brief/1', is now 'crop/1'") as caught:
        predict(engine, data, "test", out, limit=3)
    assert "another file" in str(caught.value)
    with pytest.raises(DataError, match="limit was 3, is now None"):
        predict(TableEngine(data), data, "test", out)
    with pytest.raises(DataError, match="weights was '', is now 'new'"):
        predict(TableEngine(data), data, "test", out, limit=3, weights="new")
    assert out.read_bytes() == before


def test_a_full_disk_gets_a_sentence(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentProblem, match=r"No space left .* continues"):
        predict(TableEngine(data), data, "test", tmp_path / "p.jsonl")


def test_broken_prediction_files_are_named_with_their_line(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    lines = out.read_text().splitlines()
    out.write_text("\n".join([*lines[:3], lines[3][:20], *lines[4:]]) + "\n")
    with pytest.raises(DataError, match=r"p\.jsonl:4: not JSON"):
        score(data, out)
    out.write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(DataError, match="'test00' is answered twice"):
        score(data, out)
    with pytest.raises(DataError, match="is no prediction file"):
        score(data, data / "records.jsonl")


def test_an_unfinished_file_is_not_scored(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    out.write_text("\n".join(out.read_text().splitlines()[:-2]) + "\n")
    with pytest.raises(DataError, match="2 of 10 images have no answer yet"):
        score(data, out)


def test_predictions_are_scored_on_the_data_they_were_made_from(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    write_jsonl(data / "records.jsonl", read_records(data)[::-1])
    with pytest.raises(DataError, match="predict anew"):
        score(data, out)


def test_a_run_trained_anew_has_another_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "checkpoints").mkdir()
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(bytes(5000))
    first = fingerprint(tmp_path)
    (tmp_path / "checkpoints" / "step1.safetensors").write_bytes(b"not counted")
    assert fingerprint(tmp_path) == first
    weights.write_bytes(bytes(4999) + b"\x01")
    assert fingerprint(tmp_path) != first
