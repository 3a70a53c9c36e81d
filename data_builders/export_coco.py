"""COCO detection format: every crop and subject of a built folder as a box in pixels of the upright photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crop_reasoning import __version__
from crop_reasoning.geometry import Box, Size, edges_px
from crop_reasoning.records import CropRecord
from data_builders.exporting import (
    as_document,
    photo_folder,
    photo_name,
    records_with_photos,
    refuse_other_ending,
    write_new,
)

CATEGORIES = ("crop", "subject")
"""Their COCO ids are 1 and 2."""


def export_coco(folder: Path, out: Path, image_root: Path | None = None) -> dict[str, Any]:
    """Write one COCO document of all records; the counts of what it holds and the folder its file names start from.

    A photo with several records (one for each subject or aspect) is one image; every annotation names its record.
    `RecipeError` unless `out` is a .json file, `DataError` if it is taken (`write_new`).
    """
    refuse_other_ending(out, ".json")
    records = records_with_photos(folder)
    root = image_root or photo_folder(folder, records)
    licences = {name: number for number, name in enumerate(dict.fromkeys(record.licence for record in records), 1)}
    images: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    for record in records:
        name = photo_name(folder, record, root)
        width, height = record.image.wh
        image = images.setdefault(
            name,
            {
                "id": len(images) + 1,
                "file_name": name,
                "width": width,
                "height": height,
                "license": licences[record.licence],
                "split": record.split,
                "sha256": record.image.sha256,
            },
        )
        for one in _annotations(record):
            annotations.append({"id": len(annotations) + 1, "image_id": image["id"], **one})
    document = {
        "info": {
            "description": f"{', '.join(dict.fromkeys(record.dataset for record in records))}: crops of photographs",
            "version": f"crop-reasoning {__version__}",
            "note": "sizes and boxes are of the upright photo: apply its EXIF orientation before you draw",
        },
        "licenses": [{"id": number, "name": name, "url": ""} for name, number in licences.items()],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, 1)],
        "images": list(images.values()),
        "annotations": annotations,
    }
    write_new({out: as_document(document)}, folder, records)
    return {"images": len(images), "annotations": len(annotations), "image_root": str(root)}


def _annotations(record: CropRecord) -> list[dict[str, Any]]:
    """The annotations of one record, without the ids that the document gives them."""
    shared = {"record_id": record.id, "task": record.task, "aspect": record.aspect}
    crops = [
        {**_box("crop", crop.box, record.image.wh), "score": crop.score, "source": crop.source, **shared}
        for crop in record.crops
    ]
    return crops + ([{**_box("subject", record.subject, record.image.wh), **shared}] if record.subject else [])


def _box(category: str, box: Box, wh: Size) -> dict[str, Any]:
    """A box as COCO writes it: `x y width height` in pixels from the top left corner, not rounded to whole ones."""
    left, top, right, bottom = edges_px(box, wh)
    x, y = round(left, 6), round(top, 6)
    width, height = round(right - x, 6), round(bottom - y, 6)
    return {
        "category_id": CATEGORIES.index(category) + 1,
        "bbox": [x, y, width, height],
        "area": round(width * height, 6),
        "segmentation": [],
        "iscrowd": 0,
    }
