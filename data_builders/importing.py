"""What every importer does once annotations are read: judge photos, place boxes, list what is lost, write.

A data set's own file says what is listed (`Source`); this module knows no data set. `make` is a pure function of one
listed photo, so that work beyond one machine maps over photos and only gathers here (docs/scale.md).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.files import path_from
from crop_reasoning.geometry import Box, Size, corners, from_xyxy_px
from crop_reasoning.images import sha256_of
from crop_reasoning.records import LABELS_ONLY, CropRecord, ImageRef, Pair, ScoredCrop, write_jsonl
from data_builders.orders import SLACK_PX, far_out, in_pixels, overflow, pixels, refuse_wrong_order, written
from data_builders.out_folder import refuse_other_sources
from data_builders.photos import JOURNAL, PhotoFile, copy_photo, inspect_photos, is_utf8, legible

_MOST_NAMED = 20
_XYXY = "x1 y1 x2 y2"
Four = tuple[float, float, float, float]
Item = dict[str, Any]
Misfit = Callable[["Listed", Size], str]
_ASPECT_SLACK_PX = 2.0  # both sides of a resized copy were rounded to whole pixels


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop as its annotation writes it, with its score (higher is better) and who gave it."""

    values: Four
    score: float
    source: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """Two crops of one photo, as written, and how many people preferred each."""

    crops: tuple[Four, Four]
    votes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """One photo (with one task) as a data set lists it: where it lies and what is said of it, nothing opened yet.

    Boxes are as written (`subject` alone is always x1 y1 x2 y2). They refer to an upright image of `wh`, or to the
    file itself where that is None. `lost` is the reason why the photo is known to be of no use before it is opened.
    """

    id: str
    split: str
    photo: Path
    crops: tuple[Crop, ...] = ()
    ranked: tuple[Ranked, ...] = ()
    wh: Size | None = None
    subject: Four | None = None
    aspect: tuple[int, int] | None = None
    task: str = "free"
    scene: dict[str, Any] = field(default_factory=dict)
    provenance: str = ""
    lost: str = ""


def fits_any(listed: Listed, wh: Size) -> str:
    """The misfit rule of data sets whose boxes say no more about a photo's size than that they lie inside it."""
    return ""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a data set writes its boxes, and how a photo of the wrong size is known by them.

    `order` is one of `orders.ORDERS`; `fraction` says that values are shares of the sides, not pixels. `misfit` gives
    the reason why boxes do not belong to an image of a size, or an empty text; a photo that a box leaves by more than
    2 px and `overhang`, a share of its side, is never the one that was annotated. Released boxes of FLMS stand 8 px out
    of 768; a photo of half the size is left by far more.
    """

    dataset: str
    order: str
    licence: str
    fraction: bool = False
    misfit: Misfit = fits_any
    overhang: float = 0.02


@dataclass(frozen=True, slots=True)
class Source:
    """A copy of a data set, read but for its photos: what is listed, from which files, and what was lost so far."""

    rules: Rules
    listed: Sequence[Listed]
    annotations: Sequence[Path]
    official: dict[str, int]
    dropped: Sequence[Item] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one listed photo: a record with its pairs or none, and what was dropped and clipped."""

    record: CropRecord | None
    pairs: tuple[Pair, ...] = ()
    dropped: tuple[Item, ...] = ()
    clipped: tuple[Item, ...] = ()


def make(one: Listed, file: PhotoFile, rules: Rules, path: str) -> Made:
    """One listed photo and its file to a record; `path` is what the record calls the file. Pure: nothing is opened."""
    name = legible(one.photo.name)
    unwritable = "" if is_utf8(path + one.id) else "its name is not UTF-8; rename it"
    if reason := one.lost or file.reason or unwritable or _wrong_size(one, file, rules):
        return Made(None, dropped=({"item": name, "reason": reason},))
    placing = _Placing(one, file, rules)
    crops = [(placing.box(crop.values, rules.order, name), crop) for crop in one.crops]
    placed = [ScoredCrop(box, crop.score, crop.source) for box, crop in crops if box]
    subject = placing.box(one.subject, _XYXY, f"{name} subject") if one.subject else None
    if (one.subject and not subject) or (not placed and one.task != LABELS_ONLY):
        return Made(None, dropped=tuple(placing.dropped) or ({"item": name, "reason": "no crop of it"},))
    pairs = [_pair(ranked, one.id, f"{name} pair {number}", rules, placing) for number, ranked in enumerate(one.ranked)]
    record = CropRecord(
        id=one.id,
        dataset=rules.dataset,
        split=one.split,
        image=ImageRef(path, file.sha256, file.wh),
        crops=tuple(sorted(placed, key=lambda crop: -crop.score)),
        task=one.task,
        subject=subject,
        aspect=one.aspect,
        licence=rules.licence,
        provenance=one.provenance,
        scene=one.scene,
    )
    return Made(record, tuple(pair for pair in pairs if pair), tuple(placing.dropped), tuple(placing.clipped))


