"""Copies of benchmark photos in a training set: what is found, what is not, and what the clean copy holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from crop_reasoning.errors import Interrupted
from crop_reasoning.images import load_upright
from crop_reasoning.reasoning.store import read_pair_rationales, read_rationales
from crop_reasoning.records import read_pairs, read_records
from data_builders.build import build_dataset
from data_builders.check import check_folder
from data_builders.perceptual import JOURNAL, RULE, correlation, hashes, read_thumbnails, same_pictures, thumbnail
from tests.copies import photo
from tests.fcdb_copy import TEST_IDS, TRAIN_IDS, file_of, write_fcdb
from tests.shared import SHARED, needs_shared
from tests.verbs import refused, run


def scene(index: int, wh: tuple[int, int] = (320, 240)) -> Image.Image:
    """A soft picture of its own with a few large shapes, as photographs have."""
    noise = np.random.default_rng(index).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(wh, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(4))


def report_of(*args: str | Path) -> dict[str, Any]:
    result = run("decontaminate", *args, "--json")
    assert result.exit_code == 0, result.exception
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """FCDB with photos that differ from each other as photographs do."""
    root = write_fcdb(tmp_path / "FCDB")
    for index, photo_id in enumerate([*TRAIN_IDS, *TEST_IDS]):
        scene(index, (400, 300)).save(root / "data" / file_of(photo_id), quality=90)
    return root


@pytest.fixture
def built(root: Path, tmp_path: Path) -> Path:
    build_dataset("fcdb", root, tmp_path / "built", {})
    return tmp_path / "built"


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """A folder of photos in a folder, nothing known of them."""
    folder = tmp_path / "benchmark"
    for index in range(100, 104):
        photo(folder / "image" / f"{index}.jpg", index)
    return folder


# --- what counts as the same picture


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "smaller": lambda image: image.resize((80, 60)),
    "larger": lambda image: image.resize((640, 480)),
    "brighter": lambda image: image.point(lambda value: round(255 * (value / 255) ** 0.8)),
    "grey": lambda image: image.convert("L"),
    "mirrored": ImageOps.mirror,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_found(name: str) -> None:
    originals = {str(index): thumbnail(scene(index)) for index in range(30)}
    copies = {f"copy {index}": thumbnail(CHANGES[name](scene(index))) for index in range(30)}
    found = same_pictures(originals, copies)
    assert sorted(found) == sorted((str(index), f"copy {index}") for index in range(30))
    assert {likeness.mirrored for likeness in found.values()} == {name == "mirrored"}


def test_different_pictures_are_not_taken_for_each_other() -> None:
    pictures = {str(index): thumbnail(scene(index)) for index in range(200)}
    assert sorted(same_pictures(pictures, pictures)) == sorted((name, name) for name in pictures)


def faint(seed: int) -> Any:
    return thumbnail(scene(seed)).astype(float) / 64


SKY, WAVE = np.linspace(180, 40, 32)[:, None] * np.ones(32), np.cos(np.pi / 4 * (np.arange(32) + 0.5))
SLOPE, CHECKS = np.linspace(-40, 40, 32), 60 * (-1) ** np.add.outer(np.arange(32), np.arange(32))
SKIES = {
    "gradients": (SKY + faint(0), SKY + faint(0) + 8 * WAVE),  # a ripple between the frequencies that are looked at
    "frequencies": (SKY + SLOPE + faint(0), SKY + SLOPE + faint(1)),  # brighter to the right, clouds that are faint
    "pixels": (100 + faint(0) * 4, 100 + faint(0) * 4 + CHECKS),  # a fence before it
}


@pytest.mark.parametrize("differing", SKIES)
def test_skies_that_agree_in_all_but_one_are_told_apart(differing: str) -> None:
    first, second = (np.clip(sky, 0, 255).round().astype(np.uint8) for sky in SKIES[differing])
    gradient, frequency = np.bitwise_count(hashes(first[None])[0] ^ hashes(second[None])[0]).tolist()
    agree = {
        "gradients": gradient <= RULE["gradient_bits"],
        "frequencies": frequency <= RULE["frequency_bits"],
        "pixels": correlation(first, second) >= RULE["correlation"],
    }
    assert [name for name, yes in agree.items() if not yes] == [differing]
    assert not same_pictures({"a": first}, {"b": second})


def test_pictures_of_one_grey_are_the_same_only_as_files() -> None:
    white, black = np.full((32, 32), 255, np.uint8), np.zeros((32, 32), np.uint8)
    found = same_pictures({"white": white, "black": black}, {"white": white, "black": black})
    assert sorted(found) == [("black", "black"), ("white", "white")]


@given(st.integers(0, 2**32 - 1))
def test_a_hash_does_not_depend_on_brightness_contrast_or_company(seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 120, (3, 32, 32), dtype=np.uint8)
    alone = np.concatenate([hashes(one[None]) for one in grey])
    assert (hashes(grey) == alone).all()
    assert np.bitwise_count(hashes(2 * grey + 10) ^ alone).max() <= 1  # where two means are equal, rounding decides


def test_comparing_in_parts_finds_what_comparing_at_once_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {str(index): thumbnail(scene(index % 7)) for index in range(20)}
    whole = same_pictures(pictures, pictures)
    monkeypatch.setattr("data_builders.perceptual._COMPARED_AT_ONCE", 45)
    monkeypatch.setattr("data_builders.perceptual._HASHED_AT_ONCE", 3)
    assert same_pictures(pictures, pictures) == whole
    assert len(whole) == 20 + sum(
        index % 7 == other % 7 for index in range(20) for other in range(20) if index != other
    )


# --- the verb


def test_changed_copies_are_listed_and_left_out_with_all_that_belongs_to_them(
    root: Path, built: Path, benchmark: Path, tmp_path: Path
) -> None:
    train, val = (next(one for one in read_records(built) if one.split == split) for split in ("train", "val"))
    load_upright(built / train.image.path).resize((200, 150)).save(benchmark / "image" / "small.jpg", quality=40)
    turned = ImageOps.mirror(load_upright(built / val.image.path)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    turned.save(benchmark / "turned.png", exif=exif)
    clean = tmp_path / "clean"
    report = report_of(built, "--against", benchmark, "--out", clean)
    found = {entry["id"]: entry["copies"][0] for entry in report["excluded"]}
    assert found.keys() == {train.id, val.id}
    assert found[train.id]["benchmark_photo"] == "image/small.jpg"
    assert (found[train.id]["mirrored"], found[val.id]["mirrored"]) == (False, True)
    assert found[train.id]["correlation"] > 0.95
    assert report["compared"] == {"train and val photos": 8, str(benchmark): 6}
    assert json.loads((clean / "exclusions.json").read_text()) == report
    assert check_folder(clean, deep=True).problems == []
    kept = {record.id for record in read_records(built)} - found.keys()
    assert {record.id for record in read_records(clean)} == kept == read_rationales(clean).keys()
    assert {pair.record_id for pair in read_pairs(clean)} == kept
    assert len(read_pair_rationales(clean)) == len(read_pairs(clean)) == len(read_pairs(built)) - 4
    manifest = json.loads((clean / "manifest.json").read_text())
    assert {entry["item"] for entry in manifest["excluded"]} == found.keys()
    assert "shows what image/small.jpg of" in manifest["excluded"][0]["reason"]
    assert manifest["made_from"]["folder"] == "../built"
    assert sum(manifest["counts"]["records"].values()) == len(kept)


def test_a_built_benchmark_counts_with_its_test_photos_alone(root: Path, built: Path, tmp_path: Path) -> None:
    test = next(record for record in read_records(built) if record.split == "test")
    train = [record for record in read_records(built) if record.split == "train"]
    load_upright(built / test.image.path).save(built / train[0].image.path, quality=40)
    load_upright(built / train[1].image.path).save(built / train[2].image.path, quality=40)
    build_dataset("fcdb", root, tmp_path / "again", {})
    report = report_of(tmp_path / "again", "--against", tmp_path / "again")
    assert [entry["id"] for entry in report["excluded"]] == [train[0].id]
    assert report["compared"][str(tmp_path / "again")] == 2


def test_the_same_file_is_found_whatever_it_shows(root: Path, benchmark: Path, tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "white").save(root / "data" / file_of(TRAIN_IDS[0]))
    build_dataset("fcdb", root, tmp_path / "white", {})
    (benchmark / "w.jpg").write_bytes((root / "data" / file_of(TRAIN_IDS[0])).read_bytes())
    (entry,) = report_of(tmp_path / "white", "--against", benchmark)["excluded"]
    assert entry["copies"][0]["same_file"]


def test_without_out_nothing_but_the_journal_is_written(built: Path, benchmark: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (benchmark / "broken.jpg").write_bytes(b"no photo")
    result = run("decontaminate", built, "--against", benchmark)
    assert "0 photos of 0 records" in result.stdout
    assert "1 photos or folders of the benchmarks cannot be read" in result.stdout
    (benchmark / "broken.jpg").unlink()
    (built / JOURNAL).unlink()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_photos_that_two_benchmarks_share_are_told(built: Path, benchmark: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    load_upright(benchmark / "image" / "101.jpg").resize((200, 150)).save(other / "copy.png")
    (shared,) = report_of(built, "--against", benchmark, "--against", other)["shared_by_benchmarks"]
    assert (Path(shared["photo"]).name, shared["benchmark_photo"]) == ("101.jpg", "copy.png")


def test_a_second_run_reads_no_photo_and_changes_no_byte(
    built: Path, benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_upright(built / read_records(built, "train")[0].image.path).save(benchmark / "copy.png")
    run("decontaminate", built, "--against", benchmark, "--out", tmp_path / "clean")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("data_builders.perceptual._look", lambda *_: pytest.fail("a photo was read again"))
    assert run("decontaminate", built, "--against", benchmark, "--out", tmp_path / "clean").exit_code == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_stopped_by_hand_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import data_builders.perceptual as perceptual
    from crop_reasoning.images import sha256_of

    files = [photo(tmp_path / f"{index}.jpg", index) for index in range(12)]
    photos = {sha256_of(path): path for path in files}
    look, read = perceptual._look, []
    stop = threading.Event()

    def looked(sha256: str, path: Path) -> Any:
        read.append(path)
        if path == files[5] and not stop.is_set():
            stop.set()
            raise KeyboardInterrupt
        return look(sha256, path)

    monkeypatch.setattr(perceptual, "_look", looked)
    with pytest.raises(Interrupted, match="run it again"):
        read_thumbnails(photos, tmp_path / JOURNAL)
    read.clear()
    found, reasons = read_thumbnails(photos, tmp_path / JOURNAL)
    assert list(found) == list(photos)
    assert reasons == {}
    assert sorted(read) == sorted(files[5:])


def test_a_folder_that_cannot_be_written_is_compared_without_a_journal(
    built: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / JOURNAL).mkdir()
    result = run("decontaminate", built, "--against", benchmark)
    assert result.exit_code == 0, result.exception
    assert "not written" in result.stderr


def test_what_cannot_be_compared_is_refused_in_a_sentence(built: Path, benchmark: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nothing = refused("decontaminate", built, "--against", tmp_path / "empty")
    assert (nothing.exit_code, "neither records.jsonl nor a readable photo" in str(nothing)) == (3, True)
    own = refused("decontaminate", built, "--against", tmp_path / "FCDB", "--out", tmp_path / "clean")
    assert "all 8 train and val records would be left out" in str(own)
    assert "needs another --out" in str(refused("decontaminate", built, "--against", benchmark, "--out", built))
    taken = refused("decontaminate", built, "--against", benchmark, "--out", benchmark)
    assert "holds something else already" in str(taken)
    (built / JOURNAL).unlink()
    photo(built / read_records(built)[0].image.path, 77)
    changed = refused("decontaminate", built, "--against", benchmark)
    assert "is not the one recorded (sha256 differs); 1 of 8 photos" in str(changed)
    (built / read_records(built)[0].image.path).unlink()
    assert "No such file" in str(refused("decontaminate", built, "--against", benchmark))
    assert not (tmp_path / "clean").exists()


def test_a_benchmark_without_test_photos_is_refused(built: Path, tmp_path: Path) -> None:
    from tests.copies import write_cpc

    build_dataset("cpc", write_cpc(tmp_path / "cpc"), tmp_path / "train only", {})
    assert "has no test record" in str(refused("decontaminate", built, "--against", tmp_path / "train only"))


@needs_shared
def test_fcdb_photos_are_found_in_the_copy_that_was_made_smaller() -> None:
    """Real photos: the released files of some, against all 1,669 at 512 px; each is found once."""
    from data_builders.sources import photos_in

    originals = {path.name: thumbnail(load_upright(path)) for path in photos_in(SHARED / "data/fixtures/FCDB/data")}
    resized = SHARED / "data" / "fcdb" / "images_512"
    names = sorted(path.name for path in resized.iterdir())
    near = {name for name in originals if name in names}
    others = {name: thumbnail(load_upright(resized / name)) for name in [*near, *names[::20]]}
    found = same_pictures(originals, others)
    assert len(near) > 3
    assert sorted(found) == sorted((name, name) for name in near)
