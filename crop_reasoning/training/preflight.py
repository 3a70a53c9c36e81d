"""Everything that can be known to be wrong before weights are loaded: checked, printed and kept as preflight.md.

The checks read configs, headers, texts and the bytes of photos; weights are not loaded and no accelerator is touched.
A check that fails ends the run with its sentence.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crop_reasoning.errors import CropReasoningError, DataError, EnvironmentProblem, ModelError
from crop_reasoning.images import sha256_of
from crop_reasoning.log import say
from crop_reasoning.models.families import Family
from crop_reasoning.models.loading import family_for, processor_source, resolve
from crop_reasoning.models.processors import load_processor, vision_budget
from crop_reasoning.reasoning.lengths import audit
from crop_reasoning.reasoning.pictures import drawn_by
from crop_reasoning.reasoning.prompts import shows_guides
from crop_reasoning.reasoning.rationale import render_box
from crop_reasoning.training import run_folder, samples
from crop_reasoning.training.recipe import Recipe
from crop_reasoning.training.samples import Encoded

CHECKED_ROWS = 4
"""So many samples go through the stock processor, to be compared with ours token by token."""
KEPT_CHECKPOINTS = 3  # two, and the one being written


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the checks found out and training needs: where the weights are, the processor, the encoded samples."""

    base: str
    adapter: str | None
    family: Family
    processor: Any
    rows: list[Encoded]
    hashes: dict[str, str]
    findings: dict[str, str] = field(default_factory=dict)


def prepare(recipe: Recipe, folder: Path, *, photos: bool = True) -> Prepared:
    """Run every check of a recipe that trains an adapter; the first that fails raises its sentence.

    `photos` says whether to read the bytes of all photos, which one of several processes does for all.
    """
    findings = {"versions": packages()}
    check_options(recipe)
    base, adapter = locate(recipe)
    family = family_for(base)
    processor = load_processor(processor_source(base, adapter), family)
    set_budget(processor, recipe)
    findings["model"] = f"{base}, family {family.model_type}" + (f", continues {adapter}" if adapter else "")
    linears = language_linears(base)
    trainable, findings["LoRA"] = check_adapter(recipe, adapter, linears, family)
    findings["disk"] = check_disk(folder, trainable)
    read = samples.read_samples(recipe, family, vision_budget(processor, family))
    if photos:
        findings["photos"] = samples.check_images({sample.image: sample.sha256 for sample in read})
        if shows_guides(recipe.prompt):
            findings["guides"] = measure_photos([sample.image for sample in read])
    rows = samples.encode(read, processor)
    lengths = audit(((row.sample.id, row.tokens) for row in rows), recipe.data.max_tokens)
    lengths.require()
    findings["lengths"] = (
        f"{lengths.n} samples, {lengths.mean:.0f} tokens on average, longest {lengths.longest} of {lengths.max_tokens}"
    )
    findings["labels"] = check_batch(rows, processor, family, recipe.method)
    hashes = run_folder.data_hashes(recipe, Path(base), Path(adapter) if adapter else None)
    findings["data"] = short_hashes(hashes)
    return Prepared(base, adapter, family, processor, rows, hashes, findings)


def measure_photos(photos: list[Path]) -> str:
    """Measure the composition of photos whose guides will be drawn, once for all runs; what was found.

    `DataError` names those that cannot be measured.
    """
    from crop_reasoning.composition.batch import analyse_all, cache_folder

    distinct = sorted(set(photos))
    made = analyse_all(distinct, os.cpu_count() or 1, cache_folder())
    if made.unreadable:
        raise DataError(f"{len(made.unreadable)} photos cannot be measured: {'; '.join(made.unreadable.values())}")
    return f"{len(distinct)} photos measured, {made.cached} of them before; drawn by {drawn_by()}"


def packages() -> str:
    """The versions that a run rests on, in words."""
    return ", ".join(f"{name} {number}" for name, number in run_folder.versions().items())


def short_hashes(hashes: dict[str, str]) -> str:
    """What a run is made from, in words."""
    return ", ".join(f"{Path(name).name} {digest[:12]}" for name, digest in hashes.items())


