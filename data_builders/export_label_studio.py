"""Label Studio tasks: photos with their crops and subjects as predictions, for people to correct and to rank.

Each task carries its record, so that `label_studio.read` gives everything back that nobody changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from crop_reasoning.geometry import Box
from crop_reasoning.records import CropRecord, to_json
from data_builders.exporting import (
    as_document,
    photo_folder,
    photo_name,
    records_with_photos,
    refuse_other_ending,
    write_new,
)

LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio serves files below its LOCAL_FILES_DOCUMENT_ROOT."""
PHOTO, BOX, STARS = "photo", "box", "stars"
CROP, SUBJECT = "Crop", "Subject"
CONFIG = f"""\
<View>
  <Header value="Correct the crops, draw better ones, delete bad ones; stars rank them (optional, more is better)"/>
  <Image name="{PHOTO}" value="$image" zoom="true" rotateControl="false"/>
  <RectangleLabels name="{BOX}" toName="{PHOTO}" canRotate="false">
    <Label value="{CROP}" background="#d4380d"/>
    <Label value="{SUBJECT}" background="#1677ff"/>
  </RectangleLabels>
  <Rating name="{STARS}" toName="{PHOTO}" maxRating="5" perRegion="true" whenTagName="{BOX}" whenLabelValue="{CROP}"/>
</View>
"""


def export_label_studio(folder: Path, out: Path, image_root: Path | None = None) -> dict[str, Any]:
    """Write the tasks to `out` and the labeling config beside it (`.xml`); counts and how Label Studio finds photos.

    Photos are named from `image_root`, Label Studio's document root; by default the parent of the folder that holds
    them, because the folder that a project is given must lie below that root. `RecipeError` unless `out` is a .json
    file, `DataError` if it or the config is taken (`write_new`).
    """
    refuse_other_ending(out, ".json")
    config = out.with_suffix(".xml")
    records = records_with_photos(folder)
    photos = photo_folder(folder, records)
    root = image_root or photos.parent
    tasks = [_task(record, photo_name(folder, record, root)) for record in records]
    write_new({out: as_document(tasks), config: CONFIG}, folder, records)
    return {"tasks": len(records), "config": str(config), "document_root": str(root), "storage": str(photos)}


def _task(record: CropRecord, name: str) -> dict[str, Any]:
    boxes = [(f"crop-{number}", CROP, crop.box) for number, crop in enumerate(record.crops)]
    if record.subject:
        boxes.append(("subject", SUBJECT, record.subject))
    return {
        "data": {"image": LOCAL_FILES + quote(name), "record": to_json(record)},
        "predictions": [
            {
                "model_version": record.dataset,
                "result": [_region(region, label, box, record) for region, label, box in boxes],
            }
        ],
    }


def _region(region: str, label: str, box: Box, record: CropRecord) -> dict[str, Any]:
    """A rectangle as Label Studio writes it: percent of the sides of the upright photo, from the top left corner."""
    return {
        "id": region,
        "type": "rectanglelabels",
        "from_name": BOX,
        "to_name": PHOTO,
        "original_width": record.image.wh[0],
        "original_height": record.image.wh[1],
        "image_rotation": 0,
        "value": {
            "x": 100 * box.x1,
            "y": 100 * box.y1,
            "width": 100 * box.width,
            "height": 100 * box.height,
            "rotation": 0,
            "rectanglelabels": [label],
        },
    }
