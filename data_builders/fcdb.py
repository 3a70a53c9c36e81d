"""FCDB (Flickr Cropping Dataset, Chen et al., WACV 2017): one expert crop a photo, and ranked pairs from five votes.

Crops are `x y w h` in pixels of the original photo. Of the official train photos one in ten, drawn by a hash of the
photo's id, is our `val`; test photos are `test`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from data_builders.fcdb_layout import CROPPING, OFFICIAL_COUNTS, RANKING, Layout, Photo, find_layout, read_photos
from data_builders.importing import Crop, Listed, Rules, Source
from data_builders.sources import require_folder

ORDER = "x y w h"
ONE_IN_VAL = 10
LICENCE = "Flickr photo, research use only; annotation MIT"


def read(root: Path | None) -> Source:
    """The photos that the cropping files of a copy list, in the files' order, train first."""
    layout = find_layout(require_folder(root, "FCDB"))
    photos, without_split = read_photos(layout)
    return Source(
        Rules("fcdb", ORDER, LICENCE, overhang=0.0),  # no released box stands out by more than 2 px
        [_listed(photo, layout) for photo in photos],
        [*(layout.annotations / name for name in (*CROPPING.values(), RANKING)), *layout.sizes],
        OFFICIAL_COUNTS,
        facts={
            "layout": layout.kind,
            "listed": {split: sum(photo.split == split for photo in photos) for split in CROPPING},
            "ranked_photos_without_split": without_split,
        },
    )


def split_of(official: str, photo_id: int) -> str:
    """Our split: `test` stays, one train photo in ten becomes `val`, by a hash that no other photo can change.

    >>> [split_of("train", photo_id) for photo_id in (4910188666, 18436750958)], split_of("test", 4910188666)
    (['train', 'train'], 'test')
    """
    draw = int(hashlib.sha256(str(photo_id).encode()).hexdigest(), 16)
    return "val" if official == "train" and draw % ONE_IN_VAL == 0 else official


def _listed(photo: Photo, layout: Layout) -> Listed:
    lost, wh = "", None
    if photo.file in layout.placeholders:
        lost = "Flickr's placeholder for a removed photo (placeholders.json)"
    elif layout.original_wh is not None:
        wh = layout.original_wh.get(photo.file)
        lost = "" if wh else "not in manifest.jsonl: the size of the original is unknown"
    return Listed(
        id=f"fcdb-{photo.photo_id}",
        split=split_of(photo.split, photo.photo_id),
        photo=layout.photos / photo.file,
        crops=(Crop(photo.crop, 1.0, "expert"),),
        ranked=photo.ranked,
        wh=wh,
        provenance=photo.url,
        lost=lost,
    )
