"""The model card of a run folder, written from what the folder holds: by training, and anew by an evaluation."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from crop_reasoning.errors import DataError
from crop_reasoning.log import say
from crop_reasoning.models.adapters import base_of
from crop_reasoning.records import read_records
from crop_reasoning.training import run_folder
from crop_reasoning.training.recipe import Recipe, load_recipe

METHODS = {
    "base": "Base training from scratch: grounding and reading coordinates, no crop rule",
    "sft": "LoRA supervised fine-tuning on composition rationales",
    "dpo": "DPO on ranked pairs of crops; the reference is the adapter it started from",
}
_LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("{base}")
model = PeftModel.from_pretrained(model, "{folder}/adapter")
processor = AutoProcessor.from_pretrained("{folder}/adapter")"""
_LOAD_MODEL = """\
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("{folder}/model")
processor = AutoProcessor.from_pretrained("{folder}/model")"""


def write_card(folder: Path) -> Path:
    """Write `README.md` of a finished run (and the adapter's, in place of PEFT's empty form); its path."""
    recipe = load_recipe(folder / run_folder.RECIPE)
    tuned = (folder / run_folder.ADAPTER).is_dir()
    base = base_of(folder / run_folder.ADAPTER) if tuned else recipe.model.base
    snippet = (_LOAD_ADAPTER if tuned else _LOAD_MODEL).format(base=base, folder=folder)
    parts = [
        f"---\nbase_model: {base}\nlibrary_name: {'peft' if tuned else 'transformers'}\n"
        "pipeline_tag: image-text-to-text\n---\n",
        f"# {folder.name}: photo cropping with reasons\n\n{METHODS[recipe.method]}.\n",
        _made_from(folder, recipe, base),
        _figures(folder),
        "## Use\n\n"
        f"`crop-reasoning crop photo.jpg --run {folder}`, `crop-reasoning serve --run {folder}`, or without this "
        f"project (`AutoProcessor` of a Qwen-VL model needs torchvision):\n\n```python\n{snippet}\n```\n",
        "## What is reconstructed\n\nThe method follows CROP (arXiv 2605.12545): analysis, proposals, decision; LoRA "
        "SFT, then DPO on expert-ranked pairs. Its code, prompts, rationales and weights are not public; six of its "
        "ten compositional elements are. The answer format, the other four elements, the rationales and every setting "
        "in `recipe.yaml` are this project's own; figures here are not the paper's.\n",
        f"## Recipe\n\n```yaml\n{(folder / run_folder.RECIPE).read_text(encoding='utf-8')}```\n",
    ]
    card = folder / run_folder.CARD
    card.write_text("\n".join(parts), encoding="utf-8")
    if tuned:
        (folder / run_folder.ADAPTER / "README.md").write_text("\n".join(parts), encoding="utf-8")
    return card


def _made_from(folder: Path, recipe: Recipe, base: str) -> str:
    """Base, data with its licences, length and end of the run, versions."""
    environment = json.loads((folder / run_folder.ENVIRONMENT).read_text())
    versions = ", ".join(f"{name} {number}" for name, number in environment["packages"].items())
    rows = [
        f"| base | {base} |",
        *([f"| continues | {recipe.model.adapter} |"] if recipe.model.adapter else []),
        f"| data | {_data(recipe)} (sha256 in `data.lock`) |",
        f"| prompt | {recipe.prompt} |",
        f"| training | {_length(folder)} |",
        f"| code | crop-reasoning {environment['crop_reasoning']}, commit {environment['commit'] or 'unknown'} |",
        f"| versions | {versions} |",
    ]
    return "\n".join(["## Made from\n", "| what | which |", "|---|---|", *rows, ""])


def _data(recipe: Recipe) -> str:
    try:
        records = read_records(recipe.data.folder, recipe.data.split)
    except DataError as gone:
        say(f"model card: the data's licences are left out ({gone})")
        return f"{recipe.data.folder}, split {recipe.data.split}"
    licences = ", ".join(f"{name} ({n})" for name, n in Counter(record.licence for record in records).most_common())
    names = ", ".join(sorted({record.dataset for record in records}))
    note = "; weights trained on photos for research use are for research use" if "research" in licences else ""
    return f"{names}, split {recipe.data.split}, {len(records)} photos; licences: {licences}{note}"


def _length(folder: Path) -> str:
    """Steps, first and last loss, from the metrics."""
    path = folder / run_folder.METRICS
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    if not lines:
        return "see the recipe"
    return f"{lines[-1]['step']} steps, loss {lines[0]['loss']:.4f} to {lines[-1]['loss']:.4f}"


def _figures(folder: Path) -> str:
    reports = sorted((folder / "eval").rglob("report.md"))
    if not reports:
        evaluate = f"`crop-reasoning evaluate --run {folder} --data DATA`"
        return f"## Figures\n\nNot evaluated yet: {evaluate} writes its report into the run and its figures here.\n"
    texts = [f"`{path.relative_to(folder)}`\n\n{path.read_text(encoding='utf-8').strip()}\n" for path in reports]
    return "\n".join(["## Figures\n", *texts])
