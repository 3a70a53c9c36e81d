"""`data show`: what is drawn, what is suspicious, and what a sheet never takes the place of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crop_reasoning.records import read_records
from tests.fcdb_copy import picture
from tests.verbs import alter, built_fcdb, refused, run


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return built_fcdb(tmp_path)


def test_show_draws_the_crop_where_it_is(built: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheets" / "sheet.png"
    result = run("show", built, "--out", sheet, "--n", "1")
    assert "1 records" in result.stdout
    from data_builders.show import CAPTION, GAP, TILE

    image = Image.open(sheet)
    left, top, height = GAP, GAP + CAPTION, TILE * 3 // 4
    top += (TILE - height) // 2
    pinkish = [
        (x - left, y - top)
        for x in range(left, left + TILE)
        for y in range(top, top + height)
        if _near(image.getpixel((x, y)), (0xFB, 0x71, 0x85))
    ]
    xs, ys = [x for x, _ in pinkish], [y for _, y in pinkish]
    assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx(
        (0.1 * TILE, 0.6 * TILE, 0.1 * height, 0.6 * height), abs=4
    )


def _near(pixel: Any, color: tuple[int, int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, color, strict=True)) < 40


def test_show_writes_a_page_that_needs_nothing_else(built: Path, tmp_path: Path) -> None:
    page = tmp_path / "sheet.html"
    shown = json.loads(run("show", built, "--out", page, "--n", "3", "--seed", "7", "--json").stdout)["records"]
    text = page.read_text()
    assert len(shown) == text.count("data:image/jpeg;base64,") == 3
    assert all(record_id in text for record_id in shown)
    assert "http" not in text
    assert refused("show", built, "--out", tmp_path / "sheet.gif").exit_code == 2


def spoil_record(line: dict[str, Any], kind: str) -> None:
    line["crops"][0]["box"] = {
        "a best crop that keeps little": [0.1, 0.1, 0.2, 0.2],
        "a strip": [0.0, 0.4, 1.0, 0.5],
        "nearly the whole": [0.0, 0.0, 1.0, 0.99],
        "a subject cut off": [0.0, 0.0, 0.5, 1.0],
        "two best crops apart": [0.0, 0.0, 0.4, 0.9],
    }[kind]
    if kind == "a subject cut off":
        line["subject"] = [0.6, 0.2, 0.9, 0.8]
    if kind == "two best crops apart":
        line["crops"].append({"box": [0.5, 0.0, 0.9, 0.9], "score": 1.0, "source": "b"})


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a best crop that keeps little", "best crop keeps only 1%"),
        ("a strip", "best crop is 13.3 times as wide as high"),
        ("nearly the whole", "best crop cuts only 1.0% off"),
        ("a subject cut off", "100% of the subject cut off"),
        ("two best crops apart", "best crops with an IoU of 0.00"),
    ],
)
def test_show_worst_puts_the_suspicious_record_first_with_its_reason(
    built: Path, tmp_path: Path, kind: str, reason: str
) -> None:
    alter(built / "records.jsonl", 6, lambda line: spoil_record(line, kind))
    page = tmp_path / "worst.html"
    shown = json.loads(run("show", built, "--out", page, "--worst", "--json").stdout)
    assert shown["records"][0] == read_records(built)[6].id
    assert shown["reasons"][0] == reason
    assert reason in page.read_text()
    assert run("show", built, "--out", tmp_path / "worst.png", "--worst").exit_code == 0


def test_show_worst_names_clipped_boxes_and_flat_scores(built: Path, tmp_path: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    record = read_records(built)[2]
    manifest["clipped"] = [{"item": f"{Path(record.image.path).name} pair 1", "overflow_px": 2}]
    (built / "manifest.json").write_text(json.dumps(manifest))
    lines = [json.loads(line) for line in (built / "records.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        other = {"box": [0.0, 0.0, 0.9, 0.9], "score": 0.9 if number == 4 else 0.1, "source": "b"}
        line["crops"].append(other)
    (built / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shown = json.loads(run("show", built, "--out", tmp_path / "w.html", "--worst", "--json").stdout)
    assert dict(zip(shown["records"], shown["reasons"], strict=True)) == {
        record.id: "a box was clipped by 2 px",
        lines[4]["id"]: "scores within 0.1, usual are 0.9",
    }


def test_show_worst_of_a_data_set_without_suspicion_says_so(built: Path, tmp_path: Path) -> None:
    problem = refused("show", built, "--out", tmp_path / "w.png", "--worst")
    assert str(problem).endswith("nothing speaks against any of 10 records; leave out --worst")


def test_show_does_not_write_over_a_photo_of_the_data_set(built: Path) -> None:
    photo = built / "images" / "one.png"
    picture(0).save(photo)
    alter(built / "records.jsonl", 3, lambda line: line["image"].update(path="images/one.png"))
    before = photo.read_bytes()
    problem = refused("show", built, "--out", built / "images" / ".." / "images" / "one.png", "--n", "1")
    assert str(problem).endswith("one.png: is a photo of the data set itself; choose another --out")
    assert problem.exit_code == 3
    assert photo.read_bytes() == before


@pytest.mark.parametrize("name", ["photos.png", "sub/sheet.html"])
def test_show_writes_nothing_into_the_folder_it_reads(built: Path, name: str) -> None:
    assert "lies in the folder of the data set itself" in str(refused("show", built, "--out", built / name))
    assert not (built / name).exists()


def test_a_sheet_takes_the_place_of_a_sheet_alone(built: Path, tmp_path: Path) -> None:
    """The page of another folder (`pairs.html`) or a picture of one's own is kept."""
    for name in ("sheet.png", "sheet.html"):
        for seed in "01":
            assert run("show", built, "--out", tmp_path / name, "--n", "2", "--seed", seed).exit_code == 0
    page, mine = tmp_path / "pairs.html", tmp_path / "mine.png"
    page.write_text("<!doctype html><title>Preference pairs</title>")
    picture(3).save(mine)
    (tmp_path / "folder.png").mkdir()
    before = page.read_bytes(), mine.read_bytes()
    for path in (page, mine, tmp_path / "folder.png"):
        problem = refused("show", built, "--out", path)
        assert f"{path.name}: is there already and is no contact sheet" in str(problem)
    assert (page.read_bytes(), mine.read_bytes()) == before


def test_show_of_no_record_says_so(built: Path, tmp_path: Path) -> None:
    (built / "records.jsonl").write_text("")
    for worst in ((), ("--worst",)):
        problem = refused("show", built, "--out", tmp_path / "sheet.png", *worst)
        assert "holds no record; there is nothing to show" in str(problem)


def test_ctrl_c_in_a_sheet_says_so_and_leaves_the_old_one(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    sheet = tmp_path / "sheet.png"
    assert run("show", built, "--out", sheet, "--n", "1").exit_code == 0
    before = sheet.read_bytes()
    monkeypatch.setattr("data_builders.show.load_upright", interrupted)
    problem = refused("show", built, "--out", sheet)
    assert (problem.exit_code, "stopped by hand and not written" in str(problem)) == (130, True)
    assert sheet.read_bytes() == before
