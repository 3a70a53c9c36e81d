"""From a name to a model: run folders, model folders, adapters and hub ids, resolved in one place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crop_reasoning.errors import ModelError
from crop_reasoning.images import sha256_of
from crop_reasoning.log import quiet_libraries, say
from crop_reasoning.models.adapters import attach, base_of, is_adapter
from crop_reasoning.models.families import Family, family_named, family_of
from crop_reasoning.models.processors import load_processor
from crop_reasoning.reasoning.pictures import drawn_by

MOST_HASHED_BYTES = 200e6
"""A base of larger weights is not compared with what its adapter was trained on: that would take seconds a load."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What to load: a base (folder or hub id), an adapter on top of it or None, and the prompt it was tuned with."""

    base: str
    adapter: str | None
    prompt_id: str | None


def resolve(name: str | Path) -> ModelSource:
    """What `name` means: a run folder (with `adapter/` or `model/`), a model folder, an adapter folder, or a hub id.

    `ModelError` for a folder that is none of these, for a path that does not exist, and for a run whose base changed.
    """
    folder = Path(name)
    if not folder.is_dir():
        if str(name).count("/") == 1 and not folder.parent.is_dir():
            return ModelSource(str(name), None, None)  # looks like organization/model
        raise ModelError(f"{name}: no such folder; expected a run, a model or an adapter folder, or organization/model")
    if (folder / "recipe.yaml").is_file():
        prompt_id = _prompt_of(folder)
        if is_adapter(folder / "adapter"):
            base = _beside(base_of(folder / "adapter"), folder)
            _require_unchanged(Path(base), folder)
            return ModelSource(base, str(folder / "adapter"), prompt_id)
        if (folder / "model" / "config.json").is_file():
            return ModelSource(str(folder / "model"), None, prompt_id)
        raise ModelError(f"{folder}: the run has neither adapter/ nor model/ yet; finish it with --resume")
    if is_adapter(folder):
        return ModelSource(_beside(base_of(folder), folder), str(folder), None)
    if (folder / "config.json").is_file():
        return ModelSource(str(folder), None, None)
    raise ModelError(f"{folder}: holds no recipe.yaml, adapter_config.json or config.json; expected a run or a model")


def _prompt_of(run: Path) -> str | None:
    import yaml

    try:
        recipe: dict[str, Any] = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
        return recipe.get("prompt")
    except (OSError, ValueError, yaml.YAMLError, AttributeError) as problem:
        raise ModelError(f"{run / 'recipe.yaml'}: is no recipe ({problem}); was the copy cut short?") from None


def tell_other_guides(run: str | Path) -> None:
    """Say so if a run was trained on guides that were drawn by other measures or networks than those here."""
    path = Path(run) / "environment.json"
    if not path.is_file():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8")).get("guides")
    except (OSError, ValueError, AttributeError):
        return  # the run is whole without it
    if before and before != (here := drawn_by()):
        say(
            f"{run}: was trained on guides drawn by {before}, here they are drawn by {here}; expect worse crops "
            '(the networks are in the extra "subjects")'
        )


def _beside(base: str, folder: Path) -> str:
    """A base path as the adapter wrote it, or, if runs were moved together, relative to the adapter's parents."""
    if Path(base).is_absolute() or Path(base).is_dir():
        return base
    for parent in folder.resolve().parents:
        if (parent / base).is_dir():
            return str(parent / base)
    return base


def _require_unchanged(base: Path, run: Path) -> None:
    """`ModelError` if a base on this disk is not the one whose sha256 stand in the run's `data.lock`.

    The lock names paths as the recipe wrote them, from wherever the run was trained: files are told by their names.
    """
    lock = run / "data.lock"
    if not lock.is_file() or not base.is_dir():
        return
    try:
        entries: dict[str, str] = json.loads(lock.read_text(encoding="utf-8"))
        named = {Path(path).name: digest for path, digest in entries.items()}
    except (OSError, ValueError, AttributeError) as problem:
        raise ModelError(f"{lock}: cannot be read ({problem}); was the copy cut short?") from None
    trained_on = {name: digest for name, digest in named.items() if name == "config.json" or _is_base_weight(name)}
    if sum(path.stat().st_size for path in base.glob("*.safetensors")) >= MOST_HASHED_BYTES:
        return
    for name, digest in sorted(trained_on.items()):
        if not (base / name).is_file() or sha256_of(base / name) != digest:
            raise ModelError(
                f"{run}: its adapter was trained on another {base}: {name} is not the one of {lock.name}, expected "
                f"sha256 {digest[:12]}; restore that base, or train the run anew"
            )


def _is_base_weight(name: str) -> bool:
    return name.endswith(".safetensors") and not name.startswith("adapter_")


def family_for(base: str) -> Family:
    """The family of a model folder or hub id, from its config's `model_type`."""
    if Path(base).is_dir():
        return family_of(base)
    from transformers import AutoConfig

    try:
        return family_named(AutoConfig.from_pretrained(base).model_type, where=base)
    except OSError as problem:
        raise ModelError(
            f"{base}: neither a folder here nor reachable on the hub ({str(problem).splitlines()[0]})"
        ) from None


def processor_source(base: str, adapter: str | None) -> str:
    """Where the processor lies: with the adapter, whose copy holds the pixel budget of its tuning, else the base."""
    return adapter if adapter and (Path(adapter) / "processor_config.json").is_file() else base


def load_model(
    base: str, adapter: str | None = None, *, trainable: bool = False, dtype: str = "float32"
) -> tuple[Any, Any, Family]:
    """A model with its adapter, its processor and its family; `ModelError` for what does not fit or is not whole."""
    model, family = load_weights(base, adapter, trainable=trainable, dtype=dtype)
    return model, load_processor(processor_source(base, adapter), family), family


def load_weights(
    base: str,
    adapter: str | None = None,
    *,
    trainable: bool = False,
    dtype: str = "float32",
    quantize: str = "none",
    attention: str | None = None,
) -> tuple[Any, Family]:
    """A model with its adapter, and its family.

    `quantize` is `none` or `nf4` (bitsandbytes, the language model only). On a CPU the vision tower runs through exact
    speed-ups. `ModelError` for torn, incomplete or foreign weights.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    quiet_libraries()
    family = family_for(base)
    options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if attention:
        options["attn_implementation"] = attention
    if quantize == "nf4":
        options["quantization_config"] = _nf4(options["dtype"])
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
    auto: Any = AutoModelForImageTextToText  # typed as if it gave the model alone
    try:
        model, found = auto.from_pretrained(base, **options)
    except (OSError, RuntimeError, SafetensorError, json.JSONDecodeError) as problem:
        reason = str(problem).strip().splitlines()[-1]
        raise ModelError(f"{base}: cannot be loaded ({reason}); was the copy cut short?") from None
    lost = sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])})
    if lost:  # transformers would fill them with random numbers and warn
        raise ModelError(
            f"{base}: {len(lost)} weights of a {family.model_type} are not in its files or of another shape, first "
            f"{lost[0]!r}; expected a whole checkpoint of that family, fetch it anew"
        )
    if not torch.cuda.is_available():
        from crop_reasoning.models.speedups import speed_up_vision

        speed_up_vision(model)
    if adapter:
        model = attach(model, adapter, trainable)
    return model, family


def _nf4(dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=["model.visual", "lm_head"],  # the tower stays exact; full prefixes are required
    )
