"""Photographs as they come: every orientation and color mode upright and RGB, every broken file one sentence."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from crop_reasoning.errors import DataError
from crop_reasoning.images import MAX_PIXELS, load_upright, sha256_of

ORIENTATION = 0x0112
FILES = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF"}


def corners(wh: tuple[int, int] = (48, 32)) -> Image.Image:
    """A picture whose four quarters differ, so that every flip and turn shows."""
    w, h = wh
    pixels = np.zeros((h, w, 3), np.uint8)
    pixels[: h // 2, : w // 2] = (200, 30, 30)
    pixels[: h // 2, w // 2 :] = (30, 200, 30)
    pixels[h // 2 :, : w // 2] = (30, 30, 200)
    pixels[h // 2 :, w // 2 :] = (200, 200, 30)
    return Image.fromarray(pixels)


def file_bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def largest_difference(a: Image.Image, b: Image.Image) -> int:
    assert a.size == b.size
    return int(np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16)).max())


# how a camera that was held otherwise stores the upright picture, by EXIF orientation
STORED = {
    1: lambda image: image,
    2: ImageOps.mirror,
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: ImageOps.flip,
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("orientation", STORED)
def test_all_eight_orientations_load_as_the_same_upright_pixels(orientation, kind):
    upright = corners()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"quality": 95} if kind in ("jpeg", "webp") else {}
    loaded = load_upright(file_bytes(STORED[orientation](upright), FILES[kind], exif=exif, **options))
    assert loaded.mode == "RGB"
    lossless = kind in ("png", "tiff")
    inner = [(x, y) for x in (8, 40) for y in (6, 26)]  # away from the edges that a codec blurs
    for spot in inner:
        got, expected = loaded.getpixel(spot), upright.getpixel(spot)
        assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= (0 if lossless else 12), spot
    assert loaded.size == upright.size


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert largest_difference(load_upright(file_bytes(corners(), "PNG", exif=exif)), corners()) == 0


def test_a_path_a_string_and_bytes_give_the_same_pixels(tmp_path):
    path = tmp_path / "photo with ünïcode.png"
    corners().save(path)
    for source in (path, str(path), path.read_bytes()):
        assert largest_difference(load_upright(source), corners()) == 0


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_the_colors_a_viewer_shows(kind):
    loaded = load_upright(file_bytes(corners().convert("CMYK"), kind, **({"quality": 95} if kind == "JPEG" else {})))
    for spot in ((8, 6), (40, 6), (8, 26), (40, 26)):
        assert max(abs(a - b) for a, b in zip(loaded.getpixel(spot), corners().getpixel(spot), strict=True)) <= 12


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB"])
def test_opaque_modes_become_rgb(mode):
    image = corners().convert(mode)
    loaded = load_upright(file_bytes(image, "PNG"))
    assert loaded.mode == "RGB"
    assert largest_difference(loaded, image.convert("RGB")) == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_what_is_transparent_becomes_white(mode):
    opaque = corners()
    alpha = Image.new("L", opaque.size, 255)
    alpha.paste(0, (0, 0, 24, 16))
    if mode in ("RGBA", "LA"):
        image = opaque.convert(mode)
        image.putalpha(alpha)
        data = file_bytes(image, "PNG")
    else:  # one color of the file stands for "nothing here"
        image = opaque.convert("P", palette=Image.Palette.ADAPTIVE, colors=8) if mode == "P" else opaque.convert(mode)
        data = file_bytes(image, "PNG", transparency=image.getpixel((8, 6)))
    loaded = load_upright(data)
    assert loaded.getpixel((8, 6)) == (255, 255, 255)
    assert loaded.getpixel((40, 26)) != (255, 255, 255)


def test_half_transparent_pixels_mix_with_white():
    loaded = load_upright(file_bytes(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    assert loaded.getpixel((0, 0)) == (127, 127, 127)


@pytest.mark.parametrize("options", [{}, {"transparency": 0}], ids=["opaque", "with a transparent gray"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_tones_instead_of_clipping(kind, options):
    grays = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    loaded = np.asarray(load_upright(file_bytes(Image.fromarray(grays), kind, **(options if kind == "PNG" else {}))))
    assert np.array_equal(loaded[..., 0], grays // 256)


def test_pixels_of_unknown_scale_are_refused_rather_than_shown_black():
    depth = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    with pytest.raises(DataError, match="32 bits a channel"):
        load_upright(file_bytes(depth, "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_of_several_frames_the_first_is_taken(kind):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "MPO" else {}
    data = file_bytes(corners(), kind, save_all=True, append_images=[ImageOps.mirror(corners())], **options)
    assert load_upright(data).getpixel((8, 6))[0] > 150


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_the_smallest_image_of_each_format(kind):
    assert load_upright(file_bytes(Image.new("RGB", (1, 1), "red"), kind)).size == (1, 1)


def png_header(w: int, h: int) -> bytes:
    """A PNG that claims a size and holds next to nothing: what a decompression bomb looks like from outside."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("wh", [(20_000, 20_000), (8_000, 6_251), (12_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_its_pixels_are_decoded(wh):
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"megapixels.*scale it down first"):
        load_upright(png_header(*wh))
    assert time.perf_counter() - start < 0.5