def import_sources(sources: Sequence[Source], out: Path, *, copy: bool, workers: int) -> dict[str, Any]:
    """Write `records.jsonl` and, where crops are ranked in pairs, `pairs.jsonl`; what the manifest must say.

    Photos stay where they are unless `copy`. Nothing but the journal of inspected photos is written before every file
    was read. `DataError` for twins, for boxes in another order, if no photo at all can be used, and if `out` was built
    from other annotation files.
    """
    listed = [(one, source.rules) for source in sources for one in source.listed]
    refuse_twins([one for one, _ in listed])
    annotations = digests([path for source in sources for path in source.annotations])
    refuse_other_sources(out, annotations)
    files = inspect_photos([one.photo for one, _ in listed], workers, out / JOURNAL)
    places = copy_places([one for one, _ in listed])
    made = []
    for (one, rules), file in zip(listed, files, strict=True):
        made.append(make(one, file, rules, places[one.id] if copy else path_from(out, one.photo)))
    start = 0
    for source in sources:
        refuse_wrong_orders(source, files[start : start + len(source.listed)])
        start += len(source.listed)
    records = [result.record for result in made if result.record]
    dropped = [{**item, "item": legible(item["item"])} for source in sources for item in source.dropped]
    dropped += [item for result in made for item in result.dropped]
    if not records:
        first = f"; the first, {dropped[0]['item']}: {dropped[0]['reason']}" if dropped else ""
        raise DataError(f"not one of {len(listed)} listed photos can be used{first}")
    if copy:
        for result, file in zip(made, files, strict=True):
            if result.record:
                copy_photo(file, out / result.record.image.path)
    write_jsonl(out / "records.jsonl", records)
    if any(one.ranked for one, _ in listed):
        write_jsonl(out / "pairs.jsonl", (pair for result in made for pair in result.pairs))
    return {
        "sources": annotations,
        "official": {split: count for source in sources for split, count in source.official.items()},
        "listed": dict(Counter(one.split for one, _ in listed)),
        "licences": sorted({source.rules.licence for source in sources}),
        **{key: value for source in sources for key, value in source.facts.items()},
        "dropped": dropped,
        "clipped": [item for result in made for item in result.clipped],
    }


def copy_places(listed: Sequence[Listed]) -> dict[str, str]:
    """Where each record's photo is copied to, below the built folder: under its own name in a folder a split.

    Photos of different folders that share a name and a split are told apart by the record's id.
    """
    named = {one.id: f"images/{one.split}/{one.photo.name}" for one in listed}
    photos: dict[str, set[Path]] = {}
    for one in listed:
        photos.setdefault(named[one.id], set()).add(one.photo)
    return {
        one.id: named[one.id] if len(photos[named[one.id]]) == 1 else f"images/{one.split}/{one.id}{one.photo.suffix}"
        for one in listed
    }


def digests(paths: Sequence[Path]) -> dict[str, str]:
    """The sha256 of annotation files by name; of a folder of many files one, over their names and hashes.

    Files of different folders that share a name are named with their folders.
    """
    if len(paths) <= _MOST_NAMED:
        shared = Counter(path.name for path in dict.fromkeys(paths))
        return {
            path.name if shared[path.name] == 1 else f"{path.parent.name}/{path.name}": sha256_of(path)
            for path in paths
        }
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    found = {}
    for folder, members in folders.items():
        lines = "".join(f"{sha256_of(path)}  {path.name}\n" for path in sorted(members))
        found[f"{folder.name}/ ({len(members)} files)"] = hashlib.sha256(lines.encode()).hexdigest()
    return found


def refuse_twins(listed: Sequence[Listed]) -> None:
    """`DataError` if two photos would give records of one id: they would stand in two splits, or hide each other."""
    first: dict[str, Listed] = {}
    for one in listed:
        other = first.setdefault(one.id, one)
        if other is one:
            continue
        if other.photo == one.photo:
            places = one.split if other.split == one.split else f"{other.split} and {one.split}"
            raise DataError(f"{one.photo} is listed twice as record {one.id!r} (in {places}); remove one of the two")
        raise DataError(
            f"{one.photo} is listed twice (first in {other.split} as {other.photo}): both would be record {one.id!r}; "
            "remove one, or give the file another name if it is another photo"
        )


