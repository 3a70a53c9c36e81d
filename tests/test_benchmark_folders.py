"""Any folder as a benchmark of `data decontaminate`: every photo in it counts, and what does not is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crop_reasoning.images import FORMATS, PHOTO_ENDINGS, load_upright
from crop_reasoning.records import read_records
from data_builders.build import build_dataset
from tests.copies import photo
from tests.fcdb_copy import TEST_IDS, TRAIN_IDS, file_of, write_fcdb
from tests.verbs import refused, run


@pytest.fixture
def built(tmp_path: Path) -> Path:
    root = write_fcdb(tmp_path / "FCDB")
    for index, photo_id in enumerate([*TRAIN_IDS, *TEST_IDS]):
        photo(root / "data" / file_of(photo_id), index, (400, 300))
    build_dataset("fcdb", root, tmp_path / "built", {})
    return tmp_path / "built"


def report_of(built: Path, benchmark: Path) -> dict[str, Any]:
    result = run("decontaminate", built, "--against", benchmark, "--json")
    assert result.exit_code == 0, result.exception
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def copy_of(built: Path, target: Path) -> str:
    """Save a train photo of the built folder under another name; its record's id."""
    record = read_records(built, "train")[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    load_upright(built / record.image.path).save(target)
    return record.id


def found(report: dict[str, Any]) -> dict[str, str]:
    return {entry["id"]: entry["copies"][0]["benchmark_photo"] for entry in report["excluded"]}


def test_every_format_that_is_decoded_has_an_ending() -> None:
    registered = Image.registered_extensions()
    assert {registered[ending] for ending in PHOTO_ENDINGS} == set(FORMATS)


@pytest.mark.parametrize("ending", [".gif", ".avif", ".webp", ".GIF", ".jfif"])
def test_a_copy_is_found_in_any_format_that_is_decoded(built: Path, tmp_path: Path, ending: str) -> None:
    if ending.lower() not in PHOTO_ENDINGS:
        pytest.skip(f"this Pillow decodes no {ending}")
    record_id = copy_of(built, tmp_path / "benchmark" / f"a{ending}")
    assert found(report_of(built, tmp_path / "benchmark")) == {record_id: f"a{ending}"}


def test_linked_folders_are_entered_once_and_never_the_folder_above(built: Path, tmp_path: Path) -> None:
    benchmark = tmp_path / "place" / "benchmark"
    photo(benchmark / "own.jpg", 77)
    photo(tmp_path / "place" / "beside.jpg", 78)
    record_id = copy_of(built, tmp_path / "elsewhere" / "deep" / "a.png")
    (benchmark / "linked").symlink_to(tmp_path / "elsewhere")
    (benchmark / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(benchmark / "linked")
    (benchmark / "up").symlink_to(tmp_path / "place")
    report = report_of(built, benchmark)
    assert found(report) == {record_id: "again/deep/a.png"}
    assert report["compared"][str(benchmark)] == 2


def test_what_was_not_compared_is_counted_and_listed(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = tmp_path / "benchmark"
    photo(benchmark / "own.jpg", 77)
    for name in ("boxes.txt", "a/b.txt", "c.HEIC", "LICENSE"):
        (benchmark / name).parent.mkdir(exist_ok=True)
        (benchmark / name).write_text("x")
    (benchmark / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (benchmark / "closed").mkdir()
    scan = os.scandir

    def scanned(path: Any) -> Any:
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scanned)
    (one,) = report_of(built, benchmark)["against"]
    assert one["unreadable"] == {"closed": "Permission denied", "gone.png": "No such file or directory"}
    assert one["not_photos"] == ["LICENSE", "a/b.txt", "boxes.txt", "c.HEIC"]
    stdout = run("decontaminate", built, "--against", benchmark).stdout
    assert "2 photos or folders of the benchmarks cannot be read; --json lists them" in stdout
    assert "not compared: 4 files of the benchmarks that end as no photo does (.heic 1, .txt 2, no ending 1)" in stdout
    (benchmark / "own.jpg").unlink()
    nothing = str(refused("decontaminate", built, "--against", benchmark))
    assert "nor a readable photo, but 4 other files and 2 that cannot be read" in nothing
