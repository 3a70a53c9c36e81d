"""Records as Parquet shards with the photos inside, which `datasets.load_dataset(folder)` reads as they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crop_reasoning.records import SPLITS, CropRecord, to_json

FOLDER, PHOTOS_A_SHARD = "parquet", 500
_OURS = re.compile(rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.(parquet|partial)")


def write_parquet(folder: Path, records: Sequence[CropRecord]) -> list[Path]:
    """Write `parquet/<split>-<i>-of-<n>.parquet` beside the records; the files.

    Shards that are there are made anew, those of other numbers removed; nothing else in `parquet/` is touched.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    schema = _schema()
    written = []
    for split in SPLITS:
        members = [record for record in records if record.split == split]
        count = -(-len(members) // PHOTOS_A_SHARD)
        for number in range(count):
            path = target / f"{split}-{number:05d}-of-{count:05d}.parquet"
            partial = path.with_suffix(".partial")
            shard = members[number * PHOTOS_A_SHARD : (number + 1) * PHOTOS_A_SHARD]
            with ParquetWriter(partial, schema) as writer:
                for start in range(0, len(shard), 50):
                    rows = [_row(folder, record) for record in shard[start : start + 50]]
                    writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
            os.replace(partial, path)
            written.append(path)
    for stale in set(target.iterdir()) - set(written):
        if _OURS.fullmatch(stale.name):
            stale.unlink()
    return written


def _row(folder: Path, record: CropRecord) -> dict[str, Any]:
    value = to_json(record)
    photo = folder / record.image.path
    image = {"bytes": photo.read_bytes(), "path": photo.name}
    file = {"sha256": record.image.sha256, "wh": record.image.wh}
    return {**value, **file, "image": image, "scene": json.dumps(value["scene"])}


def _schema() -> Any:
    """The columns of a record. The metadata tells `datasets` what they are, above all that `image` is an Image."""
    import pyarrow as pa

    text, box = pa.string(), pa.list_(pa.float64())
    sides = pa.list_(pa.int64())
    columns = {
        "id": text,
        "dataset": text,
        "split": text,
        "image": pa.struct({"bytes": pa.binary(), "path": text}),
        "sha256": text,
        "wh": sides,
        "crops": pa.list_(pa.struct({"box": box, "score": pa.float64(), "source": text})),
        "task": text,
        "subject": box,
        "aspect": sides,
        "licence": text,
        "provenance": text,
        "scene": text,
    }
    features = {name: _feature(kind) for name, kind in columns.items()} | {"image": {"_type": "Image"}}
    return pa.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: Any) -> Any:
    """A column's type in the words of `datasets`."""
    import pyarrow.types as types

    if types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    if types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    names = {"double": "float64"}
    return {"_type": "Value", "dtype": names.get(str(kind), str(kind))}
