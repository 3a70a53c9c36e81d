"""Every importer: one conformance test for all, and the traps of each data set under their names."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import ORDERS
from crop_reasoning.records import CropRecord, read_records
from data_builders.build import READERS, build_dataset
from data_builders.check import check_folder
from data_builders.gaicd import candidates
from tests.copies import COPIES, GAICD_WH, dump, options, photo, write_flms, write_hcic
from tests.shared import SHARED, needs_shared


def build(name: str, root: Path, out: Path, **more: Any) -> tuple[dict[str, Any], dict[str, CropRecord]]:
    manifest = build_dataset(name, root, out, {**options(name, root), **more})
    return manifest, {record.id: record for record in read_records(out)}


def reasons(manifest: dict[str, Any]) -> dict[str, str]:
    return {entry["item"]: entry["reason"] for entry in manifest["dropped"]}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "built"


@pytest.fixture(params=sorted(READERS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def root(name: str, tmp_path: Path) -> Path:
    return COPIES[name](tmp_path / name)


# --- what every importer must do


def test_every_reader_has_a_copy_to_be_tested_on() -> None:
    assert COPIES.keys() == READERS.keys()


def test_a_copy_becomes_records_that_check_finds_no_fault_in(name: str, root: Path, out: Path) -> None:
    manifest, records = build(name, root, out)
    assert records
    assert {record.dataset for record in records.values()} == {name}
    assert check_folder(out, deep=True).problems == []
    listed, kept = sum(manifest["listed"].values()), sum(manifest["counts"]["records"].values())
    assert kept == len(records)
    assert kept == listed  # nothing is wrong with these copies
    assert manifest["sources"]


def test_a_second_run_reads_no_photo_again_and_changes_no_byte(
    name: str, root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}

    build(name, root, out)
    before = contents()
    monkeypatch.setattr("data_builders.photos.inspect_photo", lambda path: pytest.fail(f"{path} was read again"))
    build(name, root, out, workers=3)
    assert contents() == before


def test_the_built_folder_loads_with_datasets(name: str, root: Path, out: Path) -> None:
    from datasets import load_dataset

    _, records = build(name, root, out)
    loaded = load_dataset(str(out), cache_dir=str(out.parent / "cache"))
    rows = [row for split in loaded.values() for row in split]
    assert {row["id"] for row in rows} == records.keys()
    for row in rows:
        record = records[row["id"]]
        assert isinstance(row["image"], Image.Image)
        assert row["image"].size == record.image.wh == tuple(row["wh"])
        assert [tuple(crop["box"]) for crop in row["crops"]] == [crop.box.xyxy for crop in record.crops]


def test_a_missing_photo_is_listed_and_comes_in_when_it_is_there(name: str, root: Path, out: Path) -> None:
    image = next(path for path in sorted(root.parent.rglob("*")) if path.suffix in {".jpg", ".jpeg"})
    if name == "hcic":
        image = root.parent / "flms" / "image" / "a_Large.jpg"
        image.unlink()
        with pytest.raises(DataError, match=r"not one of 1 listed photos can be used; .*a_Large\.jpg: missing"):
            build(name, root, out)
        return
    image.rename(root.parent / "elsewhere")
    manifest, _ = build(name, root, out)
    assert any(item.startswith(image.stem) for item in reasons(manifest)), reasons(manifest)
    assert "missing" in " ".join(reasons(manifest).values())
    (root.parent / "elsewhere").rename(image)
    assert build(name, root, out)[0]["dropped"] == []


def test_without_a_root_with_an_archive_and_with_another_folder_it_stops(name: str, tmp_path: Path, out: Path) -> None:
    with pytest.raises(RecipeError, match="--root DIR"):
        build_dataset(name, None, out, {})
    archive = tmp_path / "copy.zip"
    archive.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(DataError, match=r"copy.zip: is an archive; unpack it first"):
        build_dataset(name, archive, out, {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="missing"):
        build_dataset(name, tmp_path / "empty", out, {})
    assert not out.exists()


def test_copied_photos_make_the_folder_independent(name: str, root: Path, out: Path) -> None:
    _, records = build(name, root, out, copy=True)
    assert all((out / "images") in (out / record.image.path).parents for record in records.values())
    assert check_folder(out, deep=True).problems == []


# --- GAICD


def test_gaicd_boxes_are_row_first_and_unrated_candidates_are_no_crops(tmp_path: Path, out: Path) -> None:
    root = COPIES["gaicd_v1"](tmp_path / "g")
    manifest, records = build("gaicd_v1", root, out)
    record = records["gaicd_v1-211"]
    rows = [line.split() for line in (root / "annotations" / "211.txt").read_text().splitlines()]
    rated = [row for row in rows if row[4] != "-2.00"]
    assert len(rows) == 90
    assert 0 < len(rated) == len(record.crops) < 90
    assert manifest["unrated rows"] == 3 * (90 - len(rated))
    y1, x1, y2, x2, best = map(float, max(rated, key=lambda row: float(row[4])))
    assert record.crops[0].score == best
    assert record.best.xyxy == pytest.approx(
        (x1 / GAICD_WH[0], y1 / GAICD_WH[1], x2 / GAICD_WH[0], y2 / GAICD_WH[1]), abs=1e-6
    )


def test_a_gaicd_photo_of_another_size_is_known_by_its_grid(tmp_path: Path, out: Path) -> None:
    root = COPIES["gaicd_v1"](tmp_path / "g")
    photo(root / "images" / "train" / "211.jpg", 0, (340, 240))
    found = reasons(build("gaicd_v1", root, out)[0])
    assert found["211.jpg"].startswith("wrong size: box [")
    assert "is not on the grid of 340x240 px" in found["211.jpg"]


@pytest.mark.parametrize(("name", "other"), [("gaicd_v1", "gaicd_v2"), ("gaicd_v2", "gaicd_v1")])
def test_the_other_version_of_gaicd_is_named(name: str, other: str, tmp_path: Path, out: Path) -> None:
    with pytest.raises(DataError, match=f"build {other} from it"):
        build(name, COPIES[other](tmp_path / "g"), out)


def test_one_photo_in_two_splits_of_gaicd_stops_the_build(tmp_path: Path, out: Path) -> None:
    root = COPIES["gaicd_v1"](tmp_path / "g")
    photo(root / "images" / "test" / "211.jpg", 7)
    with pytest.raises(DataError, match=r"test/211.jpg is listed twice \(first in train as .*train/211.jpg\)"):
        build("gaicd_v1", root, out)


def test_a_broken_gaicd_row_and_a_missing_annotation_are_listed(tmp_path: Path, out: Path) -> None:
    root = COPIES["gaicd_v1"](tmp_path / "g")
    (root / "annotations" / "211.txt").write_text("1 2 3 4\n")
    (root / "annotations" / "212.txt").unlink()
    (root / "annotations" / "999.txt").write_text("")
    found = reasons(build("gaicd_v1", root, out)[0])
    assert found["211.jpg"] == "broken row: 211.txt:1: got ['1', '2', '3', '4'], expected 5 numbers"
    assert found["212.jpg"] == "no annotation: 212.txt"
    assert found["999.txt"] == "missing: no photo 999.* in images/"


@needs_shared
def test_every_list_of_gaicd_v1_is_its_photos_grid() -> None:
    """1,236 of 1,236: the rows of each file, in their order, follow from one of the sizes that fit its boxes."""
    folder = SHARED / "data" / "gaicd_v1"
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    exact = 0
    for entry in lines:
        rows = (folder / "annotations" / entry["file"].replace(".jpg", ".txt")).read_text().splitlines()
        boxes = [tuple(int(value) for value in row.split()[:4]) for row in rows if row.strip()]
        exact += any(candidates(tuple(wh)) == boxes for wh in entry["size_candidates_wh"])
    assert (exact, len(lines)) == (1236, 1236)


@needs_shared
def test_the_real_photos_of_gaicd_v1_are_read(out: Path) -> None:
    manifest, records = build("gaicd_v1", SHARED / "data" / "fixtures" / "GAICD_v1", out)
    assert Counter(record.split for record in records.values()) == {"train": 1, "test": 4}
    assert manifest["dropped"] == []
    assert manifest["unrated rows"] > 0
    assert check_folder(out, deep=True).problems == []


# --- FLMS


def test_flms_reads_the_mat_and_the_json_alike(tmp_path: Path, out: Path) -> None:
    _, from_json = build("flms", write_flms(tmp_path / "json"), out)
    manifest, from_mat = build("flms", write_flms(tmp_path / "mat", mat=True), tmp_path / "other")
    assert {key: record.crops for key, record in from_mat.items()} == {
        key: record.crops for key, record in from_json.items()
    }
    assert sum("a failed row" in reason for reason in reasons(manifest).values()) == 16
    assert {record.split for record in from_mat.values()} == {"test"}


def test_a_resized_copy_of_flms_is_read_by_the_sizes_of_the_originals(tmp_path: Path, out: Path) -> None:
    _, originals = build("flms", write_flms(tmp_path / "flms"), out)
    _, resized = build("flms", write_flms(tmp_path / "small", shrunk=4), tmp_path / "other")
    assert {key: record.crops for key, record in resized.items()} == {
        key: record.crops for key, record in originals.items()
    }
    (tmp_path / "flms").rename(tmp_path / "gone")
    write_hcic(tmp_path / "hcic")
    write_flms(tmp_path / "flms", shrunk=4)
    people = build("hcic", tmp_path / "hcic", tmp_path / "people")[1]["hcic-flms-a_Large"]
    assert people.subject is not None
    assert people.subject.xyxy == pytest.approx((60 / 320, 40 / 240, 120 / 320, 180 / 240), abs=1e-6)


def test_people_that_stand_beside_their_photos_stop_the_build(tmp_path: Path, out: Path) -> None:
    """HCIC's boxes are of the originals: on a copy that was made smaller they would lie anywhere."""
    root = write_hcic(tmp_path / "hcic")
    dump(root / "human_bboxes" / "FLMS" / "human_bboxes.json", {"a_Large.jpg": [400, 100, 600, 400]})
    with pytest.raises(DataError, match=r"the subjects of hcic: 1 of 1 boxes .* not of the size that was annotated"):
        build("hcic", root, out)


