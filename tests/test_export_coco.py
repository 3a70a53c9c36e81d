"""`data export coco`, and what holds for `coco` and `label-studio` alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.copies import COPIES
from tests.exchange import plain_folder
from tests.verbs import refused, run


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return plain_folder(tmp_path / "built")


def test_coco_boxes_are_pixels_of_upright_photos_and_every_reference_exists(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "coco.json"
    assert run("export", "coco", built, "--out", out).exit_code == 0
    coco = json.loads(out.read_text())
    images = {image["id"]: image for image in coco["images"]}
    categories = {category["id"]: category["name"] for category in coco["categories"]}
    licences = {licence["id"]: licence["name"] for licence in coco["licenses"]}
    assert len({one["id"] for one in coco["annotations"]}) == len(coco["annotations"]) == 7
    assert len(images) == 3
    for image in images.values():
        assert licences[image["license"]] == "CC0-1.0"
        assert Image.open(built / "photos" / image["file_name"]).size == (image["width"], image["height"])
    found: dict[str, list[Any]] = {}
    for one in coco["annotations"]:
        x, y, width, height = one["bbox"]
        image = images[one["image_id"]]
        assert 0 <= x < x + width <= image["width"] + 1e-6
        assert 0 <= y < y + height <= image["height"] + 1e-6
        assert one["area"] == pytest.approx(width * height)
        found.setdefault(one["record_id"], []).append((categories[one["category_id"]], one["bbox"], one.get("score")))
    assert found["r1"] == [
        ("crop", [32.0, 48.0, 160.0, 144.0], 4.5),
        ("crop", [0.0, 0.0, 320.0, 240.0], 2.0),
        ("subject", [96.0, 72.0, 64.0, 72.0], None),
    ]


def test_records_of_one_photo_share_an_image_in_coco(tmp_path: Path) -> None:
    from data_builders.build import build_dataset

    built = tmp_path / "built"
    build_dataset("gnmc", COPIES["gnmc"](tmp_path / "GNMC"), built, {})
    assert run("export", "coco", built, "--out", tmp_path / "c.json").exit_code == 0
    coco = json.loads((tmp_path / "c.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["test/1.jpeg", "train/0.jpeg"]
    assert [(one["image_id"], one["aspect"]) for one in coco["annotations"]] == [
        *((1, [16, 9]), (1, [1, 1])),
        *((2, [16, 9]), (2, [1, 1])),
    ]


@pytest.mark.parametrize("form", ["coco", "label-studio"])
def test_an_export_gives_the_same_bytes_again_and_names_missing_photos(built: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out.json"
    run("export", form, built, "--out", out)
    first = out.read_bytes()
    run("export", form, built, "--out", out)
    assert out.read_bytes() == first
    assert str(tmp_path).encode() not in first
    next((built / "photos").glob("*/p.jpg")).unlink()
    assert "1 of 3 photos are missing: photos/part" in str(
        refused("export", form, built, "--out", tmp_path / "new.json")
    )
    assert not (tmp_path / "new.json").exists()
    assert f"the format {form} takes no --family" in str(refused("export", form, built, "--out", out, "--family", "x"))
