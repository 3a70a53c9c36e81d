"""Photos that hold nothing, too much, or the wrong kind of pixels: an empty analysis is valid, a crash is not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw

from crop_reasoning.composition import batch, subject
from crop_reasoning.composition.analysis import analyse, analyse_crop, measure
from crop_reasoning.composition.batch import analyse_all, from_json, to_json
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.primitives import primitives, working_frame
from crop_reasoning.composition.subject import find_subjects
from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.geometry import WHOLE, Box


@pytest.mark.parametrize("wh", [(1, 1), (1, 5000), (5000, 1), (3, 2), (15, 400), (6000, 30)])
def test_slivers_have_an_empty_analysis(wh: tuple[int, int]) -> None:
    analysis = analyse(Image.new("RGB", wh, "red"))
    assert analysis.wh == wh
    assert analysis.elements == ()
    assert analysis.subject is None


@pytest.mark.parametrize("color", [0, 127, 255])
def test_a_uniform_image_shows_nothing(color: int) -> None:
    analysis = analyse(np.full((200, 300, 3), color, np.uint8))
    assert analysis.elements == ()
    assert analysis.subject is None
    assert analysis.negative_space == 1
    assert analysis.balance.centroid == (0.5, 0.5)


@pytest.mark.parametrize("sigma", [3, 20, 60])
def test_pure_noise_shows_nothing(sigma: int) -> None:
    pixels = np.random.default_rng(sigma).normal(128, sigma, (300, 400, 3))
    assert analyse(np.clip(pixels, 0, 255).astype(np.uint8)).elements == ()


@pytest.mark.parametrize("grain", [2, 5, 8])
def test_coarse_grain_shows_nothing(grain: int) -> None:
    for seed in range(3):
        small = np.random.default_rng([grain, seed]).normal(0, 45, (320 // grain, 480 // grain)).astype(np.float32)
        rough = np.asarray(Image.fromarray(small).resize((480, 320), Image.Resampling.BICUBIC))
        pixels = np.clip(np.array([120, 100, 80]) + rough[..., None], 0, 255)
        assert analyse(pixels.astype(np.uint8)).elements == ()


@pytest.mark.parametrize("sigma", [0, 1, 4])
@pytest.mark.parametrize("falling", [(0.0, 1.0), (0.8, 0.6)])
def test_an_image_that_is_all_sky_shows_nothing_whatever_the_light(sigma: int, falling: tuple[float, float]) -> None:
    y, x = np.mgrid[0:300, 0:450]
    ramp = ((falling[0] * x / 450 + falling[1] * y / 300) / sum(falling))[..., None]
    sky = (1 - ramp) * np.array([60, 110, 200]) + ramp * np.array([190, 215, 245])
    noise = np.random.default_rng(sigma).normal(0, sigma, (300, 450, 1)) if sigma else 0.0
    assert analyse(np.clip(sky + noise, 0, 255).astype(np.uint8)).elements == ()


def test_an_image_that_is_all_sky_shows_nothing() -> None:
    ramp = np.linspace(0, 1, 300)[:, None, None]
    sky = (1 - ramp) * np.array([60, 110, 200]) + ramp * np.array([190, 215, 245])
    noise = np.random.default_rng(0).normal(0, 2, (300, 450, 3))
    assert analyse(np.clip(sky + noise, 0, 255).astype(np.uint8)).elements == ()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "I;16", "YCbCr", "HSV", "LAB"])
def test_every_mode_is_read_as_its_colors(mode: str) -> None:
    image = Image.new("RGB", (240, 160), "white")
    ImageDraw.Draw(image).rectangle((0, 100, 240, 160), fill="black")
    other = Image.new("I;16", image.size, 65535) if mode == "I;16" else image.convert(mode)
    if mode == "I;16":
        other.paste(0, (0, 100, 240, 160))
    assert [each.name for each in analyse(other).elements] == ["horizontal"]


def test_transparency_lies_on_white() -> None:
    image = Image.new("RGBA", (240, 160), (255, 255, 255, 255))
    image.paste((0, 0, 0, 0), (0, 80, 240, 160))  # black that cannot be seen
    assert analyse(image).elements == ()


@pytest.mark.parametrize("wh", [(6000, 400), (4000, 400), (400, 4000)])
def test_panoramas_are_judged_like_photos(wh: tuple[int, int]) -> None:
    image = Image.new("RGB", wh, (200, 220, 240))
    w, h = wh
    box = (0, int(0.6 * h), w, h) if w > h else (int(0.6 * w), 0, w, h)
    image.paste((40, 60, 30), box)
    assert [each.name for each in analyse(image).elements] == ["horizontal" if w > h else "vertical"]


def test_arrays_of_another_shape_are_refused_with_a_sentence() -> None:
    with pytest.raises(DataError, match="expected"):
        analyse(np.zeros((4, 4, 7), np.uint8))
    with pytest.raises(DataError, match="bytes, or floats"):
        analyse(np.zeros((40, 40), np.uint16))  # was read as if 1 were white


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60), st.just(3))))
def test_any_pixels_have_an_analysis(pixels: np.ndarray) -> None:
    analysis = analyse_crop(measure(pixels, neural=False), WHOLE)
    assert set(analysis.strengths) == set(ELEMENTS)
    assert np.isfinite(list(analysis.strengths.values())).all()
    assert from_json(json.loads(json.dumps(to_json(analysis)))) == analysis


def test_forty_like_things_are_not_one_subject() -> None:
    rng = np.random.default_rng(0)
    image = Image.new("RGB", (480, 320), (90, 100, 110))
    for _ in range(40):
        x, y = rng.uniform(20, 460), rng.uniform(20, 300)
        ImageDraw.Draw(image).ellipse((x - 12, y - 15, x + 12, y + 15), fill=(220, 180, 150))
    found = {each.name for each in analyse(image).elements}
    assert not found & {"rule of thirds", "center", "golden ratio"}


def test_forty_faces_are_not_one_subject() -> None:
    data = pytest.importorskip("skimage.data")
    face = Image.fromarray(data.astronaut()[60:190, 160:290]).resize((64, 64))
    image = Image.new("RGB", (640, 400), (100, 105, 110))
    places = [(column, row) for row in range(5) for column in range(8)]
    for (column, row), (dx, dy) in zip(places, np.random.default_rng(1).integers(0, 14, (40, 2)), strict=True):
        image.paste(face, (80 * column + int(dx), 80 * row + int(dy)))
    analysis = analyse(image)
    assert not {each.name for each in analysis.elements} & {"rule of thirds", "center", "golden ratio", "curved"}
    faces = [each for each in analysis.subjects if each.kind == "face"]
    assert len(faces) > 20 or "yunet" not in subject.detectors()


def test_without_the_networks_the_border_measure_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_saliency_network", lambda: None)
    monkeypatch.setattr(subject, "_face_network", lambda: None)
    image = Image.new("RGB", (300, 300), (80, 120, 80))
    ImageDraw.Draw(image).ellipse((80, 80, 120, 120), fill=(240, 230, 90))
    analysis = analyse(image)
    assert analysis.subject
    assert analysis.subject.center == pytest.approx((1 / 3, 1 / 3), abs=0.02)
    assert "rule of thirds" in analysis.strengths


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = []
    for index in range(3):
        image = Image.new("RGB", (160, 120), (200, 220, 240))
        image.paste((40, 60, 30), (0, 40 + 20 * index, 160, 120))
        paths.append(tmp_path / f"{index}.png")
        image.save(paths[-1])
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    return [*paths, tmp_path / "broken.jpg", tmp_path / "missing.jpg"]


def test_a_batch_lists_what_it_could_not_read(photos: list[Path]) -> None:
    done = analyse_all(photos)
    assert list(done.analyses) == photos[:3]
    assert list(done.unreadable) == photos[3:]
    assert all(str(path) in why for path, why in done.unreadable.items())
    assert done.cached == 0


def test_a_cache_answers_by_content_and_leaves_no_broken_file(photos: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = analyse_all(photos, cache=cache)
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    assert len(files) == 3
    assert all(path.suffix == ".json" for path in files)
    copy = tmp_path / "copy.png"
    copy.write_bytes(photos[0].read_bytes())
    files[1].write_text("{")  # cut short by something else: written anew
    second = analyse_all([copy, *photos[:3]], cache=cache)
    assert second.cached == 3
    assert second.analyses[copy] == first.analyses[photos[0]]
    assert {path: second.analyses[path] for path in photos[:3]} == first.analyses


def test_a_cache_that_cannot_be_written_stops_nobody(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A home without rights stopped training with guides."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    made = analyse_all(photos[:1], cache=batch.cache_folder())
    assert made.analyses[photos[0]] == batch.known_analysis(photos[0]) == batch.known_analysis(photos[0])
    assert capsys.readouterr().err.count("analyses are not kept there") == 1


def test_another_version_of_the_detectors_does_not_answer(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyse_all(photos[:1], cache=tmp_path / "cache")
    monkeypatch.setattr(batch, "VERSION", "composition/other")
    assert analyse_all(photos[:1], cache=tmp_path / "cache").cached == 0


def test_workers_change_nothing(photos: list[Path], tmp_path: Path) -> None:
    assert analyse_all(photos, workers=2, cache=tmp_path / "cache") == analyse_all(photos)


def test_threads_do_not_mix_up_their_photos() -> None:
    """They shared the networks: guides exported by several threads showed the subjects of each other's photos."""
    photos = []
    for place in range(2):
        photo = Image.new("RGB", (300, 200), (200, 205, 210))
        ImageDraw.Draw(photo).ellipse((20 + 60 * place, 50, 75 + 60 * place, 105), fill=(180, 30, 40))
        photos.append(primitives(working_frame(photo)[0]))
    alone = [find_subjects(photo) for photo in photos]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(find_subjects, photos * 3))
    assert all(np.array_equal(one.saliency, other.saliency) for one, other in zip(together, alone * 3, strict=True))
    assert [one.found for one in together] == [other.found for other in alone * 3]


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", dict[int, object]().__getitem__)  # a container's user with no name
    with pytest.raises(EnvironmentProblem, match="XDG_CACHE_HOME"):
        batch.cache_folder()


def test_a_cache_that_cannot_be_written_stops_no_analysis(photos: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "cache" / batch.version()
    folder.parent.mkdir()
    folder.symlink_to("/proc")  # where nothing can be written, by nobody
    made = analyse_all(photos[:1], cache=tmp_path / "cache")
    assert (list(made.analyses), made.unreadable, made.cached) == (photos[:1], {}, 0)


def test_a_crop_of_a_sliver_is_a_sliver() -> None:
    measured = measure(Image.new("RGB", (1, 5000)))
    assert analyse_crop(measured, Box(0.0, 0.2, 1.0, 0.4)).wh == (1, 1000)
