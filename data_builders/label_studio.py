"""Label Studio's JSON export: rectangles that people drew, or left as they were, to records.

Tasks that `export_label_studio` wrote carry their record: what nobody changed comes back as it was, what was drawn or
moved by hand takes the place of what was there. Tasks of other projects need the labels Crop and Subject alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import corners
from crop_reasoning.images import PHOTO_ENDINGS, sha256_of
from crop_reasoning.json_fields import as_list, as_number, as_object, as_sides, as_text, naming
from crop_reasoning.records import LABELS_ONLY, CropRecord, record_from_json
from data_builders.export_label_studio import CROP, SUBJECT
from data_builders.importing import Crop, Four, Item, Listed, Rules, Source
from data_builders.sources import is_archive, read_json

NAME, LICENCE = "label_studio", "unknown; the photos are your own to license"
ORDER = "x1 y1 x2 y2"
CHANGED = "photos with other bytes than when exported"
UNMOVED = 1e-4
"""A rectangle whose edges all lie this near to those of an exported box, in shares of the sides, was not moved."""
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
"""Label Studio puts eight digits in front of the name of a photo that is uploaded to it."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """One labelled rectangle of one person: edges in shares of the sides, stars if it was given some."""

    label: str
    edges: Four
    annotation: int
    annotator: str
    stars: float | None


def read(root: Path | None, *, images: str | None = None) -> list[Source]:
    """A record a task of the export file `root`, photos in the folder `images` (by default the file's own).

    One `Source` for each data set and licence that the tasks' records name; other tasks are `train`, of a data set
    `label_studio`. Skipped annotations, tasks without one and results that are no rectangle are listed as dropped.
    """
    path, tasks = _tasks(root)
    folder = Path(images) if images else path.parent
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected the photos that {path.name} names, check --images")
    groups: dict[tuple[str, str], list[Listed]] = {}
    dropped: list[Item] = []
    changed: list[str] = []
    for number, task in enumerate(tasks, 1):
        with naming(f"{path}, task {number}"):
            data = as_object(task["data"], "data")
            record = record_from_json(as_object(data["record"], "record")) if "record" in data else None
            one = _listed(task, data, record, folder, number, dropped)
        if record and one.photo.is_file() and sha256_of(one.photo) != record.image.sha256:
            changed.append(one.photo.name)
        group = (record.dataset, record.licence) if record else (NAME, LICENCE)
        groups.setdefault(group, []).append(one)
    listed = [one for group in groups.values() for one in group]
    if not any(one.photo.is_file() or one.lost for one in listed):
        raise DataError(
            f"{folder}: holds none of the {len(listed)} photos that {path.name} names, the first "
            f"{listed[0].photo.name}; give the folder they are named from with --images"
        )
    first, *others = (
        Source(Rules(dataset, ORDER, licence, fraction=True), members, [], {})
        for (dataset, licence), members in groups.items()
    )
    facts = {CHANGED: changed} if changed else {}
    return [replace(first, annotations=[path], dropped=dropped, facts=facts), *others]


def _tasks(root: Path | None) -> tuple[Path, list[Any]]:
    """The export file and its tasks; an error that says what to give instead for anything else."""
    if root is None:
        raise RecipeError("label_studio is read from Label Studio's JSON export: say which file with --root DIR/NAME")
    if root.is_dir():
        raise DataError(f"{root}: is a folder, the export's name is missing; give the file that Export > JSON wrote")
    if root.is_file() and is_archive(root):
        raise DataError(f"{root}: is an archive; unpack it first and give the JSON file in it")
    value = read_json(root)
    if isinstance(value, list) and value and all(isinstance(task, dict) and "data" in task for task in value):
        return root, value
    what = "something else"
    if isinstance(value, dict):
        what = f"an object with {', '.join(sorted(value)[:5])}"
        if {"images", "annotations", "categories"} <= value.keys():
            what = "a COCO file"
    elif isinstance(value, list):
        what = "an empty list" if not value else "a list whose items have no data, as Label Studio's JSON-MIN"
    raise DataError(f"{root}: is {what}, expected a list of tasks; choose Export > JSON in Label Studio")


def _listed(
    task: dict[str, Any],
    data: dict[str, Any],
    record: CropRecord | None,
    folder: Path,
    number: int,
    dropped: list[Item],
) -> Listed:
    """What a task says of its photo; what in it is of no use goes to `dropped`, with the reason."""
    task_id = task.get("id", number)
    photo, lost = _photo(data, folder)
    name = f"{photo.name}, task {task_id}"
    people = _people(task, name, dropped)
    rectangles = [one for place in range(len(people)) for one in _rectangles(people[place], place, name, dropped)]
    if not people:
        lost = lost or "no annotation: nobody has labelled it, or it was skipped"
    elif not lost and not any(one.label == CROP for one in rectangles) and (not record or record.task != LABELS_ONLY):
        lost = f"no rectangle labelled {CROP} in any annotation"
    wh = record.image.wh if record else _seen_size(people)
    return Listed(
        id=record.id if record else f"{NAME}-{task_id}",
        split=record.split if record else "train",
        photo=photo,
        crops=tuple(_crops([one for one in rectangles if one.label == CROP], record)),
        wh=wh,
        subject=_subject([one for one in rectangles if one.label == SUBJECT], record, name, dropped),
        aspect=record.aspect if record else None,
        task=record.task if record else "free",
        scene=record.scene if record else {},
        provenance=record.provenance if record else f"Label Studio task {task_id}",
        lost=lost,
    )


def _people(task: dict[str, Any], name: str, dropped: list[Item]) -> list[dict[str, Any]]:
    """The annotations that somebody submitted; skipped ones are listed. Predictions are nobody's work."""
    submitted = []
    for annotation in as_list(task.get("annotations", []), "annotations"):
        as_object(annotation, "annotation")
        if annotation.get("was_cancelled"):
            dropped.append({"item": name, "reason": f"skipped by {_annotator(annotation)}"})
        else:
            submitted.append(annotation)
    return submitted


def _annotator(annotation: dict[str, Any]) -> str:
    who = annotation.get("completed_by")
    return f"annotator {who.get('id') if isinstance(who, dict) else who}"


def _rectangles(annotation: dict[str, Any], place: int, name: str, dropped: list[Item]) -> Iterator[Rectangle]:
    """The usable rectangles of an annotation; everything else in it is listed."""
    results = [as_object(result, "result") for result in as_list(annotation["result"], "result")]
    stars = {result.get("id"): result["value"] for result in results if result.get("type") == "rating"}
    for result in results:
        if result.get("type") == "rating":
            continue
        value = as_object(result.get("value", {}), "value")
        labels = as_list(value.get("rectanglelabels", []), "rectanglelabels")
        if reason := _unusable(result, value, labels):
            item = f"{name}, rectangle {result.get('id', '?')} of {_annotator(annotation)}"
            dropped.append({"item": item, "reason": reason})
            continue
        x, y, width, height = (as_number(value[key], key) for key in ("x", "y", "width", "height"))
        edges = [round(edge / 100, 9) for edge in corners((x, y, width, height), "x y w h")]
        given = stars.get(result.get("id"))
        rating = as_number(as_object(given, "value")["rating"], "rating") if given else None
        yield Rectangle(labels[0], (edges[0], edges[1], edges[2], edges[3]), place, _annotator(annotation), rating)


def _unusable(result: dict[str, Any], value: dict[str, Any], labels: list[Any]) -> str:
    """Why a result is no rectangle that can be read; empty if it is one."""
    if result.get("type") != "rectanglelabels":
        return f"a result of type {result.get('type')}, expected rectanglelabels"
    if labels not in ([CROP], [SUBJECT]):
        return f"label {', '.join(map(str, labels)) or 'none'}, expected {CROP} or {SUBJECT}"
    for key, holder in (("rotation", value), ("image_rotation", result)):
        if turned := as_number(holder.get(key, 0), key):
            return f"{key} of {turned:g} degrees, expected 0: a crop has upright edges"
    return ""


def _crops(rectangles: Sequence[Rectangle], record: CropRecord | None) -> Iterator[Crop]:
    """The crops that people want, those drawn or moved by hand first.

    An exported crop that somebody left as it was keeps score and source, and stands once. A rectangle made by hand
    counts as much as the best crop there was (1 without any). Where anybody gave stars, their mean is the score and
    no stars are 0.
    """
    old = record.crops if record else ()
    kept: dict[int, list[float]] = {}
    drawn: list[Rectangle] = []
    taken: set[tuple[int, int]] = set()  # of two equal crops each is found by a rectangle of its own
    for one in rectangles:
        free = [place for place in range(len(old)) if (one.annotation, place) not in taken]
        place = min(free, key=lambda place: _distance(one.edges, old[place].box.xyxy), default=None)
        if place is None or _distance(one.edges, old[place].box.xyxy) > UNMOVED:
            drawn.append(one)
            continue
        taken.add((one.annotation, place))
        kept.setdefault(place, []).append(one.stars or 0.0)
    starred = any(one.stars is not None for one in rectangles)
    best = max((crop.score for crop in old), default=1.0)
    for one in drawn:
        yield Crop(one.edges, (one.stars or 0.0) if starred else best, one.annotator)
    for place, stars in sorted(kept.items()):
        score = sum(stars) / len(stars) if starred else old[place].score
        yield Crop(old[place].box.xyxy, score, old[place].source)


def _subject(found: Sequence[Rectangle], record: CropRecord | None, name: str, dropped: list[Item]) -> Four | None:
    """The one subject: the first that was made by hand, else the exported one if it still stands."""
    old = record.subject.xyxy if record and record.subject else None
    edges = list(dict.fromkeys(old if old and _distance(one.edges, old) <= UNMOVED else one.edges for one in found))
    edges.sort(key=lambda four: four == old)
    for extra in edges[1:]:
        dropped.append({"item": name, "reason": f"a further {SUBJECT}: {list(extra)}; a record has one"})
    return edges[0] if edges else None


def _distance(a: Four, b: Four) -> float:
    return max(abs(first - second) for first, second in zip(a, b, strict=True))


def _seen_size(people: Sequence[dict[str, Any]]) -> tuple[int, int] | None:
    """The photo's upright size as Label Studio saw it, None where it does not say."""
    for annotation in people:
        for result in annotation["result"]:
            if "original_width" in result and "original_height" in result:
                return as_sides([result["original_width"], result["original_height"]], "original size")
    return None


def _photo(data: dict[str, Any], folder: Path) -> tuple[Path, str]:
    """The file that a task's image means, and why it cannot be any, if so.

    Of the path that the task names as much as exists below `folder` counts: whole, then without its first folders.
    """
    named = (
        value for value in data.values() if isinstance(value, str) and _path(value).suffix.lower() in PHOTO_ENDINGS
    )
    url = data.get("image") or next(named, None)
    if url is None:
        raise DataError(f"data names no photo; expected a field image, got {', '.join(data)}")
    url = as_text(url, "image")
    if url.startswith("data:"):
        return folder / "data URL", "the photo stands in the task itself (data URL); store it as a file"
    parts = [part for part in _path(url).parts if part not in ("/", "..", ".")]
    if not parts:
        return folder / url, f"image {url!r} names no file"
    names = [parts[start:] for start in range(len(parts))]
    if uploaded := _UPLOADED.fullmatch(parts[-1]):
        names.append([uploaded[1]])
    found = (folder.joinpath(*name) for name in names)
    return next((path for path in found if path.is_file()), folder / names[-1][0]), ""


def _path(url: str) -> Path:
    """The path that a URL means: what it asks local storage for (`?d=`), else its own."""
    split = urlsplit(url)
    asked = parse_qs(split.query).get("d")
    return Path((asked[0] if asked else unquote(split.path)).replace("\\", "/"))
