"""Where `data export` writes: to a file of its own, never into what it reads or over what somebody else made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_builders.export_label_studio import CONFIG
from tests.copies import dump
from tests.exchange import exported, labelled, plain_folder
from tests.verbs import refused, run

FORMATS = ("coco", "label-studio")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return plain_folder(tmp_path / "built")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("records.jsonl", 2, "expected a .json file, got .jsonl"),
        ("photos/part 0+/p.jpg", 2, "expected a .json file, got .jpg"),
        ("new", 2, "expected a .json file, got no ending"),
        ("manifest.json", 3, "lies in the folder of the data set itself"),
        ("new/boxes.json", 3, "lies in the folder of the data set itself"),
    ],
)
def test_an_export_changes_nothing_of_the_folder_it_reads(
    built: Path, form: str, name: str, code: int, expected: str
) -> None:
    before = contents(built)
    problem = refused("export", form, built, "--out", built / name)
    assert (problem.exit_code, expected in str(problem)) == (code, True), str(problem)
    link = built.parent / "link"
    link.symlink_to(built)
    assert refused("export", form, built, "--out", link / name).exit_code == code
    assert contents(built) == before


def test_a_folder_for_trl_is_not_made_in_the_folder_that_is_read(built: Path) -> None:
    family = ("--family", "qwen3_vl", "--min-pixels", "65536", "--max-pixels", "1048576")
    problem = refused("export", "trl", built, "--out", built / "new", *family)
    assert "lies in the folder of the data set itself" in str(problem)
    assert not (built / "new").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_not_written_over_a_photo_whatever_its_name(built: Path, tmp_path: Path, form: str) -> None:
    record = json.loads((built / "records.jsonl").read_text().splitlines()[0])
    photo = tmp_path / "photo.json"
    (built / record["image"]["path"]).rename(photo)
    text = (built / "records.jsonl").read_text()
    (built / "records.jsonl").write_text(text.replace(record["image"]["path"], "../photo.json"))
    before = photo.read_bytes()
    assert "is a photo of the data set itself" in str(refused("export", form, built, "--out", photo))
    assert photo.read_bytes() == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_there_is_kept_unless_it_is_the_very_export(built: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out.json"
    for _ in range(2):
        assert run("export", form, built, "--out", out).exit_code == 0
    out.write_text(out.read_text() + " ")
    before = contents(tmp_path)
    assert "out.json: is there already and holds something else" in str(refused("export", form, built, "--out", out))
    (tmp_path / "folder.json").mkdir()
    assert "is there already" in str(refused("export", form, built, "--out", tmp_path / "folder.json"))
    assert contents(tmp_path) == before


def test_a_labeling_config_of_ones_own_is_kept_and_no_tasks_are_written(built: Path, tmp_path: Path) -> None:
    config = tmp_path / "tasks.xml"
    config.write_text("<View/>")
    problem = refused("export", "label-studio", built, "--out", tmp_path / "tasks.json")
    assert "tasks.xml: is there already and holds something else" in str(problem)
    assert config.read_text() == "<View/>"
    assert not (tmp_path / "tasks.json").exists()
    config.write_text(CONFIG)
    assert run("export", "label-studio", built, "--out", tmp_path / "tasks.json").exit_code == 0


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("rotation", "12", "task 1: rotation is '12', expected a finite number"),
        ("rotation", None, "task 1: rotation is None, expected a finite number"),
        ("rectanglelabels", 5, "task 1: rectanglelabels is 5, expected a list"),
    ],
)
def test_label_studio_fields_of_another_kind_are_named(
    built: Path, tmp_path: Path, field: str, value: object, expected: str
) -> None:
    tasks = labelled(exported(built))
    tasks[0]["annotations"][0]["result"][0]["value"][field] = value
    dump(tmp_path / "done.json", tasks)
    problem = refused("import", "label-studio", tmp_path / "done.json", "--images", built, "--out", tmp_path / "out")
    assert expected in str(problem)
