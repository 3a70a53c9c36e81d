"""HCIC's boxes of people (Zhang et al., ECCV 2022), joined to the photos of FCDB, FLMS, GAICD and CPC.

`human_bboxes/<SET>/human_bboxes.json` holds `x1 y1 x2 y2` a photo in pixels of the original, for CPC `{"bbox": ...}`. A
record is the other data set's record of the same photo, with the person as its subject.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.json_fields import as_object
from data_builders import cpc, fcdb, flms, gaicd
from data_builders.importing import Four, Source
from data_builders.sources import find_root, four, read_json

READERS: dict[str, tuple[str, Callable[[Path | None], Source]]] = {
    "fcdb": ("FCDB", fcdb.read),
    "flms": ("FLMS", flms.read),
    "gaicd_v1": ("GAICD", gaicd.read_v1),
    "cpc": ("CPC", cpc.read),
}
"""What can be joined: its folder in `human_bboxes`, and who reads its copy."""
OFFICIAL = {"fcdb": 176, "flms": 39, "gaicd_v1": 339, "cpc": 1154}
"""Photos with a person that the authors list."""


def read(root: Path | None, *, join: Sequence[str] = ()) -> list[Source]:
    """One source for each `NAME=DIR` in `join`; `RecipeError` for none or an unknown name."""
    root = find_root(root, "hcic", ["human_bboxes"], "HCIC")
    joined = [entry.partition("=") for entry in join]
    if not joined or not all(name in READERS and folder for name, _, folder in joined):
        raise RecipeError(
            f"hcic holds boxes of people and no photos: join the data sets they belong to with --join NAME=DIR "
            f"(NAME one of {', '.join(READERS)}), got {' '.join(join) or 'none'}"
        )
    return [_with_people(root, name, Path(folder)) for name, _, folder in joined]


def _with_people(root: Path, name: str, folder: Path) -> Source:
    own, reader = READERS[name]
    path = root / "human_bboxes" / own / "human_bboxes.json"
    people = {photo: _person(box, f"{path}: {photo}") for photo, box in as_object(read_json(path), str(path)).items()}
    source = reader(folder)
    listed = tuple(
        replace(one, id=f"hcic-{one.id}", subject=people[one.photo.name], task="subject")
        for one in source.listed
        if one.photo.name in people
    )
    found = {one.photo.name for one in listed}
    lost = tuple(
        {"item": photo, "reason": f"not listed in the copy of {name} at {folder}"}
        for photo in people
        if photo not in found
    )
    return replace(
        source,
        rules=replace(source.rules, dataset="hcic"),
        listed=listed,
        annotations=[*source.annotations, path],
        official={},
        dropped=lost,
        facts={f"people in {name}": {"listed": len(people), "official": OFFICIAL[name]}},
    )


def _person(value: Any, where: str) -> Four:
    x1, y1, x2, y2 = four(value.get("bbox") if isinstance(value, dict) else value, where)
    if not (x1 < x2 and y1 < y2):
        raise DataError(f"{where}: got {value}, expected x1 y1 x2 y2 of a person")
    return (x1, y1, x2, y2)
