"""The FCDB builder: official and resized layout, and what becomes of every kind of bad photo and annotation."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from itertools import cycle
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from PIL import Image

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import WHOLE, centered, iou
from crop_reasoning.records import read_pairs, read_records
from data_builders import photos as photo_files
from data_builders.build import build_dataset
from data_builders.orders import ORDERS, SLACK_PX, refuse_wrong_order
from data_builders.stats import pair_stats
from tests.fcdb_copy import BOX, CROP, TEST_IDS, TRAIN_IDS, WH, dump, edit, file_of, picture, write_fcdb
from tests.shared import SHARED, needs_shared

TRAINING, RANKING = "cropping_training_set.json", "ranking_annotation.json"
FIRST = file_of(TRAIN_IDS[0])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_fcdb(tmp_path / "FCDB")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "built"


def build(root: Path | None, out: Path, **options: Any) -> dict[str, Any]:
    return build_dataset("fcdb", root, out, options)


def reasons(report: dict[str, Any]) -> dict[str, str]:
    return {entry["item"]: entry["reason"] for entry in report["dropped"]}


def test_official_layout_becomes_records_and_pairs(root: Path, out: Path) -> None:
    report = build(root, out)
    records = read_records(out)
    assert [record.id for record in records] == [f"fcdb-{photo_id}" for photo_id in [*TRAIN_IDS, *TEST_IDS]]
    assert Counter(record.split for record in records) == {"train": 7, "val": 1, "test": 2}
    assert all(record.best.xyxy == BOX and record.image.wh == WH for record in records)
    assert all((out / record.image.path).is_file() and not Path(record.image.path).is_absolute() for record in records)
    assert report["dropped"] == report["clipped"] == []
    assert report["listed"] == {"train": 8, "test": 2}
    assert report["official"] == {"train": 1369, "test": 345}
    assert report["ranked_photos_without_split"] == 1


def test_the_majority_is_chosen_and_the_margin_is_its_lead(root: Path, out: Path) -> None:
    build(root, out)
    second_wins, first_wins = read_pairs(out)[:2]
    assert second_wins.chosen.xyxy == (0.2, 0.2, 1.0, 1.0)
    assert second_wins.margin == 0.6
    assert first_wins.chosen.xyxy == (0.25, 0.25, 0.75, 0.75)
    assert first_wins.margin == 1.0
    assert len(read_pairs(out, "test")) == 2 * len(TEST_IDS)


def test_a_resized_copy_is_normalised_by_the_originals_size(tmp_path: Path, out: Path) -> None:
    build(write_fcdb(tmp_path / "copy", resized=(0.5, 0.31, 1.0)), out)
    records = read_records(out)
    assert len(records) == 10
    assert {record.best.xyxy for record in records} == {BOX}
    assert {record.image.wh for record in records} == {(200, 150), (124, 93), (400, 300)}


def test_resized_photos_without_their_originals_sizes_stop_the_build(root: Path, out: Path) -> None:
    for path in (root / "data").iterdir():
        Image.open(path).resize((160, 120)).save(path)
    with pytest.raises(DataError, match="no other order explains it: the photos are probably not of the size"):
        build(root, out)
    assert not (out / "records.jsonl").exists()


@pytest.mark.parametrize(("order", "name"), [((0, 1, 2, 3), "x1 y1 x2 y2"), ((1, 0, 3, 2), "y1 x1 y2 x2")])
def test_annotations_in_another_order_stop_the_build_and_name_it(
    root: Path, out: Path, order: tuple[int, ...], name: str
) -> None:
    crops = cycle([[150, 20, 390, 160], [60, 120, 300, 290], [200, 150, 400, 300]])

    def reorder(entries: list[dict[str, Any]]) -> None:
        for entry, xyxy in zip(entries, crops, strict=False):
            entry["crop"] = [xyxy[position] for position in order]

    edit(root / TRAINING, reorder)
    edit(root / "cropping_testing_set.json", reorder)
    with pytest.raises(DataError, match=f"lie outside their photos; read as {name}, 10 lie inside"):
        build(root, out)
    assert not (out / "records.jsonl").exists()


@pytest.mark.parametrize("overflow", [SLACK_PX, SLACK_PX + 1])
def test_a_pixel_of_overflow_does_not_hide_the_order_of_a_small_copy(root: Path, out: Path, overflow: int) -> None:
    """Half of the boxes stand out, as the released ones do now and then: clipped in any order, or in none."""

    def reorder(entries: list[dict[str, Any]]) -> None:
        for entry, xyxy in zip(entries, cycle([[150, -1, 400 + overflow, 160], [60, 120, 300, 290]]), strict=False):
            entry["crop"] = xyxy

    for name in (TRAINING, "cropping_testing_set.json"):
        edit(root / name, reorder)
    verdict = "read as x1 y1 x2 y2, 10 lie inside" if overflow == SLACK_PX else "no other order explains it"
    with pytest.raises(DataError, match=verdict):
        build(root, out)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_judged_with_the_slack_of_the_builder(order: str) -> None:
    written = {"x y w h": [-2, 0, 404, 302], "x1 y1 x2 y2": [100, -2, 402, 302], "y1 x1 y2 x2": [0, -2, 302, 402]}
    samples = [(written[order], WH, "a.jpg")] * 10
    other = "x y w h" if order == "y1 x1 y2 x2" else "y1 x1 y2 x2"
    with pytest.raises(DataError, match=f"read as {order}, 10 lie inside"):
        refuse_wrong_order(samples, other, "here", ["a.json"])


def test_a_ranking_file_in_another_order_is_named(root: Path, out: Path) -> None:
    def reorder(entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            for pair in entry["crops"]:
                pair["crop_0"], pair["crop_1"] = [150, 20, 390, 160], [200, 150, 400, 300]

    edit(root / RANKING, reorder)
    with pytest.raises(
        DataError, match=r"the ranked pairs of fcdb: \d+ of 40 boxes .* likely order: write them as x y w h"
    ):
        build(root, out)


def test_missing_cut_and_foreign_files_are_listed_with_the_reason(root: Path, out: Path) -> None:
    files = [root / "data" / file_of(photo_id) for photo_id in TRAIN_IDS]
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:1500])
    files[2].write_text("<html>410 Gone</html>")
    files[3].write_bytes(b"")
    report = build(root, out)
    found = reasons(report)
    assert found.keys() == {file.name for file in files[:4]}
    assert found[files[0].name] == "missing: no such file"
    assert "truncated" in found[files[1].name]
    assert "not an image" in found[files[2].name]
    assert "not an image" in found[files[3].name]
    assert len(read_records(out)) == 6
    assert len(read_pairs(out)) == 12


def test_a_known_placeholder_is_found_by_its_sha1(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha1 = hashlib.sha1((root / "data" / FIRST).read_bytes()).hexdigest()
    monkeypatch.setattr(photo_files, "FLICKR_PLACEHOLDERS", (sha1,))
    assert reasons(build(root, out)) == {FIRST: "Flickr's placeholder for a removed photo"}


def test_an_unknown_placeholder_is_found_by_its_copies(root: Path, out: Path) -> None:
    second = file_of(TRAIN_IDS[1])
    shutil.copy(root / "data" / FIRST, root / "data" / second)
    found = reasons(build(root, out))
    assert found == dict.fromkeys((FIRST, second), "2 photos have these very bytes: a placeholder or a copy")


def test_two_pixels_of_overflow_are_clipped_and_three_are_a_wrong_size(root: Path, out: Path) -> None:
    def overflow(entries: list[dict[str, Any]]) -> None:
        entries[0]["crop"] = [202, 100, 200, 201]
        entries[1]["crop"] = [-1, 0, 200, 303]

    edit(root / TRAINING, overflow)
    report = build(root, out)
    assert report["clipped"] == [{"item": FIRST, "overflow_px": 2}]
    assert read_records(out)[0].best.xyxy == (0.505, 0.333333, 1.0, 1.0)
    reason = reasons(report)[file_of(TRAIN_IDS[1])]
    assert (
        reason == "wrong size: crop [-1, 0, 200, 303] (x y w h) stands 3 px out of 400x300 px; not the original photo?"
    )


def test_a_photo_of_another_size_is_known_by_its_ranked_crops(root: Path, out: Path) -> None:
    picture(0, (360, 270)).save(root / "data" / FIRST)  # its expert crop still lies inside
    assert reasons(build(root, out))[FIRST].startswith("wrong size: crop [80, 60, 320, 240]")


def test_a_resized_photo_of_another_aspect_is_a_wrong_size(tmp_path: Path, out: Path) -> None:
    root = write_fcdb(tmp_path / "copy", resized=(0.5,))
    picture(0, (200, 160)).save(root / "images_512" / FIRST)
    reason = reasons(build(root, out))[FIRST]
    assert reason == "wrong size: 200x160 px is no resized copy of the original's 400x300 px"


def test_a_resized_photo_without_its_originals_size_is_listed(tmp_path: Path, out: Path) -> None:
    root = write_fcdb(tmp_path / "copy", resized=(0.5,))
    lines = (root / "manifest.jsonl").read_text().splitlines(keepends=True)
    (root / "manifest.jsonl").write_text("".join(lines[1:]))
    assert reasons(build(root, out)) == {FIRST: "not in manifest.jsonl: the size of the original is unknown"}


def test_pairs_without_a_winner_and_empty_crops_are_listed(root: Path, out: Path) -> None:
    def spoil(entries: list[dict[str, Any]]) -> None:
        entries[0]["crops"][0].update(vote_for_0=2, vote_for_1=2)
        entries[0]["crops"][1]["crop_1"] = [10, 10, 0, 50]

    edit(root / RANKING, spoil)
    found = reasons(build(root, out))
    assert found[f"{FIRST} pair 0"].startswith("no winner: votes 2-2")
    assert found[f"{FIRST} pair 1"] == "empty crop: [10, 10, 0, 50] (x y w h)"
    assert len(read_pairs(out)) == 18
    assert len(read_records(out)) == 10


def test_a_photo_turned_by_exif_is_measured_upright(root: Path, out: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(0).transpose(Image.Transpose.ROTATE_90).save(root / "data" / FIRST, exif=exif)
    report = build(root, out)
    assert report["dropped"] == []
    assert read_records(out)[0].image.wh == WH


def test_greyscale_photos_are_photos(root: Path, out: Path) -> None:
    picture(0).convert("L").save(root / "data" / FIRST)
    assert build(root, out)["dropped"] == []


@pytest.mark.parametrize("name", [TRAINING, "cropping_testing_set.json", RANKING, "data"])
def test_a_missing_file_is_named_with_what_is_expected_where(root: Path, out: Path, name: str) -> None:
    (root / name).rename(root / "elsewhere")
    with pytest.raises(DataError, match=f"{name}: .*expected"):
        build(root, out)


def test_a_missing_copy_or_size_list_is_named(tmp_path: Path, out: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder; expected your copy of FCDB"):
        build(tmp_path / "nowhere", out)
    with pytest.raises(RecipeError, match="--root DIR"):
        build(None, out)
    root = write_fcdb(tmp_path / "copy", resized=(0.5,))
    (root / "manifest.jsonl").unlink()
    with pytest.raises(DataError, match=r"manifest.jsonl: missing; expected the originals' sizes"):
        build(root, out)


def test_broken_annotation_files_are_named_with_the_entry(root: Path, out: Path) -> None:
    entries = json.loads((root / TRAINING).read_text())
    dump(root / TRAINING, [*entries, {"url": entries[0]["url"], "flickr_photo_id": 1, "crop": CROP[:3]}])
    with pytest.raises(DataError, match=r"entry 8: .*expected \{url, flickr_photo_id, crop: \[x, y, w, h\]\}"):
        build(root, out)
    dump(root / TRAINING, [*entries, entries[0]])
    with pytest.raises(DataError, match=rf"entry 8: {FIRST} \(first in train\) is listed twice"):
        build(root, out)
    (root / TRAINING).write_text('[{"url": "htt')
    with pytest.raises(DataError, match="not JSON"):
        build(root, out)


def test_no_usable_photo_at_all_is_an_error(root: Path, out: Path) -> None:
    for path in (root / "data").iterdir():
        path.write_bytes(b"gone")
    with pytest.raises(DataError, match=f"not one of 10 listed photos can be used; the first, {FIRST}"):
        build(root, out)
    assert not (out / "records.jsonl").exists()


def test_a_second_run_changes_no_byte_with_any_number_of_workers(root: Path, out: Path) -> None:
    (root / "data" / FIRST).unlink()

    def built(workers: int) -> dict[str, bytes]:
        build_dataset("fcdb", root, out, {"workers": workers})
        return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}

    first = built(1)
    assert first.keys() == {
        "README.md", "manifest.json", "pair_rationales.jsonl", "pairs.jsonl", "photos.journal", "rationales.jsonl",
        "records.jsonl"
    }  # fmt: skip
    assert built(3) == first


def test_copied_photos_make_the_folder_independent(root: Path, out: Path) -> None:
    build(root, out, copy=True)
    shutil.rmtree(root)
    moved = out.rename(out.with_name("moved"))
    for record in read_records(moved):
        assert record.image.path == f"images/{record.split}/{record.id.removeprefix('fcdb-')}_c.jpg"
        assert hashlib.sha256((moved / record.image.path).read_bytes()).hexdigest() == record.image.sha256


@needs_shared
def test_the_real_fixture_of_the_official_layout(out: Path) -> None:
    report = build(SHARED / "data" / "fixtures" / "FCDB", out)
    assert reasons(report) == {"15178025181_f6b476942a_c.jpg": "Flickr's placeholder for a removed photo"}
    assert report["clipped"] == [{"item": "6099740343_ecaaf53945_b.jpg", "overflow_px": 1}]
    assert len(read_records(out)) == 4
    assert len(read_pairs(out)) == 40


@needs_shared
def test_the_published_figures_follow_from_the_records(tmp_path: Path, out: Path) -> None:
    report = build(SHARED / "data" / "fcdb", out)
    records = read_records(out)
    test = [record.best for record in records if record.split == "test"]
    pairs = pair_stats(read_pairs(out, "test"))
    assert len(records) == 1669
    assert len(read_pairs(out)) == 16690
    assert len(test) == 334
    assert sum(record.split == "val" for record in records) == pytest.approx(133, abs=20)
    assert (len(report["dropped"]), len(report["clipped"]), report["ranked_photos_without_split"]) == (45, 19, 1648)
    assert fmean(iou(WHOLE, box) for box in test) == pytest.approx(0.640, abs=6e-4)
    assert fmean(iou(centered(0.9), box) for box in test) == pytest.approx(0.666, abs=6e-4)
    assert pairs["pairs"] == 3340
    assert pairs["bigger wins, unequal size"] == {"n": 2004, "right": pytest.approx(0.797, abs=6e-4)}
    assert pairs["center wins, equal size"] == {"n": 1336, "right": pytest.approx(0.544, abs=6e-4)}
    build(SHARED / "data" / "fixtures" / "FCDB", tmp_path / "originals")
    resized = {record.id: record.best for record in records}
    for record in read_records(tmp_path / "originals"):  # four photos in their true size: the same boxes, exactly
        assert resized[record.id] == record.best
