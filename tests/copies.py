"""Tiny copies of data sets in the layouts that their authors ship, made of plain pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_builders.gaicd import candidates
from tests.fcdb_copy import write_fcdb

WH = (320, 240)
"""Boxes in the copies keep within 200 px, so that they lie inside in any order that is tried by mistake."""


def photo(path: Path, index: int, wh: tuple[int, int] = WH) -> Path:
    """A picture of its own, so that no two files have the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(index).integers(0, 255, (wh[1] // 8, wh[0] // 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize(wh, Image.Resampling.BICUBIC).save(path)
    return path


def dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


GAICD_WH = (360, 240)
"""Wide enough that some of its candidates are beyond the rated shapes."""


def gaicd_rows(wh: tuple[int, int] = GAICD_WH) -> str:
    """The rows of a photo: the grid, scored by its order, unrated where the aspect is out of the rated range."""
    lines = []
    for number, (y1, x1, y2, x2) in enumerate(candidates(wh)):
        rated = 0.5 < (x2 - x1) / (y2 - y1) < 2.2
        lines.append(f"{y1:4d} {x1:4d} {y2:4d} {x2:4d} {1 + number / 30 if rated else -2:.2f}")
    return "\n".join(lines) + "\n"


def write_gaicd_v1(root: Path) -> Path:
    for index, (split, name) in enumerate((("train", "211"), ("train", "212"), ("test", "213"))):
        photo(root / "images" / split / f"{name}.jpg", index, GAICD_WH)
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"{name}.txt").write_text(gaicd_rows())
    return root


def write_gaicd_v2(root: Path) -> Path:
    for index, split in enumerate(("train", "val", "test")):
        photo(root / "images" / split / f"22{index}.jpg", index, GAICD_WH)
        (root / "annotations" / split).mkdir(parents=True)
        (root / "annotations" / split / f"22{index}.txt").write_text(gaicd_rows())
    return root


FLMS_CROPS = {
    "a_Large.jpg": [[20, 30, 300, 200], [0, 0, 320, 244], [40, 20, 280, 180]],
    "b_Large.jpg": [[10, 10, 310, 230]],
}
"""x1 y1 x2 y2; the second box of the first photo stands out by 4 px."""


def write_flms(root: Path, *, mat: bool = False, shrunk: int = 1) -> Path:
    """`shrunk` photos are that many times smaller than the originals, of which a manifest tells."""
    for index, name in enumerate(FLMS_CROPS):
        photo(root / "image" / name, index, (WH[0] // shrunk, WH[1] // shrunk))
    if shrunk > 1:
        lines = [{"file": name, "w": WH[0], "h": WH[1], "crops_xyxy": crops} for name, crops in FLMS_CROPS.items()]
        (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if not mat:
        dump(root / "image_crops.json", FLMS_CROPS)
        return root
    from scipy.io import savemat

    entries = np.zeros((len(FLMS_CROPS), 1), dtype=[("filename", "O"), ("bbox", "O")])
    for row, (name, crops) in enumerate(FLMS_CROPS.items()):
        rows = [[y1, x1, y2, x2] for x1, y1, x2, y2 in crops] + [[-1.0] * 4] * (10 - len(crops))
        entries[row, 0] = (name, np.array(rows, float))
    savemat(root / "500_image_dataset.mat", {"img_gt": entries})
    return root


def write_sacd(root: Path) -> Path:
    for index, split in enumerate(("train", "val", "test")):
        photo(root / "images" / f"p{index}.jpg", index)
        names = [f"annotations/p{index}_{k}.json" for k in range(2)]
        dump(root / f"{split}.json", {"jsons": names})
        for k, name in enumerate(names):
            crops = [[10, 20, 300, 220], [40, 40, 280, 200 + k]]
            dump(root / name, {"mask_box": "[100, 80, 60, 50]", "best_box": crops[1:], "crop_box": crops})
    return root


def write_cpc(root: Path) -> Path:
    for index in range(2):
        photo(root / "images" / f"{index}.jpg", index)
        boxes = [[4 * view, 3 * view, 200 + 4 * view, 160 + 3 * view] for view in range(24)]
        scores = [[(view + rater) % 5 for view in range(24)] for rater in range(3)]
        dump(root / "CollectedAnnotationsRaw" / f"{index}.jpg.txt", json.dumps({"scores": scores, "bboxes": boxes}))
    return root


def write_gnmc(root: Path) -> Path:
    for index, split in enumerate(("train", "test")):
        photo(root / split / f"{index}.jpeg", index)
        boxes = {"16:9": [0.0, 0.1, 1.0, 0.85], "1:1": [0.2, 0.0, 0.95, 1.0]}
        dump(root / "json" / f"{split}.json", [{"filename": f"{index}.jpeg", "crop_bboxes": boxes}])
    return root


def write_kupcp(root: Path) -> Path:
    for index, split in enumerate(("train", "test")):
        for number in (1, 2):
            photo(root / f"{split}_img" / f"{number}.jpg", 10 * index + number)
        (root / f"{split}_label.txt").write_text("1 0 0 0 0 0 0 0 0\n0 0 1 0 0 0 0 1 0\n")
    return root


def write_hcic(root: Path) -> Path:
    """Boxes of people for one of FLMS's photos; FLMS itself is written beside it, as `../flms`."""
    write_flms(root.parent / "flms")
    dump(root / "human_bboxes" / "FLMS" / "human_bboxes.json", {"a_Large.jpg": [60, 40, 120, 180]})
    return root


def write_label_studio(root: Path) -> Path:
    """A project of two photos, each with a crop by one annotator; the export file that lies beside them."""
    tasks = []
    for index in range(2):
        photo(root / f"{index}.jpg", index)
        value = {"x": 10, "y": 20, "width": 50, "height": 40 + index, "rotation": 0, "rectanglelabels": ["Crop"]}
        size = {"original_width": WH[0], "original_height": WH[1], "image_rotation": 0}
        result = {"id": f"r{index}", "type": "rectanglelabels", "from_name": "box", "value": value, **size}
        annotation = {"id": index, "completed_by": 7, "was_cancelled": False, "result": [result]}
        url = f"/data/local-files/?d=photos/{index}.jpg"
        tasks.append({"id": 40 + index, "data": {"image": url}, "annotations": [annotation]})
    dump(root / "export.json", tasks)
    return root / "export.json"


COPIES: dict[str, Callable[[Path], Path]] = {
    "cpc": write_cpc,
    "fcdb": write_fcdb,
    "flms": write_flms,
    "gaicd_v1": write_gaicd_v1,
    "gaicd_v2": write_gaicd_v2,
    "gnmc": write_gnmc,
    "hcic": write_hcic,
    "kupcp": write_kupcp,
    "label_studio": write_label_studio,
    "sacd": write_sacd,
}


def options(name: str, root: Path) -> dict[str, Any]:
    """What a builder needs beside its root."""
    return {"join": [f"flms={root.parent / 'flms'}"]} if name == "hcic" else {}
