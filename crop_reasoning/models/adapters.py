"""LoRA adapters: attached only if every key fits, merged with proof.

PEFT loads an adapter whose keys do not fit with a warning and no effect. Here that is an error: an adapter that changes
nothing would be evaluated as if it were the tuned model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crop_reasoning.errors import ModelError
from crop_reasoning.models.families import config_value, family_named


def is_adapter(folder: Path | str) -> bool:
    """Whether a folder holds a PEFT adapter."""
    return (Path(folder) / "adapter_config.json").is_file()


def base_of(folder: Path | str) -> str:
    """The base model that an adapter names in its `adapter_config.json`."""
    return config_value(Path(folder) / "adapter_config.json", "base_model_name_or_path")


def attach(model: Any, folder: Path | str, trainable: bool = False) -> Any:
    """The model with the adapter of `folder`.

    `ModelError` if it was tuned on another family, if a key or a shape does not fit, if a weight is no finite number,
    or if its effect is 0.
    """
    from peft import PeftModel, get_peft_model_state_dict

    folder = Path(folder)
    weights = folder / "adapter_model.safetensors"
    if not is_adapter(folder) or not weights.is_file():
        raise ModelError(f"{folder}: no adapter_config.json with adapter_model.safetensors; expected a LoRA adapter")
    _require_family(model, folder)
    saved, effect = _read(weights)
    try:
        tuned = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    except (RuntimeError, ValueError) as problem:
        reason = str(problem).strip().splitlines()[-1].strip()
        raise ModelError(
            f"{folder}: the adapter does not fit {_name(model)} ({reason}); use the base it names"
        ) from None
    expected = set(get_peft_model_state_dict(tuned))
    if saved != expected:
        stray = sorted(saved ^ expected)
        raise ModelError(
            f"{folder}: {len(stray)} adapter keys do not fit {_name(model)}, first {stray[0]!r}; "
            f"{len(saved & expected)} of {len(saved)} would load, without the rest; use the base it was trained on"
        )
    if effect == 0.0:
        raise ModelError(f"{folder}: all lora_B weights are 0, the adapter has no effect; was it trained at all?")
    return tuned


def _read(weights: Path) -> tuple[set[str], float]:
    """The keys of an adapter's file and the largest weight of its lora_B, without which it has no effect.

    `ModelError` for a file that is torn, or holds NaN or infinite weights: such a model would write noise.
    """
    from safetensors import safe_open

    effect, broken = 0.0, []
    try:
        with safe_open(weights, "pt") as file:
            saved = set(file.keys())
            for key in sorted(saved):
                tensor = file.get_tensor(key)
                if not bool(tensor.isfinite().all()):
                    broken.append(key)
                elif "lora_B" in key:
                    effect = max(effect, tensor.abs().max().item())
    except Exception as problem:  # safetensors raises its own Rust error type for torn files
        raise ModelError(f"{weights}: cannot be read ({problem}); was the copy cut short?") from None
    if broken:
        raise ModelError(
            f"{weights}: {len(broken)} of {len(saved)} weights hold NaN or infinity, first {broken[0]!r}, expected "
            "finite numbers; its training went astray: train it again with a lower learning rate"
        )
    return saved, effect


def merge(model: Any) -> Any:
    """The plain model with the adapter's weights added in."""
    return model.merge_and_unload()


def _require_family(model: Any, folder: Path) -> None:
    """The processor that lies with an adapter tells its family: the keys alone may fit another one's layers."""
    path = folder / "processor_config.json"
    expected = family_named(model.config.model_type).processor_class
    if path.is_file() and (told := config_value(path, "processor_class")) != expected:
        raise ModelError(f"{folder}: was tuned with a {told}, {_name(model)} takes a {expected}; use the base it names")


def _name(model: Any) -> str:
    return getattr(model.config, "_name_or_path", "") or model.config.model_type
