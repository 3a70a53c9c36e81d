"""The recipe: everything that makes a training run, as one strict file. The schema is ours.

This module owns the names, their limits and the combinations that cannot be meant. It must not know TRL, PEFT or
Accelerate (`trl_backend` maps it onto them) nor touch data and models (`preflight` does).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from crop_reasoning.assets import find_asset
from crop_reasoning.errors import RecipeError
from crop_reasoning.training import strict_yaml
from crop_reasoning.training.strict_yaml import Problem, Raw, got

NOT_TRAINING = ("eval", "launch")
"""Folders under `recipes/` that hold files of other kinds."""
NOT_IN_BASE = (
    *("model.attention", "model.dtype", "model.quantize", "prompt", "data.max_tokens"),
    *("optim.micro_batch_size", "optim.schedule", "report_to"),
)
"""Keys that base training, whose loop is its own, does not read: they must have their defaults."""

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class ModelOptions(_Section):
    """The base model (folder or hub id), an adapter to continue (adapter or run folder), and how it is loaded."""

    base: Text
    adapter: Text | None = None
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    dtype: Literal["float32", "bfloat16"] = "float32"
    quantize: Literal["none", "nf4"] = "none"
    min_pixels: Count | None = None
    max_pixels: Count | None = None


class DataOptions(_Section):
    """A built data set. A sample longer than `max_tokens` is refused by name, never cut.

    `dialogs` adds the conversations of `dialogs.jsonl` to SFT; `limit` then counts each of the two.
    """

    folder: Text
    split: Literal["train", "val", "test"] = "train"
    limit: Count | None = None
    max_tokens: Count = 4096
    dialogs: bool = False


class LoraOptions(_Section):
    """A new LoRA adapter. The vision tower stays frozen: engines ignore or refuse adapters on it."""

    rank: Count = 16
    alpha: Positive = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["language_model"] = "language_model"


class OptimOptions(_Section):
    """`batch_size` is global: processes x micro batches x accumulation. Either `steps` or `epochs` is given."""

    learning_rate: Positive
    batch_size: Count
    micro_batch_size: Count | None = None
    steps: Count | None = None
    epochs: Positive | None = None
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    weight_decay: NotNegative = 0.0
    max_grad_norm: Positive = 1.0


class DpoOptions(_Section):
    """Losses are summed with their weights (all 1 if none are given)."""

    beta: Positive = 0.1
    losses: Annotated[list[Literal["sigmoid", "hinge", "ipo", "bco_pair", "sft"]], Field(min_length=1)] = ["sigmoid"]
    weights: list[Positive] | None = None


class BaseOptions(_Section):
    """Base training of a model from scratch.

    `look_steps` of all steps train the vision tower alone. `matrix_learning_rate` is Muon's, for the layers' matrices;
    all else is AdamW's at `optim.learning_rate`. `soft_target_sigma` is the first width, in integers, of the coordinate
    targets, `grounding_weight` the weight of the dense grounding loss on the vision tokens.
    """

    look_steps: Annotated[int, Field(ge=0)] = 0
    matrix_learning_rate: Positive = 0.01
    soft_target_sigma: Positive = 15.0
    grounding_weight: NotNegative = 1.0


class Recipe(_Section):
    """One training run. `recipe show` prints it with every default filled in."""

    method: Literal["base", "sft", "dpo"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # what numpy takes
    model: ModelOptions
    prompt: Literal["crop-brief/1", "crop/1", "crop-brief/1+guides", "crop/1+guides"] = "crop-brief/1"
    data: DataOptions
    lora: LoraOptions | None = None
    optim: OptimOptions
    dpo: DpoOptions | None = None
    base: BaseOptions | None = None
    output: Text
    save_steps: Count = 100
    log_steps: Count = 10
    report_to: Literal["none", "tensorboard", "trackio"] = "none"


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a file with its `extends` and `--set` overrides; `RecipeError` lists everything wrong at once."""
    return strict_yaml.load(path, Recipe, overrides, [_sections, _base_keys, _lengths, _sizes])


def as_yaml(recipe: Recipe) -> str:
    """The resolved recipe: what `load_recipe` reads back as the same recipe."""
    return yaml.safe_dump(recipe.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True)


def differences(old: Recipe, new: Recipe) -> list[str]:
    """What changed between two recipes, a line a key, apart from where the output goes."""
    before, after = _flat(old.model_dump()), _flat(new.model_dump())
    return [
        f"{key} was {before.get(key)!r}, is {after.get(key)!r}"
        for key in sorted(before | after)
        if key != "output" and before.get(key) != after.get(key)
    ]