def report(findings: dict[str, str], folder: Path) -> None:
    """Print the findings as one table and keep them as preflight.md."""
    width = max(map(len, findings))
    for name, text in findings.items():
        say(f"  {name:<{width}}  {text}")
    lines = ["# Checks before training", "", "| check | found |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in findings.items()]
    (folder / run_folder.PREFLIGHT).write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_options(recipe: Recipe) -> None:
    """`EnvironmentProblem` for options whose package is not installed here."""
    wanted = {
        "model.quantize: nf4": ("bitsandbytes", recipe.model.quantize == "nf4"),
        "model.attention: flash_attention_2": ("flash_attn", recipe.model.attention == "flash_attention_2"),
        f"report_to: {recipe.report_to}": (recipe.report_to, recipe.report_to != "none"),
    }
    for option, (module, asked) in wanted.items():
        if asked and importlib.util.find_spec(module) is None:
            raise EnvironmentProblem(
                f"{option} needs the package {module}, not installed here; install it or change it"
            )


def locate(recipe: Recipe) -> tuple[str, str | None]:
    """(base, adapter) as loadable names; `ModelError` if the adapter was trained on another base."""
    source = resolve(recipe.model.base)
    if source.adapter:
        raise ModelError(
            f"model.base: {recipe.model.base} is an adapter's run; name its base ({source.base}) here and the run in "
            "model.adapter"
        )
    if not recipe.model.adapter:
        return source.base, None
    tuned = resolve(recipe.model.adapter)
    if not tuned.adapter:
        raise ModelError(
            f"model.adapter: {recipe.model.adapter} holds no adapter; expected an SFT run or adapter folder"
        )
    if not _same_base(tuned.base, source.base):
        raise ModelError(
            f"model.adapter: {recipe.model.adapter} was trained on {tuned.base}, the recipe's base is {source.base}; "
            "an adapter fits no other base, name its own"
        )
    return source.base, tuned.adapter


def _same_base(a: str, b: str) -> bool:
    """The same name, or folders with the same weights."""
    if a == b or Path(a).resolve() == Path(b).resolve():
        return True
    weights = [sorted(Path(name).glob("*.safetensors")) for name in (a, b)]
    sums = [[sha256_of(path) for path in paths] for paths in weights]
    return bool(sums[0]) and sums[0] == sums[1]


def set_budget(processor: Any, recipe: Recipe) -> None:
    """Give the processor the recipe's pixel budget; it is saved with the adapter, so serving plans alike."""
    size = dict(processor.image_processor.size)
    size["shortest_edge"] = recipe.model.min_pixels or size["shortest_edge"]
    size["longest_edge"] = recipe.model.max_pixels or size["longest_edge"]
    if size["shortest_edge"] > size["longest_edge"]:
        raise ModelError(
            f"{recipe.model.base}: the pixel budget is empty, from {size['shortest_edge']} to {size['longest_edge']}; "
            "set model.min_pixels and model.max_pixels both"
        )
    processor.image_processor.size = size


def language_linears(base: str) -> dict[str, tuple[int, int]]:
    """(inputs, outputs) of every linear layer of a model by its full name, from the config alone."""
    import torch

    return {
        name: (layer.in_features, layer.out_features)
        for name, layer in outline(base).named_modules()
        if isinstance(layer, torch.nn.Linear)
    }


def outline(base: str) -> Any:
    """A model without its weights, from the config alone."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    auto: Any = AutoModelForImageTextToText
    with torch.device("meta"):
        return auto.from_config(AutoConfig.from_pretrained(base))


def check_adapter(
    recipe: Recipe, adapter: str | None, linears: dict[str, tuple[int, int]], family: Family
) -> tuple[int, str]:
    """(trainable parameters, what was found): the new adapter reaches layers, or the old one fits them all."""
    if adapter:
        shapes = _adapter_shapes(Path(adapter) / "adapter_model.safetensors")
        misfits = [name for name, (down, up) in shapes.items() if linears.get(name) != (down[-1], up[0])]
        if misfits:
            raise ModelError(
                f"{adapter}: {len(misfits)} of {len(shapes)} adapter layers do not fit {recipe.model.base}, first "
                f"{misfits[0]!r}; they would have no effect: use the base it was trained on"
            )
        trainable = sum(down[0] * down[1] + up[0] * up[1] for down, up in shapes.values())
        return trainable, f"{len(shapes)} layers of {adapter} fit, {trainable / 1e6:.3f} M trainable parameters"
    assert recipe.lora is not None
    rank = recipe.lora.rank
    targets = {name: size for name, size in linears.items() if re.fullmatch(family.lora_targets, name)}
    if not targets:
        raise ModelError(f"{recipe.model.base}: LoRA finds no layer named {family.lora_targets}; nothing would train")
    trainable = sum(rank * (inputs + outputs) for inputs, outputs in targets.values())
    return trainable, f"{len(targets)} layers, rank {rank}, {trainable / 1e6:.3f} M trainable parameters"


def _adapter_shapes(weights: Path) -> dict[str, tuple[list[int], list[int]]]:
    """Shapes of the two LoRA factors (rank x inputs, outputs x rank) by layer name, from the file's header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "np") as file:
            shapes = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as problem:
        raise ModelError(f"{weights}: cannot be read ({problem}); was the copy cut short?") from None
    prefix, half = "base_model.model.", ".lora_A.weight"
    names = [key for key in shapes if key.endswith(half)]
    return {
        key.removeprefix(prefix).removesuffix(half): (shapes[key], shapes.get(key.replace("lora_A", "lora_B"), [0, 0]))
        for key in names
    }


def check_disk(folder: Path, trainable: int) -> str:
    """`EnvironmentProblem` if the checkpoints of so many trainable parameters would not fit on the disk."""
    one = 3 * 4 * trainable + 32 * 2**20  # float32 weights and both Adam moments; tokenizer and states
    needed, free = KEPT_CHECKPOINTS * one, shutil.disk_usage(_existing(folder)).free
    if free < needed:
        raise EnvironmentProblem(
            f"{folder}: {free / 1e9:.2f} GB free, {KEPT_CHECKPOINTS} checkpoints need about {needed / 1e9:.2f} GB; "
            "free some, or give an --output on another disk"
        )
    return f"{free / 1e9:.1f} GB free, about {needed / 1e9:.2f} GB needed"


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())


