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
    listed, sources = [], []
    for split in ("train", "test"):
        path = root / f"{split}_label.txt"
        sources.append(path)
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        labels = [numbers(line, len(CLASSES), f"{path.name}:{number}") for number, line in enumerate(lines, 1)]
        photos = {int(photo.stem): photo for photo in photos_in(root / f"{split}_img") if photo.stem.isdecimal()}
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
    return Source(Rules("kupcp", "x1 y1 x2 y2", LICENCE), listed, sources, {})
