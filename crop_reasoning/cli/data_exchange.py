"""The verbs `data export` and `data import`: to other programs' formats, and what people made there back."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crop_reasoning.cli.options import Model, Run

if TYPE_CHECKING:
    from crop_reasoning.images import VisionBudget
    from crop_reasoning.models.families import Family

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


class ExportFormat(StrEnum):
    """What a built folder can be written as."""

    TRL = "trl"
    COCO = "coco"
    LABEL_STUDIO = "label-studio"


class ImportFormat(StrEnum):
    """What can be read back."""

    LABEL_STUDIO = "label-studio"


def export_data(
    form: Annotated[ExportFormat, typer.Argument(metavar="FORMAT", help="trl, coco or label-studio.")],
    folder: Annotated[Path, typer.Argument(help="A built data set (the folder that holds records.jsonl).")],
    out: Annotated[Path, typer.Option("--out", help="trl: a folder to make; coco, label-studio: a .json file.")],
    run: Run = None,
    model: Model = None,
    family: Annotated[str | None, typer.Option(help="trl: qwen3_vl or qwen2_5_vl, with both pixel bounds.")] = None,
    min_pixels: Annotated[int | None, typer.Option(min=1, help="trl: the least pixels a photo is seen with.")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="trl: the most pixels a photo is seen with.")] = None,
    prompt: Annotated[str | None, typer.Option(help="trl: crop-brief/1 (the default) or crop/1.")] = None,
    image_root: Annotated[
        Path | None, typer.Option(help="coco, label-studio: the folder that photos are named from.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a built data set for plain TRL, for COCO tools, or for people to correct in Label Studio.

    trl: photos as the model sees them, coordinates as its family writes them; family and pixel budget are those of
    --run or --model, or are given. label-studio: tasks, with the labeling config beside them.

    Example: crop-reasoning data export trl data/fcdb --model models/qwen3_vl --out export/fcdb
    """
    from crop_reasoning.errors import RecipeError

    of_trl = {"run": run, "model": model, "family": family, "min-pixels": min_pixels, "max-pixels": max_pixels}
    of_trl["prompt"] = prompt
    foreign = {"image-root": image_root} if form is ExportFormat.TRL else of_trl
    if named := [f"--{key}" for key, value in foreign.items() if value is not None]:
        raise RecipeError(f"the format {form} takes no {', '.join(named)}; leave it out")
    if form is ExportFormat.TRL:
        from data_builders.export_trl import export_trl

        kind, budget, prompt_id = _reading(run, model, family, (min_pixels, max_pixels), prompt)
        found = export_trl(folder, out, kind, budget, prompt_id)
    elif form is ExportFormat.COCO:
        from data_builders.export_coco import export_coco

        found = export_coco(folder, out, image_root)
    else:
        from data_builders.export_label_studio import export_label_studio

        found = export_label_studio(folder, out, image_root)
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else f"{out}: {_exported(form, found)}")


def import_data(
    form: Annotated[ImportFormat, typer.Argument(metavar="FORMAT", help="label-studio.")],
    file: Annotated[Path, typer.Argument(help="The file that Label Studio's Export > JSON wrote.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to build; by default data/label_studio.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The folder that photos are named from; by default the file's own.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Photos worked on at once.")] = None,
    as_json: AsJson = False,
) -> None:
    """Build a data set from what people drew in Label Studio; what they left as it was comes back as it was.

    Skipped annotations, rotated rectangles and unknown labels are listed with the reason in manifest.json.

    Example: crop-reasoning data import label-studio export.json --images photos --out data/corrected
    """
    from data_builders.build import build_dataset
    from data_builders.label_studio import CHANGED, NAME

    target = out or Path("data") / NAME
    options = {"images": str(images) if images else None, "workers": workers}
    manifest = build_dataset(NAME, file, target, {key: value for key, value in options.items() if value is not None})
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False))
        return
    records = manifest["counts"]["records"]
    splits = ", ".join(f"{split} {count:,}" for split, count in records.items())
    typer.echo(f"{target}: {sum(records.values()):,} records ({splits}) of {sum(manifest['listed'].values()):,} tasks")
    if CHANGED in manifest:
        typer.echo(f"{CHANGED}: {len(manifest[CHANGED])}")
    if manifest["dropped"]:
        typer.echo(f"dropped: {len(manifest['dropped'])}, each listed with its reason in {target / 'manifest.json'}")


def _reading(
    run: Path | None,
    model: str | None,
    family: str | None,
    pixels: tuple[int | None, int | None],
    prompt: str | None,
) -> tuple[Family, VisionBudget, str]:
    """Whose integers are written, for which pixel budget, and what is asked: said outright, never guessed."""
    from crop_reasoning.cli.options import model_source
    from crop_reasoning.errors import RecipeError
    from crop_reasoning.images import VisionBudget
    from crop_reasoning.models.families import family_named
    from crop_reasoning.reasoning.prompts import BRIEF, PROMPT_IDS

    source = model_source(run, model)
    if (source is None) == (family is None):
        raise RecipeError("trl: expected one of --run, --model and --family: coordinates differ between families")
    if prompt is not None and prompt not in PROMPT_IDS:
        raise RecipeError(f"--prompt {prompt}: expected one of {', '.join(PROMPT_IDS)}")
    least, most = pixels
    if source is not None:
        from crop_reasoning.models.loading import family_for, processor_source, resolve
        from crop_reasoning.models.processors import load_processor, vision_budget

        found = resolve(source)
        kind = family_for(found.base)
        own = vision_budget(load_processor(processor_source(found.base, found.adapter), kind), kind)
        least, most = least or own.min_pixels, most or own.max_pixels
        prompt = prompt or found.prompt_id
    else:
        kind = family_named(str(family), where="--family")
    if least is None or most is None or least > most:
        raise RecipeError(
            f"trl: a pixel budget from {least} to {most}; expected --min-pixels and --max-pixels, "
            "those of the processor that will train"
        )
    return kind, VisionBudget(kind.model_type, kind.resize_factor, least, most), prompt or BRIEF


def _exported(form: ExportFormat, found: dict[str, Any]) -> str:
    if form is ExportFormat.TRL:
        counts = (f"{name} {split} {n:,}" for name, splits in found["counts"].items() for split, n in splits.items())
        budget = found["budget"]
        return (
            f"{', '.join(counts)} samples, {found['photos']:,} photos for {found['family']}, "
            f"{budget['min_pixels']} to {budget['max_pixels']} pixels"
        )
    if form is ExportFormat.COCO:
        return (
            f"{found['images']:,} images, {found['annotations']:,} annotations; file names start in "
            f"{found['image_root']}"
        )
    return (
        f"{found['tasks']:,} tasks; labeling config {found['config']}\n"
        f"start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true "
        f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={found['document_root']}\n"
        f"and give the project a local source storage {found['storage']} (do not sync it) before you import the tasks"
    )