def test_flms_boxes_that_stand_out_are_clipped_and_inverted_ones_dropped(tmp_path: Path, out: Path) -> None:
    root = write_flms(tmp_path / "flms")
    good = [[5, 5, 300, 200 + k] for k in range(8)]
    dump(root / "image_crops.json", {"a_Large.jpg": [[0, 0, 320, 244], [300, 200, 20, 30], *good]})
    manifest, records = build("flms", root, out)
    assert manifest["clipped"] == [{"item": "a_Large.jpg", "overflow_px": 4}]
    assert reasons(manifest)["a_Large.jpg"] == "empty crop: [300, 200, 20, 30] (x1 y1 x2 y2)"
    assert len(records["flms-a_Large"].crops) == 9
    assert reasons(manifest)["b_Large.jpg"] == "not in image_crops.json"


@needs_shared
def test_the_real_photos_of_flms_are_read(out: Path) -> None:
    manifest, records = build("flms", SHARED / "data" / "fixtures" / "FLMS", out)
    assert [len(record.crops) for record in records.values()] == [9, 9, 10]
    assert [entry["overflow_px"] for entry in manifest["clipped"]] == [8]
    assert any("empty crop" in reason for reason in reasons(manifest).values())


# --- SACD, CPC, GNMC, KU-PCP, HCIC


