"""Training samples as stock TRL takes them: an `sft` and a `dpo` data set of conversations with photos.

Photos are written as the model sees them, upright and resized by the plan, and coordinates by the family's codec for
that plan: what stock TRL trains on is what `train` trains on. A photo of both sets is on disk once, where the file
system can link.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError, Interrupted
from crop_reasoning.images import VisionBudget, load_upright, sha256_of
from crop_reasoning.log import progress
from crop_reasoning.models.families import Family
from crop_reasoning.reasoning.chat import dpo_sample, sft_sample
from crop_reasoning.reasoning.pictures import pictures
from crop_reasoning.reasoning.prompts import count_images
from crop_reasoning.reasoning.store import PAIR_RATIONALES
from crop_reasoning.records import SPLITS, write_jsonl
from crop_reasoning.training.samples import Sample, check_images, samples_of
from data_builders.exporting import as_document, records_with_photos, refuse_target, write_text
from data_builders.manifest import MANIFEST

METADATA = "metadata.jsonl"
"""The name by which `datasets` knows the rows of a folder of images."""
Sets = dict[str, dict[str, list[Sample]]]


def export_trl(folder: Path, out: Path, family: Family, budget: VisionBudget, prompt_id: str) -> dict[str, Any]:
    """Write `<method>/<split>/` with `metadata.jsonl` and photos, a card and a manifest, all or nothing; the manifest.

    `DataError` if `out` holds something or lies in the built folder, if a record lacks its answer, and for photos that
    are gone or changed.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: is there already; choose another --out, or remove it")
    records = records_with_photos(folder)
    refuse_target(out, folder, records)
    splits = {record.split for record in records}
    methods = ("sft", "dpo") if (folder / PAIR_RATIONALES).is_file() else ("sft",)
    read = {
        method: {
            split: samples_of(folder, split, method, prompt_id, family, budget) for split in SPLITS if split in splits
        }
        for method in methods
    }
    sets = {method: {split: rows for split, rows in found.items() if rows} for method, found in read.items()}
    check_images({one.image: one.sha256 for found in sets.values() for rows in found.values() for one in rows})
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        licences = sorted({record.licence for record in records})
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as name:
            partial = Path(name) / out.name
            manifest = _write(sets, partial, folder, family, budget, {"prompt": prompt_id, "licences": licences})
            if out.is_dir():
                out.rmdir()
            os.replace(partial, out)
    except KeyboardInterrupt:
        raise Interrupted(f"{out}: stopped by hand, nothing is kept; the same command exports it") from None
    return manifest


def _write(
    sets: Sets, out: Path, folder: Path, family: Family, budget: VisionBudget, facts: dict[str, Any]
) -> dict[str, Any]:
    """Rows, photos, manifest and card into the new folder `out`; `facts` go into the manifest as they are."""
    samples = [one for found in sets.values() for rows in found.values() for one in rows]
    names = _names(samples)
    written: dict[Path, Path] = {}
    jobs = []
    for method, found in sets.items():
        for split, rows in found.items():
            place = out / method / split
            place.mkdir(parents=True)
            write_jsonl(place / METADATA, (_row(one, method, names[one.image]) for one in rows))
            jobs += [(one, place / names[one.image]) for one in {one.image: one for one in rows}.values()]
    first = [job for job in jobs if written.setdefault(job[0].image, job[1]) == job[1]]
    pool = ThreadPoolExecutor()
    try:
        for _ in progress(pool.map(lambda job: _write_photo(*job), first), "photos", len(first)):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    for one, target in jobs:
        if written[one.image] != target:
            for name in _pictures_of(one, target.name):
                _link(written[one.image].with_name(name), target.with_name(name))
    manifest = {
        "format": "trl",
        "family": family.model_type,
        "coordinates": _COORDINATES[family.model_type],
        "budget": asdict(budget),
        **facts,
        "counts": {method: {split: len(rows) for split, rows in found.items()} for method, found in sets.items()},
        "photos": len(written),
        "sources": {path.name: sha256_of(path) for path in sorted(folder.glob("*.jsonl"))},
        "files": {path.relative_to(out).as_posix(): sha256_of(path) for path in sorted(out.rglob(METADATA))},
    }
    write_text(out / MANIFEST, as_document(manifest))
    write_text(out / "README.md", _card(manifest))
    return manifest


