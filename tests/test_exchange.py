"""`data export coco | label-studio` and `data import`: others can read what goes out, and it comes back the same."""

from __future__ import annotations

import copy
import json
import tempfile
import xml.etree.ElementTree as Xml
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crop_reasoning.geometry import Box
from crop_reasoning.images import sha256_of
from crop_reasoning.records import SPLITS, ScoredCrop, read_records, to_json, write_jsonl
from data_builders.check import check_folder
from data_builders.export_label_studio import CONFIG, export_label_studio
from data_builders.label_studio import CHANGED, read
from tests.copies import COPIES, WH, dump, photo
from tests.exchange import brought_back, exported, labelled, make_folder, plain_folder, reasons, regions
from tests.shared import SHARED, needs_shared
from tests.strategies import boxes
from tests.verbs import refused, run


def told(*args: str | Path) -> str:
    return str(refused(*args))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return plain_folder(tmp_path / "built")


def test_what_nobody_changed_comes_back_as_it_was(built: Path) -> None:
    before = {record.id: to_json(record) for record in read_records(built)}
    manifest, after = brought_back(built, labelled(exported(built)))
    assert manifest["dropped"] == manifest["clipped"] == []
    assert CHANGED not in manifest
    found = {key: to_json(record) for key, record in after.items()}
    for values in (*before.values(), *found.values()):
        values["image"].pop("path")  # another folder, the same file: its sha256 and size stay
    assert found == before
    assert check_folder(built.parent / "back", deep=True).problems == []


