"""Predicting: what an engine is asked, and a run that is killed, torn, changed or out of disk."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.evaluation.predict import predict, predict_constant
from crop_reasoning.evaluation.predictions import Header, read_predictions, weights_of, writing
from crop_reasoning.evaluation.score import score
from crop_reasoning.geometry import WHOLE
from crop_reasoning.images import plan_image
from crop_reasoning.records import read_records, write_jsonl
from tests.answers import N_TEST, TableEngine, make_data
from tests.servers import photo


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


# --- what the engine is asked ----------------------------------------------------------------------------------------


def test_the_engine_sees_planned_pixels_and_its_own_prompt(data: Path, tmp_path: Path) -> None:
    engine = TableEngine(data)
    predict(engine, data, "test", tmp_path / "p.jsonl")
    for request in engine.seen:
        plan = plan_image(engine.records[request.id].image.wh, engine.budget)
        assert [picture.size for picture in request.images] == [plan.seen_wh]
        assert request.messages[0]["content"] == [{"type": "image"}, {"type": "text", "text": "Crop this photo."}]


def test_a_subject_is_told_only_where_the_task_gives_it(data: Path, tmp_path: Path) -> None:
    records = [replace(record, task="subject") if record.id == "test01" else record for record in read_records(data)]
    write_jsonl(data / "records.jsonl", records)
    engine = TableEngine(data)
    predict(engine, data, "test", tmp_path / "p.jsonl", limit=2)
    told = ["Subject:" in request.messages[0]["content"][1]["text"] for request in engine.seen]
    assert told == [False, True]


@pytest.mark.parametrize(
    ("wh", "said"),
    [((40, 40), r"test02\.png: is 40x40 px, the record says 128x80"), (None, r"test02\.png: has sha256 \w{12}…, the")],
    ids=["another size", "the same size"],
)
def test_a_swapped_photo_is_not_asked_about(data: Path, tmp_path: Path, wh: tuple[int, int] | None, said: str) -> None:
    engine = TableEngine(data)
    Image.linear_gradient("L").resize(wh or engine.records["test02"].image.wh).save(data / "test02.png")
    predict(engine, data, "test", tmp_path / "p.jsonl")
    assert "test02" not in {request.id for request in engine.seen}
    assert len(engine.seen) == N_TEST - 1
    failed = read_predictions(tmp_path / "p.jsonl")[1][2]
    assert failed.finish_reason == "image"
    assert re.search(said, failed.problem)
    assert score(data, tmp_path / "p.jsonl").failures == {"image": 1}


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


@pytest.mark.parametrize("kept", [0, 15, -1], ids=["empty", "torn", "lacks its line end"])
def test_a_torn_header_starts_afresh(data: Path, tmp_path: Path, kept: int) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    whole = out.read_bytes()
    out.write_bytes(whole[: whole.index(b"\n") + 1][:kept])
    assert predict(TableEngine(data), data, "test", out) == N_TEST
    assert out.read_bytes() == whole


# --- whose file it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"my notes, one line without its end",
        b"my notes\nof two lines",
        b'{"method": "GET", "path": "/"}',
        b'{"method": "GET"}\n{"method": "POST"',
        b'{"format": "predictions/1"}',
        b"[" * 100_000,
        photo(),
    ],
    ids=["one line", "two lines", "one line of JSON", "JSON lines", "a header without its end", "deep", "a JPEG"],
)
def test_a_foreign_file_is_refused_and_left_as_it_is(data: Path, tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "precious"
    out.write_bytes(content)
    with pytest.raises(DataError, match=r"precious: exists and is no prediction file .* left as it is"):
        predict(TableEngine(data), data, "test", out)
    with pytest.raises(DataError, match="is no prediction file"):
        predict_constant(WHOLE, "whole_image", data, "test", out)
    assert out.read_bytes() == content


def test_another_runs_file_is_not_even_mended(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    torn = out.read_bytes()[:-20]
    out.write_bytes(torn)
    with pytest.raises(DataError, match="was written by another run"):
        predict(TableEngine(data), data, "test", out, limit=3)
    assert out.read_bytes() == torn


def test_two_processes_do_not_write_one_file(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    header = Header("held", "photos", "", "test", None, 1)
    with writing(out, header), pytest.raises(EnvironmentProblem, match=r"p\.jsonl: another process is writing"):
        predict(TableEngine(data), data, "test", out)
    assert [json.loads(line)["method"] for line in out.read_text().splitlines()] == ["held"]


def test_a_killed_writer_never_blocks(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from crop_reasoning.evaluation.predict import predict\n"
        "from tests.answers import TableEngine\n"
        "class Slow(TableEngine):\n"
        "    def generate(self, requests, **options):\n"
        "        if self.seen:\n"
        "            print('held', flush=True)\n"
        "            time.sleep(60)\n"
        "        return super().generate(requests, **options)\n"
        "data = Path(sys.argv[1])\n"
        "predict(Slow(data), data, 'test', Path(sys.argv[2]), batch_size=4)\n"
    )
    command = [sys.executable, "-c", program, str(data), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(EnvironmentProblem, match="another process is writing"):
            predict(TableEngine(data), data, "test", out)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert predict(TableEngine(data), data, "test", out) == N_TEST - 4
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


# --- whose weights they are ------------------------------------------------------------------------------------------


def make_run(root: Path) -> Path:
    """An adapter's run beside the base it names, with weights of zeros."""
    base, adapter = root / "base", root / "run" / "adapter"
    for folder, config in ((base, {}), (adapter, {"base_model_name_or_path": str(base)})):
        folder.mkdir(parents=True)
        name = "adapter_config.json" if folder == adapter else "config.json"
        (folder / name).write_text(json.dumps(config))
        (folder / "model.safetensors").write_bytes(bytes(5000))
    (root / "run" / "recipe.yaml").write_text("prompt: crop-brief/1\n")
    return root / "run"


@pytest.mark.parametrize("trained_anew", ["run/adapter", "base"])
def test_weights_trained_anew_have_another_fingerprint(tmp_path: Path, trained_anew: str) -> None:
    run = make_run(tmp_path)
    first = weights_of(str(run))
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "model.safetensors").write_bytes(b"not loaded")
    assert weights_of(str(run)) == first == weights_of(str(run / "adapter"))
    (tmp_path / trained_anew / "model.safetensors").write_bytes(bytes(4999) + b"\x01")
    assert weights_of(str(run)) != first


def test_a_moved_run_keeps_its_fingerprint_and_a_hub_id_has_none(tmp_path: Path) -> None:
    run, moved = make_run(tmp_path / "here"), make_run(tmp_path / "there")
    assert weights_of(str(run)) == weights_of(str(moved))
    assert weights_of("organization/model") == ""
    config = run / "adapter" / "adapter_config.json"
    found = set()
    for base in ("organization/model", "organization/other"):
        config.write_text(json.dumps({"base_model_name_or_path": base}))
        found.add(weights_of(str(run)))
    assert len(found) == 2


def test_predictions_are_not_continued_once_the_base_was_trained_anew(data: Path, tmp_path: Path) -> None:
    run, out = make_run(tmp_path), tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out, weights=weights_of(str(run)))
    (tmp_path / "base" / "model.safetensors").write_bytes(bytes(6000))
    with pytest.raises(DataError, match=r"was written by another run \(weights was"):
        predict(TableEngine(data), data, "test", out, weights=weights_of(str(run)))
