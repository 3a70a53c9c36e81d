"""Scoring: every answer counts; and the verbs of the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from crop_reasoning.errors import CropReasoningError, DataError, RecipeError
from crop_reasoning.evaluation.predict import predict, predict_constant
from crop_reasoning.evaluation.predictions import read_predictions
from crop_reasoning.evaluation.report import write_report
from crop_reasoning.evaluation.score import score
from crop_reasoning.geometry import WHOLE, centered
from crop_reasoning.images import plan_image
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.rationale import render
from crop_reasoning.records import read_records, write_jsonl
from tests.answers import N_TEST, TableEngine, command, make_data, run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


# --- every answer counts ---------------------------------------------------------------------------------------------


def test_gold_answers_reach_the_codec_ceiling_and_beat_the_baselines(data: Path, tmp_path: Path) -> None:
    report = run(data, tmp_path)
    assert (report.n, report.n_strict, report.n_repaired, report.n_failed) == (N_TEST, N_TEST, 0, 0)
    assert report.ceiling is not None
    assert report.ceiling > 0.995
    assert report.rows[0].iou.mean == pytest.approx(report.ceiling, abs=1e-9)
    assert [row.name for row in report.rows[1:]] == ["whole image", "center crop 0.9", "best constant"]
    assert all(row.baseline and row.iou.mean < report.rows[0].iou.mean for row in report.rows[1:])
    assert all(row.iou.n == N_TEST for row in report.rows)
    assert f"n = {N_TEST}" in report.protocol


def test_an_unparsable_answer_counts_as_iou_0_and_is_never_dropped(data: Path, tmp_path: Path) -> None:
    whole = run(data, tmp_path / "a")
    broken = {"test03": ("I would rather not.", "stop"), "test05": ("", "stop")}
    report = run(data, tmp_path / "b", broken)
    assert report.failures == {"no_decision": 1, "empty": 1}
    assert report.rows[0].parsed == pytest.approx((N_TEST - 2) / N_TEST)
    lost = sum(outcome.iou for outcome in whole.outcomes if outcome.record_id in broken)
    assert report.rows[0].iou.mean == pytest.approx((whole.rows[0].iou.mean * N_TEST - lost) / N_TEST)
    failed = next(outcome for outcome in report.outcomes if outcome.record_id == "test03")
    record = next(record for record in read_records(data) if record.id == "test03")
    assert failed.iou == 0
    assert failed.disp == pytest.approx(sum(abs(a - b) for a, b in zip(record.best.xyxy, WHOLE.xyxy, strict=True)) / 4)


def test_repaired_and_truncated_answers_are_counted_apart(data: Path, tmp_path: Path) -> None:
    engine = TableEngine(data)
    wordy, cut = "Sure!\n" + engine.text("test00"), engine.text("test01").partition("<decision>")[0]
    report = run(data, tmp_path, {"test00": (wordy, "stop"), "test01": (cut, "length")})
    assert (report.n_strict, report.n_repaired) == (N_TEST - 2, 1)
    assert report.failures == {"truncated": 1}
    assert report.repairs == {"words around the parts": 1}


@pytest.mark.parametrize("harm", ["missing", "cut short", "another size"])
def test_an_unreadable_photo_counts_as_a_failure_and_spares_the_others(data: Path, tmp_path: Path, harm: str) -> None:
    photo = data / "test02.png"
    if harm == "missing":
        photo.unlink()
    elif harm == "cut short":
        photo.write_bytes(photo.read_bytes()[:200])
    else:
        Image.new("RGB", (40, 40)).save(photo)
    report = run(data, tmp_path)
    assert report.failures == {"image": 1}
    assert report.n == N_TEST
    outcome = next(outcome for outcome in report.outcomes if outcome.record_id == "test02")
    assert outcome.iou == 0
    assert "test02.png" in outcome.detail
    files = write_report(report, data, tmp_path / "predictions.jsonl", tmp_path / "out")
    assert "test02.png" in files[2].read_text()


def test_a_photo_without_ground_truth_is_left_out_by_name(data: Path, tmp_path: Path) -> None:
    records = read_records(data)
    records[-1] = replace(records[-1], crops=())
    out = tmp_path / "predictions.jsonl"
    engine = TableEngine(data)
    write_jsonl(data / "records.jsonl", records)
    predict(engine, data, "test", out)
    report = score(data, out)
    assert (report.n, report.n_without_truth, report.without_truth) == (N_TEST - 1, 1, ("test09",))


def test_reading_with_another_familys_grid_shows_in_the_score(data: Path, tmp_path: Path) -> None:
    """The invariant behind the codecs: a wrong convention must not pass unseen."""
    engine = TableEngine(data)
    wrong = {}
    for record_id, record in engine.records.items():
        plan = plan_image(record.image.wh, engine.budget)
        wrong[record_id] = (render(engine.gold[record_id][0], FAMILIES["qwen2_5_vl"].codec, plan), "stop")
    report = run(data, tmp_path, wrong)
    assert report.ceiling is not None
    assert report.rows[0].iou.mean < report.ceiling - 0.2


# --- comparison ---------------------------------------------------------------------------------------


def test_two_runs_are_compared_image_by_image(data: Path, tmp_path: Path) -> None:
    worse = run(data, tmp_path / "a", {"test00": ("", "stop")})
    parent = write_report(worse, data, tmp_path / "a" / "predictions.jsonl", tmp_path / "a")[0]
    better = tmp_path / "b.jsonl"
    predict(TableEngine(data), data, "test", better)
    gain = score(data, better, against=parent).rows[0].gain
    assert gain is not None
    assert gain.n == N_TEST
    assert gain.mean == pytest.approx(1 / N_TEST, abs=0.001)  # one answer of ten regained
    with pytest.raises(DataError, match=r"is no report\.json"):
        score(data, better, against=data / "records.jsonl")


# --- command line ----------------------------------------------------------------------------------------------------


def test_a_baseline_is_predicted_and_scored_from_the_command_line(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "center.jsonl"
    code, stdout, problem = command("predict", "--data", data, "--baseline", "center_crop:0.9", "--out", out, "--json")
    assert (code, problem) == (0, None)
    assert json.loads(stdout) == {"predictions": str(out), "new": N_TEST}
    code, stdout, problem = command("score", "--data", data, "--predictions", out, "--json")
    assert (code, problem) == (0, None)
    value = json.loads(stdout)
    assert value["rows"][0]["iou"] == value["rows"][2]["iou"]  # the method is the baseline beside it
    assert value["ceiling"] is None
    assert [Path(path).name for path in value["files"]] == ["report.json", "report.md", "report.html"]
    assert all(Path(path).is_file() for path in value["files"])


def test_evaluate_predicts_scores_and_measures_preference(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crop_reasoning.engines.open.open_engine", lambda model, base_url, name: TableEngine(data))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    args = ("evaluate", "--data", data, "--run", tmp_path / "run", "--pairs", "--limit", 4)
    code, stdout, problem = command(*args, "--json")
    assert (code, problem) == (0, None)
    value = json.loads(stdout)
    assert value["n"] == 4
    assert value["preference"]["accuracy"]["n"] == 4
    assert value["rows"][0]["preference"] == value["preference"]["accuracy"]
    assert (tmp_path / "run" / "eval" / "photos-test" / "predictions.jsonl").is_file()
    code, stdout, _ = command(*args)  # again: nothing left to predict, the same table for people
    assert code == 0
    assert "| table | 4 |" in stdout


def test_ctrl_c_leaves_a_sentence_and_the_answers(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TableEngine(data)
    engine.stop_after = 2
    monkeypatch.setattr("crop_reasoning.engines.open.open_engine", lambda model, base_url, name: engine)
    out = tmp_path / "p.jsonl"
    _, _, problem = command("predict", "--data", data, "--model", "hub/m", "--batch-size", 2, "--out", out)
    assert isinstance(problem, CropReasoningError)
    assert "the same command continues it" in str(problem)
    assert len(read_predictions(out)[1]) == 2


@pytest.mark.parametrize("flags", [(), ("--baseline", "whole_image", "--model", "m")], ids=["none", "two"])
def test_exactly_one_method_must_be_named(data: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    _, _, problem = command("predict", "--data", data, "--out", tmp_path / "p.jsonl", *flags)
    assert isinstance(problem, RecipeError)
    assert "exactly one of --run, --model, --base-url, --baseline" in str(problem)


def never_opened(*arguments: object) -> None:
    raise AssertionError("the model was opened")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--against", "{}/nope.json"), "nope.json: no such report"),
        (("--against", "{}/photos/records.jsonl"), "is no report.json"),
        (("--against", "{}/others.json"), "the two files do not score the same images: 11 stand in one only"),
        (("--split", "val"), "no record of split 'val'"),
        (("--pairs", "--data", "{}/pairless"), "no pairs for split 'test'"),
    ],
    ids=lambda flags: " ".join(flags) if isinstance(flags, tuple) else "",
)
def test_evaluate_refuses_before_the_model_is_opened(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("crop_reasoning.engines.open.open_engine", never_opened)
    (tmp_path / "others.json").write_text(json.dumps({"outcomes": [{"record_id": "other", "iou": 0.5}]}))
    pairless = tmp_path / "pairless"
    shutil.copytree(data, pairless)
    (pairless / "pair_rationales.jsonl").write_text("")
    words = [flag.format(tmp_path) for flag in flags]
    _, _, problem = command("evaluate", "--data", data, "--model", "hub/m", "--out", tmp_path / "out", *words)
    assert isinstance(problem, DataError)
    assert said in str(problem)
    assert not (tmp_path / "out").exists()


def test_score_refuses_a_missing_report_before_it_scores(data: Path, tmp_path: Path) -> None:
    missing = ("--predictions", tmp_path / "none.jsonl", "--against", tmp_path / "nope.json")
    _, _, problem = command("score", "--data", data, *missing)
    assert isinstance(problem, DataError)
    assert "nope.json: no such report" in str(problem)


def test_preference_is_not_asked_of_an_endpoint(data: Path, tmp_path: Path) -> None:
    served = ("--base-url", "http://127.0.0.1:1/v1", "--name", "m", "--out", tmp_path / "out")
    _, _, problem = command("evaluate", "--data", data, "--pairs", *served)
    assert isinstance(problem, RecipeError)
    assert "--pairs needs a local model" in str(problem)


def test_an_empty_split_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no record of split 'val'"):
        predict_constant(centered(0.9), "center", data, "val", tmp_path / "p.jsonl")


@pytest.mark.parametrize("verb", ["predict", "score", "evaluate"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    code, stdout, _ = command(verb, "--help")
    assert code == 0
    assert f"Example: crop-reasoning {verb}" in stdout


def test_scoring_needs_no_torch(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    predict(TableEngine(data), data, "test", out)
    program = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'trl', 'peft', 'datasets', 'fastapi'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from crop_reasoning.cli.evaluate import score\n"
        "score(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, data, out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p" / "report.html").is_file()
