"""The verbs crop, chat and serve on real files, against a real server around an engine with known crops."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from click.testing import Result
from PIL import ExifTags, Image, ImageCms, ImageOps
from typer.testing import CliRunner

from crop_reasoning.cli import serve as verbs
from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.engines.open import open_engine
from crop_reasoning.errors import DataError, EnvironmentProblem, RecipeError
from crop_reasoning.geometry import WHOLE, Box, to_xyxy_px
from crop_reasoning.models.nano import build
from crop_reasoning.serving.render import write_crop
from tests.servers import ScriptedEngine, client, first_turn, photo, server

WH = (320, 240)
CROP = Box(0.1, 0.1, 0.8, 0.9)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
app = typer.Typer()
app.command()(verbs.crop)
app.command()(verbs.chat)
app.command()(verbs.serve)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[list[str]]:
    with server(FakeEngine([CROP, WHOLE])) as url:
        yield ["--base-url", url, "--name", "fake"]


def run(*arguments: str | Path, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def save(path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(WH, **options))
    return path


# the file


def test_crop_writes_the_crop_beside_the_photo_and_says_why(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    before = source.read_bytes()
    result = run("crop", source, *endpoint)
    assert result.exit_code == 0
    with Image.open(tmp_path / "a.crop.jpg") as cropped:
        assert cropped.format == "JPEG"
        x1, y1, x2, y2 = to_xyxy_px(CROP, WH)
        assert cropped.size == (x2 - x1, y2 - y1)
    assert source.read_bytes() == before
    for words in (f"x {x1}-{x2}, y {y1}-{y2}", "Why: the subject keeps its room", "box model", "1 ok, 0 failed"):
        assert words in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.crop.jpg", "a.jpg"]


def test_an_aspect_is_exact_in_the_file(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    result = run("crop", source, "--aspect", "4:5", *endpoint)
    with Image.open(tmp_path / "a.crop.jpg") as cropped:
        assert cropped.width * 5 == cropped.height * 4
    assert "exactly 4:5" in result.stdout
    assert "aspect guard" in result.stdout


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_cropped_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    source = save(tmp_path / "a.jpg", exif=exif.tobytes(), quality=95)
    with Image.open(source) as stored:
        upright = ImageOps.exif_transpose(stored)
    box_px = (20, 30, 180, 200)
    write_crop(source, box_px, tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as cropped:
        assert cropped.getexif().get(ExifTags.Base.Orientation, 1) == 1
        difference = np.asarray(cropped, int) - np.asarray(upright.crop(box_px), int)
    assert np.abs(difference).mean() < 1


def test_profile_copyright_and_camera_survive_and_the_old_thumbnail_does_not(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright], exif[ExifTags.Base.Artist] = "(c) A. Person", "A. Person"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: WH[0], ExifTags.Base.LensModel: "50mm"}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    source = save(tmp_path / "a.jpg", exif=exif.tobytes(), icc_profile=SRGB, xmp=b"<x:xmpmeta>rights</x:xmpmeta>")
    assert write_crop(source, (0, 0, 100, 50), tmp_path / "b.jpg") == ()
    with Image.open(tmp_path / "b.jpg") as cropped:
        kept = cropped.getexif()
        assert cropped.info["icc_profile"] == SRGB
        assert cropped.info["xmp"] == b"<x:xmpmeta>rights</x:xmpmeta>"
        assert (kept[ExifTags.Base.Copyright], kept[ExifTags.Base.Artist]) == ("(c) A. Person", "A. Person")
        camera = kept.get_ifd(ExifTags.IFD.Exif)
        assert (camera[ExifTags.Base.LensModel], camera[ExifTags.Base.ExifImageWidth]) == ("50mm", 100)
        assert kept.get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}
        assert kept.get_ifd(ExifTags.IFD.IFD1) == {}


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        ("L", "JPEG", "L"),
        ("CMYK", "JPEG", "CMYK"),
        ("RGBA", "PNG", "RGB"),
        ("P", "GIF", "L"),
        ("I;16", "TIFF", "RGB"),
    ],
)
def test_every_kind_of_pixels_gets_a_jpeg(tmp_path: Path, mode: str, kind: str, expected: str) -> None:
    source = tmp_path / f"a.{kind.lower()}"
    gradient = Image.linear_gradient("L")
    deep = Image.fromarray(np.asarray(gradient, np.uint16) * 257)
    (deep if mode == "I;16" else gradient.convert(mode)).save(source, kind)
    write_crop(source, (0, 128, 128, 256), tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as cropped:
        assert (cropped.mode, cropped.size) == (expected, (128, 128))
        assert np.asarray(cropped.convert("L")).mean() == pytest.approx(192, abs=25)


def test_a_profile_that_no_longer_fits_is_left_out_and_said(tmp_path: Path) -> None:
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    save(tmp_path / "a.png", kind="PNG", icc_profile=cmyk)
    assert write_crop(tmp_path / "a.png", (0, 0, 50, 50), tmp_path / "b.jpg") == (
        "its color profile (made for CMYK pixels)",
    )


def test_an_iptc_block_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    body = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", 8) + b"\x1c\x02t\x00\x03A.P\x00"[:8]
    source = save(tmp_path / "a.jpg", extra=b"\xff\xed" + struct.pack(">H", len(body) + 2) + body)
    (lost,) = write_crop(source, (0, 0, 50, 50), tmp_path / "b.jpg")
    assert lost.startswith("the IPTC block")


def test_an_unwritable_place_gets_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        write_crop(source, (0, 0, 50, 50), tmp_path / "file" / "b.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "file"]


# what may be overwritten


def test_an_existing_crop_is_replaced_only_with_force(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    (tmp_path / "a.crop.jpg").write_text("precious")
    result = run("crop", source, *endpoint)
    assert result.exit_code == 3
    assert "a.crop.jpg: exists already" in result.stdout
    assert (tmp_path / "a.crop.jpg").read_text() == "precious"
    assert run("crop", source, "--force", *endpoint).exit_code == 0
    assert Image.open(tmp_path / "a.crop.jpg").format == "JPEG"


def test_a_photo_is_never_overwritten_even_with_force(endpoint: list[str], tmp_path: Path) -> None:
    first, second = save(tmp_path / "a.jpg"), save(tmp_path / "a.crop.jpg")
    before = second.read_bytes()
    result = run("crop", first, second, "--force", *endpoint)
    assert (result.exit_code, second.read_bytes()) == (3, before)
    assert "is one of the photos themselves" in result.stdout
    with pytest.raises(DataError, match="is the original itself"):
        write_crop(first, (0, 0, 9, 9), first, force=True)


def test_two_photos_of_one_name_do_not_overwrite_each_other(endpoint: list[str], tmp_path: Path) -> None:
    first, second = save(tmp_path / "one" / "a.jpg"), save(tmp_path / "two" / "a.png", kind="PNG")
    result = run("crop", first, second, "--out", tmp_path / "out", "--force", *endpoint)
    assert result.exit_code == 3
    assert "1 ok, 1 failed" in result.stdout
    assert "one/a.jpg writes the same file" in result.stdout.replace("\n", "")


# many photos


def test_a_folder_is_done_to_its_end_and_failures_are_named(endpoint: list[str], tmp_path: Path) -> None:
    trip = tmp_path / "trip"
    save(trip / "a.jpg")
    (trip / "broken.jpg").write_bytes(photo(WH)[:1500])
    save(trip / "c.PNG", kind="PNG")
    (trip / "notes.txt").write_text("no photo")
    save(trip / "old.crop.jpg")
    result = run("crop", trip, tmp_path / "missing.jpg", "--out", tmp_path / "out", *endpoint)
    assert result.exit_code == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.crop.jpg", "c.crop.jpg"]
    assert "2 ok, 2 failed" in result.stdout
    assert f"{trip / 'broken.jpg'}: " in result.stdout
    assert "cannot be decoded" in result.stdout
    assert "missing.jpg: no such file" in result.stdout
    assert "2 of 5 files are our pictures or no photos" in result.stderr


def test_json_is_one_document_with_everything(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    result = run("crop", source, tmp_path / "missing.jpg", "--json", *endpoint)
    value = json.loads(result.stdout)
    assert (result.exit_code, value["ok"], value["fallback"], value["failed"]) == (3, 1, 0, 1)
    done, failed = value["photos"]
    assert (done["photo"], done["output"]) == (str(source), str(tmp_path / "a.crop.jpg"))
    assert done["crop"]["box_px"] == list(to_xyxy_px(CROP, WH))
    assert done["crop"]["provenance"] == {"box": "model", "aspect": "model", "model_box": done["crop"]["box"]}
    assert "no such file" in failed["error"]


def test_an_unparsable_answer_is_said_and_counts_as_done(tmp_path: Path) -> None:
    with server(ScriptedEngine("no idea")) as url:
        result = run("crop", save(tmp_path / "a.jpg"), "--base-url", url, "--name", "fake")
    assert result.exit_code == 0
    assert "could not be read (no_decision" in result.stdout
    assert "the guard took the whole photo" in result.stdout


def test_answers_without_a_box_of_the_model_are_counted_apart(tmp_path: Path) -> None:
    photos = [save(tmp_path / "a.jpg"), save(tmp_path / "b.jpg"), tmp_path / "missing.jpg"]
    with server(ScriptedEngine("no idea")) as url:
        served = ("--base-url", url, "--name", "fake", "--force")
        told = run("crop", *photos, *served).stdout
        value = json.loads(run("crop", *photos, *served, "--json").stdout)
    assert "2 ok, 2 of them without a readable answer of the model, 1 failed" in told
    assert (value["ok"], value["fallback"], value["failed"]) == (2, 2, 1)


def test_a_command_line_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    with pytest.raises(RecipeError, match="expected width:height"):
        run("crop", source, "--aspect", "wide")
    with pytest.raises(RecipeError, match="--run"):
        run("crop", source)
    with pytest.raises(RecipeError, match="got --run and --model"):
        run("crop", source, "--run", "a", "--model", "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no photo"):
        run("crop", tmp_path / "empty")


# chat


def test_a_piped_conversation_refines_saves_and_ends(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    lines = ["tighter", "", "4:5", f"/save {tmp_path / 'b.jpg'}", "/save", "/quit", "looser"]
    result = run("chat", source, *endpoint, stdin="\n".join(lines))
    assert result.exit_code == 0
    assert result.stdout.count("<analysis>") == 3  # the first crop and two turns; nothing after /quit
    assert "the guard took the crop before and shrank it" in result.stdout  # the model said: the whole photo
    assert (tmp_path / "a.crop.jpg").is_file()
    with Image.open(tmp_path / "b.jpg") as cropped:
        assert cropped.width * 5 == cropped.height * 4


def test_a_line_that_cannot_be_followed_loses_nothing(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    lines = ["999:1", "/turn", "/save b.png", f"/save {source}", f"/save {tmp_path / 'b.jpg'}"]
    result = run("chat", source, *endpoint, stdin="\n".join(lines))
    assert result.exit_code == 3
    for words in ("does not fit an image", "/turn: no such command", "expected a name that ends in .jpg", "original"):
        assert words in result.stdout
    with Image.open(tmp_path / "b.jpg") as cropped:
        x1, y1, x2, y2 = to_xyxy_px(CROP, WH)
        assert cropped.size == (x2 - x1, y2 - y1)


def test_save_advises_only_what_chat_has(endpoint: list[str], tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("precious")
    (tmp_path / "file").write_text("")
    lines = [f"/save {tmp_path / 'b.jpg'}", f"/save {tmp_path / 'file' / 'c.jpg'}"]
    result = run("chat", source, *endpoint, stdin="\n".join(lines))
    assert result.exit_code == 3
    assert "b.jpg: exists already; remove it, or name another file: /save FILE.jpg" in result.stdout
    assert "cannot be written" in result.stdout
    assert "--out" not in result.stdout
    assert "--force" not in result.stdout
    assert (tmp_path / "b.jpg").read_text() == "precious"


def test_a_model_cannot_steer_the_terminal(tmp_path: Path) -> None:
    with server(ScriptedEngine(f"[bold]{chr(27)}[2J")) as url:
        result = run("chat", save(tmp_path / "a.jpg"), "--base-url", url, "--name", "fake", stdin="")
    assert chr(27) not in result.stdout
    assert "[bold]" in result.stdout


def test_a_chat_about_no_photo_ends_at_once(endpoint: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        run("chat", tmp_path / "missing.jpg", *endpoint, stdin="")


# serve


def test_serve_starts_answers_and_stops(endpoint: list[str]) -> None:
    code = "from tests.test_crop_verb import app; app()"
    command = [sys.executable, "-c", code, "serve", *endpoint, "--port", "0"]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "http://" in line)
        reply = client(line.split()[1]).chat.completions.create(model="fake", messages=[first_turn("4:5")])
        assert reply.model_extra["crop"]["provenance"]["aspect"] == "guard"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_an_untrained_nano_falls_back_and_says_so(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    folder = str(build(tmp_path / "nano", ["Crop this photo. <analysis> </analysis> [1,2,3,4]"] * 20))
    result = run("crop", save(tmp_path / "a.jpg"), "--model", folder, "--aspect", "1:1", "--json")
    crop = json.loads(result.stdout)["photos"][0]["crop"]
    assert (crop["status"], crop["provenance"]["box"]) == ("fallback", "guard")
    assert crop["failure"]["kind"] in ("empty", "no_decision", "not_json", "truncated")
    assert crop["box_px"] == [40, 0, 280, 240]
    assert crop["tokens"] > 0
    with server(open_engine(folder)) as url:
        asked = {"model": folder, "messages": [first_turn("4:5")], "max_tokens": 20}
        whole = client(url).chat.completions.create(**asked)
        assert whole.model_extra["crop"]["status"] == "fallback"
        assert whole.usage.completion_tokens <= 20
        chunks = list(client(url).chat.completions.create(**asked, stream=True))
        assert chunks[-1].model_extra["crop"]["text"] == whole.model_extra["crop"]["text"]


def test_a_port_in_use_gets_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match="cannot listen there"):
            run("serve", "--model", "anything", "--port", str(port))