def test_a_bomb_is_one_sentence_without_a_warning_of_pillows(tmp_path):
    """In a process of its own: pytest puts its own filters of warnings in place of those of the program."""
    (tmp_path / "bomb.png").write_bytes(png_header(12_000, 9_000))
    script = (
        "import sys; from crop_reasoning.errors import DataError; from crop_reasoning.images import load_upright\n"
        "try: load_upright(sys.argv[1])\n"
        "except DataError as problem: print(problem)"
    )
    command = [sys.executable, "-W", "default", "-c", script, str(tmp_path / "bomb.png")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "12000x9000 is 108 megapixels, expected at most 50; scale it down first" in result.stdout
    assert result.stderr == ""


def test_the_largest_size_allowed_is_not_refused_for_its_size():
    side = int(MAX_PIXELS**0.5)
    with pytest.raises(DataError, match="cannot be decoded"):  # the header is fine, the pixels are missing
        load_upright(png_header(side, side))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_cut_short_is_refused_rather_than_padded_with_gray(kind, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = file_bytes(noise, kind)
    with pytest.raises(DataError):
        load_upright(whole[: int(len(whole) * share)])


BROKEN = {
    "a missing file": (None, "no such file"),
    "a folder": ("folder", "cannot be decoded"),
    "an empty file": (b"", "not an image of a known format"),
    "text named .jpg": (b"this is not a photograph", "not an image of a known format"),
    "a web page": (b"<!DOCTYPE html><html><body>404</body></html>", "not an image of a known format"),
    "an svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not an image of a known format"),
    "a postscript file": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
    "a jpeg's first bytes": (b"\xff\xd8\xff\xe0", "cannot be decoded|not an image"),
    "a png without pixels": (png_header(10, 10)[:33], "cannot be decoded|not an image"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_photograph_gets_one_sentence_with_its_name(name, tmp_path):
    content, reason = BROKEN[name]
    path: Path = tmp_path / "holiday.jpg"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as refused:
        load_upright(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 3


def test_bytes_that_came_over_the_wire_are_named_so():
    with pytest.raises(DataError, match=r"^the image sent: "):
        load_upright(b"nothing")


@pytest.mark.parametrize("path", ["", "a\0b.jpg", "x" * 5000])
def test_a_path_that_cannot_exist_is_refused(path):
    with pytest.raises(DataError):
        load_upright(path)


@pytest.mark.filterwarnings("ignore")  # what Pillow says about broken metadata
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "MPO"])
def test_no_damage_to_a_file_gets_past_the_sentence(kind):
    """Decoders raise KeyError, RuntimeError, struct.error ... on damaged bytes; a caller only ever sees ours."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    options = {} if kind == "GIF" else {"exif": exif}
    whole = file_bytes(corners(), kind, **options)
    rng = random.Random(kind)
    outcomes = []
    for _ in range(150):
        damaged = bytearray(whole[: rng.randrange(1, len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.randint(1, 6)):
            damaged[rng.randrange(min(len(damaged), rng.choice([64, 256, 10**6])))] = rng.randrange(256)
        try:
            outcomes.append(load_upright(bytes(damaged)).mode)
        except DataError as refused:
            outcomes.append(str(refused))
    assert len(set(outcomes)) > 1, "the damage was felt"
    assert not any("\n" in outcome for outcome in outcomes)


def test_many_files_leave_no_open_handle(tmp_path):
    path = tmp_path / "two.gif"
    corners().save(path, save_all=True, append_images=[ImageOps.mirror(corners())])
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir())) if handles.is_dir() else 0
    images = [load_upright(path) for _ in range(50)]
    after = len(list(handles.iterdir())) if handles.is_dir() else 0
    assert after - before < 5
    assert len(images) == 50


def test_the_hash_of_a_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"photo")
    assert sha256_of(path) == hashlib.sha256(b"photo").hexdigest()
