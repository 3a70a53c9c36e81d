"""The verbs `data build | shard | stats`, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crop_reasoning.records import SPLITS
from tests.fcdb_copy import write_fcdb
from tests.verbs import built_fcdb, refused, run


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return built_fcdb(tmp_path)


def test_build_says_what_came_of_it(tmp_path: Path) -> None:
    root = write_fcdb(tmp_path / "FCDB")
    next((root / "data").iterdir()).unlink()
    result = run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert "9 records" in result.stdout
    assert "18 pairs" in result.stdout
    assert "listed: train 8 (official 1,369), test 2 (official 345)" in result.stdout
    assert "dropped: 1 × missing" in result.stdout


def test_build_json_is_the_manifest(tmp_path: Path) -> None:
    result = run("build", "fcdb", "--root", write_fcdb(tmp_path / "FCDB"), "--out", tmp_path / "built", "--json")
    manifest = json.loads(result.stdout)
    assert manifest == json.loads((tmp_path / "built" / "manifest.json").read_text())
    assert manifest["counts"]["records"] == {"train": 7, "val": 1, "test": 2}
    lines = {"records.jsonl", "pairs.jsonl", "rationales.jsonl", "pair_rationales.jsonl"}
    assert manifest["files"].keys() == lines | {f"parquet/{split}-00000-of-00001.parquet" for split in SPLITS}


def test_build_toy_then_check_it(tmp_path: Path) -> None:
    sizes = ("--train", "4", "--val", "1", "--test", "1", "--workers", "1")
    assert run("build", "toy", "--out", tmp_path / "toy", *sizes).exit_code == 0
    result = run("check", tmp_path / "toy", "--deep")
    assert result.exit_code == 0, result.exception
    assert "no problem" in result.stdout


def test_build_refuses_what_it_cannot_mean(tmp_path: Path, built: Path) -> None:
    unknown = refused("build", "fcbd", "--out", tmp_path / "x")
    assert (unknown.exit_code, str(unknown)) == (
        2,
        "data set 'fcbd': expected one of cpc, fcdb, flms, gaicd_v1, gaicd_v2, gnmc, hcic, kupcp, label_studio, "
        "sacd, toy",
    )
    foreign = refused("build", "fcdb", "--out", tmp_path / "x", "--train", "4")
    assert str(foreign) == "data set fcdb takes no --train; it takes --copy, --workers"
    taken = refused("build", "toy", "--out", built)
    assert taken.exit_code == 3
    assert "holds the data set fcdb, not toy" in str(taken)


def test_stats_are_those_of_the_records(built: Path) -> None:
    figures = json.loads(run("stats", built, "--json").stdout)
    assert figures.keys() == {"train", "val", "test"}
    train = figures["train"]
    assert (train["records"], train["pairs"], train["rationales"]) == (7, 14, 7)
    assert train["crop area"]["mean"] == 0.25
    assert train["crop aspect"]["50 %"] == 1.333
    assert train["IoU with the best crop"]["whole"] == pytest.approx(0.25)
    assert train["margins"] == {"up to 0.6": 7, "up to 1.0": 7}
    assert train["bigger wins, unequal size"] == {"n": 7, "right": 1.0}
    assert train["center wins, equal size"] == {"n": 7, "right": 1.0}
    table = run("stats", built).stdout
    assert "bigger wins, unequal size" in table
    assert "0.250" in table


def test_stats_of_a_folder_without_pairs_and_rationales(built: Path) -> None:
    for path in built.glob("*.jsonl"):
        if path.name != "records.jsonl":
            path.unlink()
    assert json.loads(run("stats", built, "--json").stdout)["test"]["pairs"] == 0
    assert run("stats", built).exit_code == 0


def test_data_verbs_run_without_torch(built: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from crop_reasoning.cli.data import app\n"
        "app(['check', sys.argv[1]], standalone_mode=False); app(['stats', sys.argv[1]])"
    )
    result = subprocess.run([sys.executable, "-c", script, str(built)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "no problem" in result.stdout


@pytest.mark.parametrize("verb", ["build", "check", "shard", "show", "stats"])
def test_each_verb_has_help_with_an_example(verb: str) -> None:
    assert f"Example: crop-reasoning data {verb}" in run(verb, "--help").stdout


def test_ctrl_c_in_a_build_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    root = write_fcdb(tmp_path / "FCDB")
    monkeypatch.setattr("data_builders.photos.load_upright", interrupted)
    problem = refused("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert "the same command builds it" in str(problem)
    assert problem.exit_code == 130
