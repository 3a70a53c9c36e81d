"""KU-PCP (Lee et al., 2018): photos with labels of nine composition classes and no crops.

A label file holds nine 0/1 a line, for photo 1, 2, 3, ... in the order of `CLASSES`.
"""

from __future__ import annotations

from pathlib import Path

from crop_reasoning.errors import DataError
from crop_reasoning.records import LABELS_ONLY
from data_builders.importing import Listed, Rules, Source
from data_builders.sources import find_root, numbers, photos_in

CLASSES = (
    "rule of thirds",
    "vertical",
    "horizontal",
    "diagonal",
    "curved",
    "triangle",
    "center",
    "symmetric",
    "pattern",
)
"""The columns of a label line, by the names of `composition.elements`."""
LICENCE = "research use only"


def read(root: Path | None) -> Source:
    """A record a photo with the names of its classes; photos are matched to lines by the number in their name."""
    parts = [part for split in ("train", "test") for part in (f"{split}_img", f"{split}_label.txt")]
    root = find_root(root, "kupcp", parts, "KU_PCP")
    listed, sources, dropped = [], [], []
    for split in ("train", "test"):
        path = root / f"{split}_label.txt"
        sources.append(path)
        labels = _labels(path)
        photos: dict[int, Path] = {}
        for photo in photos_in(root / f"{split}_img"):
            if not photo.stem.isdecimal():
                dropped.append({"item": photo.name, "reason": "its name is no number: no label belongs to it"})
            elif (other := photos.setdefault(int(photo.stem), photo)) is not photo:
                raise DataError(f"{photo}: {other.name} has the same number; a label could mean either, remove one")
        first = 0 if 0 in photos else 1
        if photos and max(photos) - first >= len(labels):
            raise DataError(
                f"{path}: {len(labels)} lines, but there is a photo {max(photos)}; is the label file complete?"
            )
        for number, label in enumerate(labels, first):
            photo = photos.get(number, root / f"{split}_img" / f"{number}.jpg")
            names = [name for name, value in zip(CLASSES, label, strict=True) if value]
            listed.append(
                Listed(f"kupcp-{split}-{number}", split, photo, task=LABELS_ONLY, scene={"composition": names})
            )
    return Source(Rules("kupcp", "x1 y1 x2 y2", LICENCE), listed, sources, {}, dropped)


def _labels(path: Path) -> list[tuple[float, ...]]:
    """The nine labels a line, each 0 or 1."""
    labels = []
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        label = numbers(line.split(), len(CLASSES), f"{path}:{number}")
        if not set(label) <= {0.0, 1.0}:
            raise DataError(f"{path}:{number}: got {line.strip()[:80]}, expected nine labels of 0 or 1")
        labels.append(label)
    return labels