def check_batch(rows: list[Encoded], processor: Any, family: Family, method: str) -> str:
    """Compare a batch with the stock processor's, and see that the box of every decision carries labels."""
    from crop_reasoning.training.batches import Samples, collator

    checked = rows[:CHECKED_ROWS]
    dataset = Samples(checked)
    items = [dataset[index] for index in range(len(dataset))]
    batch = collator(processor, method)(items)
    _compare_with_stock(checked, items, batch, processor)
    supervised = batch["completion_mask"] == 1 if method == "dpo" else batch["labels"] >= 0
    sequences = [(row, answer) for answer in range(len(rows[0].answer_ids)) for row in checked]
    for index, (row, answer) in enumerate(sequences):
        text = samples.conversation(row.sample, processor)[1][answer]
        positions = [len(row.prompt_ids) + position for position in samples.box_tokens(text, processor)]
        whole = positions[-1] < supervised.shape[1] and bool(supervised[index, positions].all())
        spelled = processor.tokenizer.decode(batch["input_ids"][index, positions]) if whole else ""
        box = render_box(samples.target_box(row.sample, answer, family), family.codec, row.sample.plan)
        if f"[{spelled.strip()}]" != box:
            raise CropReasoningError(
                f"sample {row.sample.id}: the labelled tokens of its decision read {spelled!r}, expected {box}; the "
                "box would not be learnt: report this with the model's name"
            )
    return f"the decision's box carries labels in {len(sequences)} of {len(sequences)} sequences; grids equal the plan"


def _compare_with_stock(rows: list[Encoded], items: list[Any], batch: dict[str, Any], processor: Any) -> None:
    """`ModelError` unless prompts, grids and pixels are what the model's own processor makes of the same samples."""
    texts = [samples.conversation(row.sample, processor)[0] for row in rows]
    patches = images = 0
    for row, item, text in zip(rows, items, texts, strict=True):
        stock = processor(text=[text], images=list(item["pixels"]), return_tensors="pt", add_special_tokens=False)
        grid, ids = batch["image_grid_thw"][images : images + len(item["pixels"])], stock["input_ids"][0].tolist()
        count = int(grid.prod(1).sum())
        pixels = batch["pixel_values"][patches : patches + count]
        patches, images = patches + count, images + len(grid)
        if ids != row.prompt_ids or stock["image_grid_thw"].tolist() != grid.tolist():
            raise ModelError(
                f"sample {row.sample.id}: planned {len(row.prompt_ids)} prompt tokens and grid {grid.tolist()}, the "
                f"model's processor makes {len(ids)} and {stock['image_grid_thw'].tolist()}; its versions changed?"
            )
        if float((stock["pixel_values"] - pixels).abs().max()) > 1e-3:
            raise ModelError(f"sample {row.sample.id}: its pixels differ from those of the model's own processor")
