"""Built folders to be exported, and what Label Studio gives back for them: for the tests of both ways."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from crop_reasoning.geometry import Box
from crop_reasoning.images import sha256_of
from crop_reasoning.records import CropRecord, ImageRef, ScoredCrop, read_records, write_jsonl
from tests.copies import WH, dump, photo
from tests.verbs import run

Tasks = list[dict[str, Any]]


def make_folder(folder: Path, records: list[dict[str, Any]]) -> Path:
    """A built folder with a photo a record, in folders of equal names; `records` are changes to a plain record."""
    made = []
    for index, changes in enumerate(records):
        path = photo(folder / "photos" / f"part {index}+" / "p.jpg", index)
        image = ImageRef(path.relative_to(folder).as_posix(), sha256_of(path), WH)
        crops = (ScoredCrop(Box(0.1, 0.2, 0.6, 0.8), 4.5, "expert"), ScoredCrop(Box(0, 0, 1, 1), 2.0, "expert"))
        values: dict[str, Any] = {"id": f"r{index}", "dataset": "mine", "split": "train", "image": image}
        made.append(CropRecord(**{**values, "crops": crops, "licence": "CC0-1.0", **changes}))
    write_jsonl(folder / "records.jsonl", made)
    return folder


def plain_folder(folder: Path) -> Path:
    """Three records, one a split; the second has a subject, the third an aspect."""
    subject = {"task": "subject", "subject": Box(0.3, 0.3, 0.5, 0.6)}
    return make_folder(folder, [{}, {"split": "val", **subject}, {"split": "test", "aspect": (4, 5)}])


def exported(built: Path) -> Tasks:
    out = built.parent / "tasks.json"
    assert run("export", "label-studio", built, "--out", out).exit_code == 0
    tasks: Tasks = json.loads(out.read_text())
    return tasks


def labelled(tasks: Tasks, annotator: Any = 3) -> Tasks:
    """What Label Studio exports once somebody has accepted every prediction as it is."""
    for number, task in enumerate(tasks, 100):
        task["id"] = number
        result = copy.deepcopy(task["predictions"][0]["result"])
        task.setdefault("annotations", []).append({"completed_by": annotator, "was_cancelled": False, "result": result})
    return tasks


def brought_back(built: Path, tasks: Tasks, images: str = ".") -> tuple[dict[str, Any], dict[str, CropRecord]]:
    dump(built.parent / "done.json", tasks)
    out = built.parent / "back"
    shutil.rmtree(out, ignore_errors=True)
    result = run(
        "import", "label-studio", built.parent / "done.json", "--images", built / images, "--out", out, "--json"
    )
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout), {record.id: record for record in read_records(out)}


def regions(task: dict[str, Any], annotation: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = task["annotations"][annotation]["result"]
    return found


def reasons(manifest: dict[str, Any]) -> str:
    return "\n".join(f"{entry['item']}: {entry['reason']}" for entry in manifest["dropped"])