def refuse_wrong_orders(source: Source, files: Sequence[PhotoFile]) -> None:
    """`DataError` naming the likely order, if over a third of the boxes lie outside their photos as they are read."""
    rules = source.rules
    usable = [
        (one, _reference(one, file, rules))
        for one, file in zip(source.listed, files, strict=True)
        if not (one.lost or file.reason)
    ]
    crops = [(crop.values, wh, one.photo.name) for one, wh in usable for crop in one.crops]
    subjects = [(one.subject, wh, one.photo.name) for one, wh in usable if one.subject]
    ranked = [(values, wh, one.photo.name) for one, wh in usable for pair in one.ranked for values in pair.crops]
    slack = 0.01 if rules.fraction else SLACK_PX
    sources = [str(path) for path in source.annotations]
    refuse_wrong_order(crops, rules.order, f"the crops of {rules.dataset}", sources, slack)
    refuse_wrong_order(subjects, _XYXY, f"the subjects of {rules.dataset}", sources, slack)
    refuse_wrong_order(ranked, rules.order, f"the ranked pairs of {rules.dataset}", sources, slack)


class _Placing:
    """Turns the written boxes of one photo into boxes, and remembers what was clipped or dropped."""

    def __init__(self, one: Listed, file: PhotoFile, rules: Rules) -> None:
        self.wh = _reference(one, file, rules)
        self.unit = _unit(file, rules)
        self.dropped: list[Item] = []
        self.clipped: list[Item] = []

    def box(self, values: Four, order: str, item: str) -> Box | None:
        """The part of a written box inside the photo; None, with a reason in `dropped`, if there is none."""
        x1, y1, x2, y2 = corners(values, order)
        w, h = self.wh
        left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, w), min(y2, h)
        if not (left < right and top < bottom):
            what = "empty crop" if not (x1 < x2 and y1 < y2) else "a crop outside the photo"
            self.dropped.append({"item": item, "reason": f"{what}: {written(values)} ({order})"})
            return None
        if over := overflow(in_pixels(values, order, self.unit), _XYXY, (w * self.unit[0], h * self.unit[1])):
            self.clipped.append({"item": item, "overflow_px": int(over) if over == int(over) else round(over, 6)})
        return from_xyxy_px((left, top, right, bottom), self.wh)


def _pair(ranked: Ranked, record_id: str, item: str, rules: Rules, placing: _Placing) -> Pair | None:
    first, second = (placing.box(values, rules.order, item) for values in ranked.crops)
    if first is None or second is None:
        return None
    a, b = ranked.votes
    if min(a, b) < 0 or a == b or first == second:
        crops = ", ".join(written(values) for values in ranked.crops)
        placing.dropped.append({"item": item, "reason": f"no winner: votes {a}-{b}, crops {crops}"})
        return None
    chosen, rejected = (first, second) if a > b else (second, first)
    return Pair(record_id, chosen, rejected, abs(a - b) / (a + b), votes=(a, b))


def _reference(one: Listed, file: PhotoFile, rules: Rules) -> Size:
    """The size that written boxes refer to."""
    return (1, 1) if rules.fraction else one.wh or file.wh


def _unit(file: PhotoFile, rules: Rules) -> Size:
    """How many pixels 1 of a written box stands for, each way."""
    return file.wh if rules.fraction else (1, 1)


def _wrong_size(one: Listed, file: PhotoFile, rules: Rules) -> str:
    """Why the file is not the photo that was annotated, nor a resized copy of it; empty if nothing says so."""
    wh = one.wh or file.wh
    if abs(file.wh[0] * wh[1] - file.wh[1] * wh[0]) > _ASPECT_SLACK_PX * max(wh):
        return f"wrong size: {pixels(file.wh)} is no resized copy of the original's {pixels(wh)}"
    crops = [crop.values for crop in one.crops] + [values for pair in one.ranked for values in pair.crops]
    boxes = [("crop", values, rules.order) for values in crops]
    boxes += [("subject", one.subject, _XYXY)] if one.subject else []
    size = file.wh if rules.fraction else wh
    misfit = rules.misfit(one, wh) or far_out(boxes, _unit(file, rules), size, rules.overhang)
    return f"wrong size: {misfit}" if misfit else ""