def test_sacd_has_a_record_a_subject_and_its_mask_box_is_text_in_another_order(tmp_path: Path, out: Path) -> None:
    _, records = build("sacd", COPIES["sacd"](tmp_path / "s"), out)
    assert len(records) == 6
    record = records["sacd-p0_0"]
    assert record.subject is not None
    assert record.subject.xyxy == pytest.approx((100 / 320, 80 / 240, 160 / 320, 130 / 240), abs=1e-6)
    assert [crop.source for crop in record.crops] == ["best", "expert"]
    assert len({crop.score for crop in record.crops}) == 1  # all are truths


def test_sacd_annotations_that_are_broken_are_listed(tmp_path: Path, out: Path) -> None:
    root = COPIES["sacd"](tmp_path / "s")
    dump(root / "annotations" / "p0_0.json", {"mask_box": "[1, 2", "best_box": [[0, 0, 9, 9]], "crop_box": []})
    dump(root / "annotations" / "p0_1.json", {"mask_box": "[1, 2, 3, 4]"})
    (root / "annotations" / "p1_0.json").unlink()
    found = reasons(build("sacd", root, out)[0])
    assert found["annotations/p0_0.json"].startswith("broken annotation: mask_box: got '[1, 2'")
    assert found["annotations/p0_1.json"].startswith("broken annotation: field 'best_box' is missing")
    assert found["annotations/p1_0.json"].startswith("missing")


