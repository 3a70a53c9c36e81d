"""`data pairs`: the folder that comes of a selection, what is refused, and what the page shows."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from crop_reasoning.cli.data_pairs import pairs as verb
from crop_reasoning.errors import RecipeError
from crop_reasoning.evaluation.pairs import is_equal_size
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.records import read_pairs, read_records
from crop_reasoning.training import samples
from data_builders.build import build_dataset
from data_builders.check import check_folder
from data_builders.manifest import read_manifest
from data_builders.pairs import REASONS, Rules
from tests import verbs
from tests.copies import COPIES
from tests.fcdb_copy import TEST_IDS, edit
from tests.shared import SHARED, needs_shared
from tests.strategies import PRODUCTION
from tests.tiny_runs import recipe


def run(*args: str | Path) -> Result:
    return verbs.run("pairs", *args)


def refused(*args: str | Path) -> str:
    return str(verbs.refused("pairs", *args))


@pytest.fixture
def fcdb(tmp_path: Path) -> Path:
    """A copy in which the bigger crop of unequal pairs wins on all photos but two."""
    root = COPIES["fcdb"](tmp_path / "FCDB")
    edit(root / "ranking_annotation.json", lambda photos: [swap(photo["crops"][0]) for photo in photos[:2]])
    folder = tmp_path / "fcdb"
    build_dataset("fcdb", root, folder, {})
    return folder


def swap(pair: dict[str, Any]) -> None:
    pair["vote_for_0"], pair["vote_for_1"] = pair["vote_for_1"], pair["vote_for_0"]


@pytest.fixture
def gaicd(tmp_path: Path) -> Path:
    folder = tmp_path / "gaicd"
    build_dataset("gaicd_v1", COPIES["gaicd_v1"](tmp_path / "GAICD"), folder, {})
    return folder


@pytest.mark.parametrize("name", ["fcdb", "gaicd"])
def test_the_folder_passes_every_check_and_a_second_run_changes_no_byte(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source, out = request.getfixturevalue(name), tmp_path / "deep" / "pairs"
    result = run(source, "--out", out, "--json")
    assert result.exit_code == 0, result.exception
    manifest = json.loads(result.stdout)
    assert manifest == read_manifest(out)
    assert check_folder(out, deep=True).problems == []
    assert {path.name for path in out.iterdir()} == {*manifest["files"], "manifest.json", "pairs.html"}
    assert set(manifest["files"]) == {f"{kind}.jsonl" for kind in ("records", "pairs", "rationales", "pair_rationales")}
    for counts in manifest["pairs"].values():
        assert counts["given"] == sum(counts["kept"].values()) + sum(counts["dropped"].values())
        assert list(counts["dropped"]) == list(REASONS)
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert run(source, "--out", out).exit_code == 0
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in out.parent.iterdir()] == ["pairs"]  # nothing half made is left
    page = (out / "pairs.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 2
    for rule, share in manifest["shortcuts"]["after"]["train"].items():
        assert rule in page
        assert 0 <= share.get("right", 0) <= 1


def test_votes_and_splits_come_through_and_test_pairs_are_those_of_the_source(fcdb: Path, tmp_path: Path) -> None:
    result = run(fcdb, "--out", tmp_path / "pairs")
    assert result.exit_code == 0, result.exception
    source, found = read_pairs(fcdb), read_pairs(tmp_path / "pairs")
    assert source[0].votes == (4, 1)  # swapped in the copy
    assert source[1].votes == (5, 0)
    plain = [(pair.chosen, pair.rejected, pair.margin, pair.votes) for pair in read_pairs(tmp_path / "pairs", "test")]
    assert plain == [(pair.chosen, pair.rejected, pair.margin, pair.votes) for pair in read_pairs(fcdb, "test")]
    assert len(plain) == 2 * len(TEST_IDS)
    train = read_pairs(tmp_path / "pairs", "train")
    assert len([pair for pair in train if is_equal_size(pair)]) == 7
    assert sum(pair.votes == (4, 1) for pair in train) == sum(pair.votes == (1, 4) for pair in train) == 2
    assert {pair.bucket for pair in found} == {"medium", "easy"}
    assert "train: 11 of 14 pairs (hard 0, medium 4, easy 7); 3 unbalanced" in result.stdout
    unbalanced = json.loads(run(fcdb, "--out", tmp_path / "all", "--keep-shortcuts", "--json").stdout)
    assert unbalanced["counts"]["pairs"] == read_manifest(fcdb)["counts"]["pairs"]  # type: ignore[index]


def test_training_reads_the_folder(fcdb: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    assert run(fcdb, "--out", out).exit_code == 0
    wanted = recipe(tmp_path, tmp_path / "run", adapter="none", data__folder=str(out))
    read = samples.read_samples(wanted, FAMILIES["qwen3_vl"], PRODUCTION["qwen3_vl"])
    assert len(read) == len(read_pairs(out, "train"))
    assert all(len(sample.answers) == 2 for sample in read)
    samples.check_images({sample.image: sample.sha256 for sample in read})


def test_the_command_line_has_the_defaults_of_the_rules() -> None:
    defaults = {name: parameter.default for name, parameter in inspect.signature(verb).parameters.items()}
    rules = Rules()
    assert {name: defaults[name] for name in Rules.__dataclass_fields__} == {
        name: getattr(rules, name) for name in Rules.__dataclass_fields__
    }


def test_folders_that_cannot_be_used_are_refused(fcdb: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    assert "no such file; build it first" in refused(tmp_path / "nowhere", "--out", out)
    assert "is the folder that the pairs are made from" in refused(fcdb, "--out", fcdb / ".." / "fcdb")
    assert isinstance(run(fcdb, "--out", fcdb).exception, RecipeError)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    assert "holds something else" in refused(fcdb, "--out", tmp_path / "mine")
    assert "holds something else" in refused(fcdb, "--out", tmp_path / "mine" / "notes.txt")
    assert run(fcdb, "--out", out).exit_code == 0
    assert "holds pairs of seed 0; got seed 1" in refused(fcdb, "--out", out, "--seed", "1")
    (fcdb / "records.jsonl").write_text((fcdb / "records.jsonl").read_text().replace("MIT", "MIT."))
    assert "holds pairs made from other data" in refused(fcdb, "--out", out)


def test_a_folder_without_scored_or_ranked_crops_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "flms"
    build_dataset("flms", COPIES["flms"](tmp_path / "FLMS"), folder, {})
    assert refused(folder, "--out", tmp_path / "pairs").startswith(f"{folder}: no record has crops of different scores")
    assert not (tmp_path / "pairs").exists()


def test_when_no_train_pair_is_left_the_reasons_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "fcdb"
    root = COPIES["fcdb"](tmp_path / "FCDB")
    edit(root / "ranking_annotation.json", lambda photos: [photo["crops"].pop() for photo in photos])
    build_dataset("fcdb", root, folder, {})
    assert "no train pair is left of 7 (7 unbalanced)" in refused(folder, "--out", tmp_path / "pairs")


def test_a_photo_that_is_gone_is_named_on_the_page(fcdb: Path, tmp_path: Path) -> None:
    for one in read_records(fcdb, "train"):
        (fcdb / one.image.path).unlink()
    assert run(fcdb, "--out", tmp_path / "pairs").exit_code == 0
    assert "_c.jpg" in (tmp_path / "pairs" / "pairs.html").read_text()


def test_pairs_of_fcdb_that_lost_their_votes_are_not_sorted_by_the_bounds_of_scores(fcdb: Path, tmp_path: Path) -> None:
    """Folders of older versions: margins .2, .6 and 1 would all be medium or easy."""
    verbs.alter(fcdb / "pairs.jsonl", 4, lambda line: line.pop("votes"))
    verbs.alter(fcdb / "pairs.jsonl", 5, lambda line: line.update(votes=None))
    problem = refused(fcdb, "--out", tmp_path / "pairs")
    assert "pairs.jsonl: 2 of 20 pairs do not tell their votes" in problem
    assert "build the data set anew" in problem
    assert not (tmp_path / "pairs").exists()
    records = fcdb / "records.jsonl"  # pairs that nobody voted on, as those of toy
    records.write_text(records.read_text().replace('"dataset": "fcdb"', '"dataset": "mine"'))
    assert run(fcdb, "--out", tmp_path / "pairs").exit_code == 0


# --- real data


@needs_shared
def test_the_real_pairs_of_fcdb(tmp_path: Path) -> None:
    folder, out = tmp_path / "fcdb", tmp_path / "pairs"
    build_dataset("fcdb", SHARED / "data" / "fcdb", folder, {})
    official = {"train": 0, "test": 0}
    equal = 0
    for split in ("train", "val", "test"):
        pairs = read_pairs(folder, split)
        official["test" if split == "test" else "train"] += len(pairs)
        equal += sum(map(is_equal_size, pairs)) if split != "test" else 0
    assert (official, equal) == ({"train": 13350, "test": 3340}, 5340)
    manifest = json.loads(run(folder, "--out", out, "--json").stdout)
    assert [sum(manifest["pairs"][split]["kept"].values()) for split in ("val", "test")] == [1410, 3340]
    before, after = manifest["shortcuts"]["before"]["train"], manifest["shortcuts"]["after"]["train"]
    assert before["bigger wins, unequal size"]["right"] == pytest.approx(0.80, abs=0.005)
    assert before["second listed wins"]["right"] == pytest.approx(0.70, abs=0.005)
    assert after["bigger wins, unequal size"] == {"n": 2858, "right": 0.5}
    for rule in ("all geometry together", "first proposal wins"):
        assert after[rule]["right"] < 0.53 < before["all geometry together"]["right"]
    kept = read_pairs(out, "train")
    assert sum(map(is_equal_size, kept)) == sum(map(is_equal_size, read_pairs(folder, "train")))
    assert Counter(pair.bucket for pair in kept)["hard"] > len(kept) / 2