@given(st.lists(st.tuples(boxes(), st.floats(-5, 5)), min_size=1, max_size=5), boxes(), st.sampled_from(SPLITS))
def test_any_boxes_scores_and_splits_survive_the_way_there_and_back(
    crops: list[tuple[Box, float]], subject: Box, split: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        scored = tuple(ScoredCrop(box, score, "expert") for box, score in crops)
        built = make_folder(Path(place) / "built", [{"split": split, "crops": scored, "subject": subject}])
        export_label_studio(built, built.parent / "tasks.json")
        dump(built.parent / "done.json", labelled(json.loads((built.parent / "tasks.json").read_text())))
        before = read_records(built)[0]
        listed = read(built.parent / "done.json", images=str(built / "photos"))[0].listed[0]
        assert (listed.id, listed.split) == (before.id, split)
        assert [(crop.score, crop.source) for crop in listed.crops] == [(crop.score, "expert") for crop in before.crops]
        for found, crop in zip(listed.crops, before.crops, strict=True):
            assert found.values == pytest.approx(crop.box.xyxy, abs=1e-6)
        assert before.subject is not None
        assert listed.subject == pytest.approx(before.subject.xyxy, abs=1e-6)


@given(boxes())
def test_a_rectangle_drawn_by_hand_is_read_within_a_millionth(box: Box) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = COPIES["label_studio"](Path(place) / "project")
        tasks = json.loads(root.read_text())
        value = {"x": 100 * box.x1, "y": 100 * box.y1, "width": 100 * box.width, "height": 100 * box.height}
        regions(tasks[0])[0]["value"] |= value
        dump(root, tasks)
        assert read(root)[0].listed[0].crops[0].values == pytest.approx(box.xyxy, abs=1e-6)


def test_a_crop_moved_by_hand_replaces_the_old_one_and_counts_as_the_best(built: Path) -> None:
    tasks = labelled(exported(built))
    regions(tasks[0])[0]["value"] |= {"x": 12.0}
    del regions(tasks[2])[1]
    _, records = brought_back(built, tasks)
    best, other = records["r0"].crops
    assert best.box.xyxy == pytest.approx((0.12, 0.2, 0.62, 0.8), abs=1e-6)
    assert (best.score, best.source) == (4.5, "annotator 3")
    assert (other.box.is_whole, other.score, other.source) == (True, 2.0, "expert")
    assert len(records["r2"].crops) == 1


def test_several_annotators_give_several_crops_of_equal_score_under_their_ids(tmp_path: Path) -> None:
    root = COPIES["label_studio"](tmp_path / "project")
    tasks = json.loads(root.read_text())
    second = copy.deepcopy(tasks[0]["annotations"][0]) | {"completed_by": {"id": 9, "email": "a@b.c"}}
    second["result"][0]["value"]["x"] = 30
    tasks[0]["annotations"].append(second)
    dump(root, tasks)
    assert run("import", "label-studio", root, "--out", tmp_path / "out").exit_code == 0
    record = read_records(tmp_path / "out")[0]
    assert [(crop.source, crop.score) for crop in record.crops] == [("annotator 7", 1.0), ("annotator 9", 1.0)]
    assert (record.dataset, record.split, record.id) == ("label_studio", "train", "label_studio-40")


def test_an_exported_crop_that_several_accept_stands_once(built: Path) -> None:
    _, records = brought_back(built, labelled(labelled(exported(built), 3), 4))
    assert [crop.source for crop in records["r0"].crops] == ["expert", "expert"]


def test_stars_rank_the_crops_by_their_mean(built: Path) -> None:
    tasks = labelled(labelled(exported(built), 3), 4)
    for annotation, stars in enumerate((5, 2)):
        whole = regions(tasks[0], annotation)[1]
        regions(tasks[0], annotation).append({"id": whole["id"], "type": "rating", "value": {"rating": stars}})
    _, records = brought_back(built, tasks)
    assert [(crop.box.is_whole, crop.score) for crop in records["r0"].crops] == [(True, 3.5), (False, 0.0)]
    assert records["r1"].crops[0].score == 4.5


def test_a_subject_moved_by_hand_replaces_the_old_one_and_further_ones_are_listed(built: Path) -> None:
    tasks = labelled(labelled(exported(built), 3), 4)
    regions(tasks[1], 1)[2]["value"] |= {"x": 40.0}
    manifest, records = brought_back(built, tasks)
    assert records["r1"].subject is not None
    assert records["r1"].subject.xyxy == pytest.approx((0.4, 0.3, 0.6, 0.6))
    assert "p.jpg, task 101: a further Subject: [0.3, 0.3, 0.5, 0.6]" in reasons(manifest)


def test_what_cannot_be_used_is_listed_with_its_task_and_reason(built: Path) -> None:
    tasks = labelled(labelled(exported(built), 3), 5)
    tasks[0]["annotations"][1]["was_cancelled"] = True
    regions(tasks[0])[0]["value"]["rotation"] = 12
    regions(tasks[1])[0]["value"]["rectanglelabels"] = ["Dog"]
    regions(tasks[1])[1]["type"] = "polygonlabels"
    regions(tasks[1], 1)[0]["value"]["width"] = 0
    tasks[2]["annotations"] = []
    manifest, records = brought_back(built, tasks)
    assert records.keys() == {"r0", "r1"}
    assert len(records["r0"].crops) == 1
    found = reasons(manifest)
    assert "p.jpg, task 100: skipped by annotator 5" in found
    assert "p.jpg, task 100, rectangle crop-0 of annotator 3: rotation of 12 degrees, expected 0" in found
    assert "rectangle crop-0 of annotator 3: label Dog, expected Crop or Subject" in found
    assert "rectangle crop-1 of annotator 3: a result of type polygonlabels, expected rectanglelabels" in found
    assert "p.jpg: empty crop: [0.1, 0.2, 0.1, 0.8]" in found
    assert "p.jpg: no annotation: nobody has labelled it, or it was skipped" in found
    assert len(manifest["dropped"]) == 6


def test_a_task_in_which_every_crop_was_deleted_is_listed(built: Path) -> None:
    tasks = labelled(exported(built))
    regions(tasks[0]).clear()
    manifest, records = brought_back(built, tasks)
    assert records.keys() == {"r1", "r2"}
    assert "p.jpg: no rectangle labelled Crop in any annotation" in reasons(manifest)


def test_a_missing_photo_and_one_of_other_bytes_are_listed(built: Path) -> None:
    tasks = labelled(exported(built))
    photos = sorted((built / "photos").glob("*/p.jpg"))
    photos[0].unlink()
    photo(photos[1], 99, (WH[0] // 2, WH[1] // 2))
    photo(photos[2], 98, WH[::-1])
    manifest, records = brought_back(built, tasks)
    assert records.keys() == {"r1"}
    assert records["r1"].image.wh == (WH[0] // 2, WH[1] // 2)
    assert manifest[CHANGED] == ["p.jpg", "p.jpg"]
    assert "p.jpg: missing: no such file" in reasons(manifest)
    assert "wrong size: 240x320 px is no resized copy of the original's 320x240 px" in reasons(manifest)


def test_copies_of_photos_of_one_name_do_not_overwrite_each_other(built: Path, tmp_path: Path) -> None:
    tasks = labelled(exported(built))
    for task in tasks:
        task["data"]["record"]["split"] = "train"
    dump(built / "done.json", tasks)
    assert run("build", "label_studio", "--root", built / "done.json", "--out", tmp_path / "c", "--copy").exit_code == 0
    assert check_folder(tmp_path / "c", deep=True).problems == []
    assert len({record.image.path for record in read_records(tmp_path / "c")}) == len(tasks)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("/data/local-files/?d=project/a%20b/1%2B.jpg", "a b/1+.jpg"),
        ("/data/local-files/?d=project\\a\\1.jpg", "a/1.jpg"),
        ("/data/upload/3/0f3a9c1e-holiday.jpg", "holiday.jpg"),
        ("https://example.org/photos/x.jpg?token=1", "x.jpg"),
        ("s3://bucket/deep/er/x.jpg", "er/x.jpg"),
        ("/data/local-files/?d=../../x.jpg", "x.jpg"),
    ],
)
def test_photos_are_found_by_as_much_of_their_path_as_exists(url: str, place: str, tmp_path: Path) -> None:
    root = COPIES["label_studio"](tmp_path / "project")
    tasks = json.loads(root.read_text())
    tasks[0]["data"] = {"image": url}
    dump(root, tasks)
    wanted = photo(tmp_path / "photos" / place, 5)
    assert read(root, images=str(tmp_path / "photos"))[0].listed[0].photo == wanted


def test_a_photo_turned_by_exif_keeps_its_upright_size_there_and_back(tmp_path: Path) -> None:
    built = make_folder(tmp_path / "built", [{}])
    path = built / "photos" / "part 0+" / "p.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn: 320x240 pixels in the file are shown as 240x320
    Image.open(path).save(path, exif=exif)
    lines = json.loads((built / "records.jsonl").read_text())
    lines["image"] |= {"wh": [240, 320], "sha256": sha256_of(path)}
    write_jsonl(built / "records.jsonl", [lines])
    tasks = labelled(exported(built))
    assert (regions(tasks[0])[0]["original_width"], regions(tasks[0])[0]["original_height"]) == (240, 320)
    _, records = brought_back(built, tasks, "photos")
    assert records["r0"].image.wh == (240, 320)


def test_files_that_are_no_label_studio_export_are_named(built: Path, tmp_path: Path) -> None:
    coco = tmp_path / "coco.json"
    assert run("export", "coco", built, "--out", coco).exit_code == 0
    assert "is a COCO file, expected a list of tasks; choose Export > JSON" in told("import", "label-studio", coco)
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps(exported(built))[:-20])
    assert "cut.json: not JSON" in told("import", "label-studio", cut)
    dump(cut, [{"image": "1.jpg", "box": [], "annotator": 1}])
    assert "JSON-MIN" in told("import", "label-studio", cut)
    dump(cut, [])
    assert "is an empty list" in told("import", "label-studio", cut)
    assert "no such folder" in told(
        "import", "label-studio", built.parent / "tasks.json", "--images", tmp_path / "none"
    )
    untouched = told("import", "label-studio", built.parent / "tasks.json", "--images", built, "--out", tmp_path / "o")
    assert "not one of 3 listed photos can be used" in untouched
    assert "nobody has labelled it" in untouched
    tasks = labelled(exported(built))
    dump(cut, tasks)
    (tmp_path / "none").mkdir()
    elsewhere = told("import", "label-studio", cut, "--images", tmp_path / "none", "--out", tmp_path / "o")
    assert "holds none of the 3 photos that cut.json names, the first p.jpg" in elsewhere
    del tasks[1]["data"]["record"]["split"]
    dump(cut, tasks)
    assert "cut.json, task 2: record r1: field 'split' is missing" in told("import", "label-studio", cut)


def test_tasks_name_photos_below_the_document_root_and_the_config_their_fields(built: Path) -> None:
    tasks = exported(built)
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=photos/part%200%2B/p.jpg"
    config = Xml.parse(built.parent / "tasks.xml").getroot()
    assert Xml.tostring(config) == Xml.tostring(Xml.fromstring(CONFIG))
    names = {element.get("name"): element for element in config.iter() if element.get("name")}
    labels = {element.get("value") for element in config.iter("Label")}
    for task in tasks:
        for region in task["predictions"][0]["result"]:
            assert names[region["from_name"]].get("toName") == region["to_name"]
            assert set(region["value"]["rectanglelabels"]) <= labels
    assert names["photo"].get("value") == "$image"
    assert "lies outside the image root" in told(
        "export", "label-studio", built, "--out", built.parent / "t.json", "--image-root", built / "photos" / "part 0+"
    )


def test_photos_with_labels_alone_come_back_without_crops(tmp_path: Path) -> None:
    from data_builders.build import build_dataset

    build_dataset("kupcp", COPIES["kupcp"](tmp_path / "K"), tmp_path / "built", {"copy": True})
    manifest, records = brought_back(tmp_path / "built", labelled(exported(tmp_path / "built")), "images")
    assert len(records) == 4
    assert manifest["dropped"] == []


@needs_shared
def test_real_photos_of_flms_come_back_as_they_were(tmp_path: Path) -> None:
    from data_builders.build import build_dataset

    build_dataset("flms", SHARED / "data" / "fixtures" / "FLMS", tmp_path / "built", {"copy": True})
    _, records = brought_back(tmp_path / "built", labelled(exported(tmp_path / "built")), "images")
    before = read_records(tmp_path / "built")
    assert [record.crops for record in before] == [records[record.id].crops for record in before]