def test_cpc_json_in_json_is_read_and_scores_are_means_over_raters(tmp_path: Path, out: Path) -> None:
    root = COPIES["cpc"](tmp_path / "c")
    _, records = build("cpc", root, out)
    crops = records["cpc-0"].crops
    assert len(crops) == 24
    assert [crop.score for crop in crops] == sorted((crop.score for crop in crops), reverse=True)
    once = root / "CollectedAnnotationsRaw" / "0.jpg.txt"
    once.write_text(json.loads(once.read_text()))
    assert build("cpc", root, out.with_name("again"))[1]["cpc-0"].crops == crops


def test_gnmc_has_a_record_a_ratio(tmp_path: Path, out: Path) -> None:
    _, records = build("gnmc", COPIES["gnmc"](tmp_path / "g"), out)
    assert {record.aspect for record in records.values()} == {(16, 9), (1, 1)}
    assert records["gnmc-train-0-16x9"].best.xyxy == (0.0, 0.1, 1.0, 0.85)
    assert {record.task for record in records.values()} == {"aspect"}


def test_kupcp_labels_follow_the_number_in_a_photos_name(tmp_path: Path, out: Path) -> None:
    root = COPIES["kupcp"](tmp_path / "k")
    (root / "train_img" / "1.jpg").unlink()
    manifest, records = build("kupcp", root, out)
    assert records["kupcp-train-2"].scene == {"composition": ["horizontal", "symmetric"]}
    assert reasons(manifest) == {"1.jpg": "missing: no such file"}
    (root / "train_label.txt").write_text("1 0 0 0 0 0 0 0 0\n")
    with pytest.raises(DataError, match="1 lines, but there is a photo 2"):
        build("kupcp", root, out)


def test_hcic_gives_a_person_to_the_photos_of_the_data_set_it_is_joined_to(tmp_path: Path, out: Path) -> None:
    root = write_hcic(tmp_path / "hcic")
    _, records = build("hcic", root, out)
    record = records["hcic-flms-a_Large"]
    assert record.subject is not None
    assert record.subject.xyxy == pytest.approx((60 / 320, 40 / 240, 120 / 320, 180 / 240), abs=1e-6)
    assert len(record.crops) == 3
    with pytest.raises(RecipeError, match="join the data sets they belong to with --join NAME=DIR"):
        build_dataset("hcic", root, tmp_path / "none", {})


# --- boxes in another order than the data set's


@pytest.mark.parametrize("order", [order for order in ORDERS if order != "x1 y1 x2 y2"])
def test_boxes_in_another_order_stop_the_build_and_name_it(order: str, tmp_path: Path, out: Path) -> None:
    rows = {"x y w h": [250, 150, 60, 80], "y1 x1 y2 x2": [10, 250, 60, 310]}
    root = write_flms(tmp_path / "flms")
    dump(root / "image_crops.json", {name: [rows[order]] * 4 for name in ("a_Large.jpg", "b_Large.jpg")})
    with pytest.raises(DataError, match=f"read as {order}, 8 lie inside, so that is the likely order"):
        build("flms", root, out)