def _names(samples: Sequence[Sample]) -> dict[Path, str]:
    """A file name for every photo: its own stem with the beginning of its hash, so that equal names do not collide."""
    return {one.image: f"{one.image.stem}-{one.sha256[:8]}.png" for one in samples}


def _row(one: Sample, method: str, name: str) -> dict[str, Any]:
    """A line of `metadata.jsonl`; `datasets` reads `images_file_names` as the column `images`."""
    columns = dpo_sample(one.messages, *one.answers) if method == "dpo" else sft_sample(one.messages, *one.answers)
    return {"id": one.id, "images_file_names": _pictures_of(one, name), **columns}


def _pictures_of(one: Sample, name: str) -> list[str]:
    """The file names of a sample's pictures: its photo and, where the prompt shows one, the copy with guides."""
    return [name, name.removesuffix(".png") + "-guides.png"][: count_images(one.prompt_id)]


def _write_photo(one: Sample, target: Path) -> None:
    """The pictures as the model sees them, without loss: a processor of the same budget finds nothing to resize."""
    image = load_upright(one.image)
    if image.size != one.plan.original_wh:
        raise DataError(f"{one.image}: is {image.size} px, the record says {one.plan.original_wh}; build the data anew")
    names = _pictures_of(one, target.name)
    for name, picture in zip(names, pictures(image, one.plan, one.prompt_id), strict=True):
        picture.save(target.with_name(name), compress_level=1)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


_COORDINATES = {
    "qwen2_5_vl": "absolute pixels of the photos in this folder, which are resized as the model sees them",
    "qwen3_vl": "integers 0-1000 of the photo, both ways",
}


def _card(manifest: dict[str, Any]) -> str:
    """`README.md`: what `datasets` loads under which name, and what a stock trainer must be told."""
    budget = manifest["budget"]
    front = ["---", "configs:"]
    for method, found in manifest["counts"].items():
        front += [f"- config_name: {method}", "  data_files:"]
        front += [line for split in found for line in (f"  - split: {split}", f"    path: {method}/{split}/*")]
    rows = [
        f"| {method} | {split} | {count:,} |"
        for method, found in manifest["counts"].items()
        for split, count in found.items()
    ]
    return "\n".join(
        [
            *front,
            "---",
            "",
            f"# Crop rationales for {manifest['family']}, in TRL's conversational form",
            "",
            f"- Family: `{manifest['family']}`; coordinates: {manifest['coordinates']}.",
            f"- Pixel budget: {budget['min_pixels']} to {budget['max_pixels']}, sides multiples of {budget['factor']}. "
            "Photos are resized to it already. Give the processor the same budget: with another one it resizes again"
            + (", and the coordinates are wrong." if manifest["family"] == "qwen2_5_vl" else "."),
            f"- Prompt: `{manifest['prompt']}`. {manifest['photos']:,} photos.",
            f"- Licences: {'; '.join(manifest['licences'])}. The photos are their owners'.",
            "- `max_length=None`: an answer ends with its coordinates, and TRL's default cuts them off silently.",
            "- `dpo` holds whole answers that differ in the decision alone. `crop-reasoning train` ends the rejected "
            "one at its box, a stock trainer does not.",
            "",
            "| set | split | samples |",
            "|---|---|---|",
            *rows,
            "",
            "```python",
            "from datasets import load_dataset",
            "from transformers import AutoProcessor",
            "from trl import SFTConfig, SFTTrainer",
            "",
            'processor = AutoProcessor.from_pretrained("<a model of this family>")',
            "processor.image_processor.size = "
            f'{{"shortest_edge": {budget["min_pixels"]}, "longest_edge": {budget["max_pixels"]}}}',
            'data = load_dataset("<this folder>", "sft", split="train")',
            "SFTTrainer(model, SFTConfig(max_length=None), train_dataset=data, processing_class=processor).train()",
            "```",
            "",
        ]
    )