def find_recipes(root: Path | str | None = None) -> list[Path]:
    """Every training recipe under a folder (by default `recipes` here, else of the project), sorted.

    Evaluation recipes and launch files are of other kinds.
    """
    root = Path(root or "recipes")
    if not root.is_dir():
        root = Path(__file__).resolve().parents[2] / "recipes"
    paths = sorted(root.rglob("*.yaml"))
    return [path for path in paths if path.relative_to(root).parts[0] not in NOT_TRAINING]


def purpose(path: Path | str) -> str:
    """The first sentence of a recipe's header comment, or an empty text."""
    with open(path, encoding="utf-8") as file:
        first = file.readline().strip()
    return first.lstrip("# ").strip() if first.startswith("#") else ""


def resolve_path(name: str) -> Path:
    """A recipe by its path from here or from the project; `RecipeError` names a close match among those that exist."""
    with suppress(RecipeError):
        return find_asset(name)
    known = [str(path) for path in find_recipes()]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "see `crop-reasoning recipe ls`"
    raise RecipeError(f"{name}: no such recipe; {hint}")


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _sections(raw: Raw) -> Iterator[Problem]:
    """Sections that the method does not take, or cannot do without."""
    method = raw.get("method")
    for section in ("dpo", "base"):
        if raw.get(section) is not None and method in ("base", "sft", "dpo") and method != section:
            yield Problem((section,), f"only method {section} takes this section, the method is {method}; remove it")
    if method == "dpo" and raw.get("data.dialogs") is True:
        yield Problem(("data", "dialogs"), "only method sft is taught conversations, the method is dpo; remove it")
    adapter, lora = raw.get("model.adapter"), raw.get("lora")
    if method in ("sft", "dpo"):
        if adapter is not None and lora is not None:
            what = "model.adapter is continued with its own rank and targets; remove this section (or `lora: null`)"
            yield Problem(("lora",), what)
        if adapter is None and lora is None:
            yield Problem(("lora",), "is missing; add it, or name an adapter to continue in model.adapter")
    if method == "base":
        for key, value in (("model.adapter", adapter), ("lora", lora)):
            if value is not None:
                yield Problem(tuple(key.split(".")), "method base trains every weight, without an adapter; remove it")


def _base_keys(raw: Raw) -> Iterator[Problem]:
    """Keys that base training would silently not follow."""
    if raw.get("method") != "base":
        return
    for key in NOT_IN_BASE:
        value, default = raw.get(key), _default(key)
        if isinstance(value, (str, int)) and value != default:
            expected = "none" if default is None else default
            what = f"{got(value)}, expected {expected}: method base does not follow this key; remove it"
            yield Problem(tuple(key.split(".")), what)


def _default(dotted: str) -> Any:
    """The schema's default of `optim.schedule`."""
    *sections, name = dotted.split(".")
    schema: Any = Recipe
    for section in sections:
        schema = schema.model_fields[section].annotation
    return schema.model_fields[name].default


def _lengths(raw: Raw) -> Iterator[Problem]:
    """How long a run is, and whether its parts fit into it."""
    steps, epochs = raw.get("optim.steps"), raw.get("optim.epochs")
    if isinstance(raw.get("optim"), dict) and (steps is None) == (epochs is None):
        both = "both are given" if steps is not None else "neither is given"
        yield Problem(("optim", "steps"), f"expected either steps or epochs, {both}")
    warmup = raw.get("optim.warmup_steps")
    if isinstance(warmup, int) and isinstance(steps, int) and warmup >= steps:
        yield Problem(("optim", "warmup_steps"), f"{got(warmup)}, expected fewer than optim.steps ({steps})")
    look = raw.get("base.look_steps")
    if isinstance(look, int) and isinstance(steps, int) and look >= steps:
        yield Problem(("base", "look_steps"), f"{got(look)}, expected fewer than optim.steps ({steps})")
    losses, weights = raw.get("dpo.losses"), raw.get("dpo.weights")
    if isinstance(weights, list) and len(weights) != len(losses if isinstance(losses, list) else ["sigmoid"]):
        count = len(losses) if isinstance(losses, list) else 1
        yield Problem(("dpo", "weights"), f"{got(weights)}, expected one weight for each of the {count} losses")
    if isinstance(losses, list) and losses and all(loss == "sft" for loss in losses):
        yield Problem(("dpo", "losses"), f"{got(losses)}, expected at least one loss that compares the two answers")


def _sizes(raw: Raw) -> Iterator[Problem]:
    """Batches that do not divide, pixel budgets that are empty, quantization without its number format."""
    batch, micro = raw.get("optim.batch_size"), raw.get("optim.micro_batch_size")
    if isinstance(batch, int) and isinstance(micro, int) and micro > 0 and batch % micro:
        what = f"{got(micro)}, expected a divisor of optim.batch_size ({batch})"
        yield Problem(("optim", "micro_batch_size"), what)
    least, most = raw.get("model.min_pixels"), raw.get("model.max_pixels")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem(("model", "min_pixels"), f"{got(least)}, expected at most model.max_pixels ({most})")
