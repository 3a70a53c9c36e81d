"""What differs between model families, keyed by `config.json`'s `model_type`, never by a path.

This table must not import torch: planning and auditing work without it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from crop_reasoning.codecs import Codec, resized_pixels, thousandths
from crop_reasoning.errors import ModelError

LANGUAGE_MODEL_LINEAR = r"^model\.language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)$"
"""LoRA sits on the language model alone. Plain names would also hit Qwen2.5-VL's vision MLP."""


@dataclass(frozen=True, slots=True)
class Family:
    """A model family: the coordinates its base speaks and the names its parts go by."""

    model_type: str
    codec: Codec
    resize_factor: int
    patch_size: int
    processor_class: str
    lora_targets: str = LANGUAGE_MODEL_LINEAR


FAMILIES: dict[str, Family] = {
    "qwen2_5_vl": Family(
        model_type="qwen2_5_vl",
        codec=resized_pixels,
        resize_factor=28,
        patch_size=14,
        processor_class="Qwen2_5_VLProcessor",
    ),
    "qwen3_vl": Family(
        model_type="qwen3_vl",
        codec=thousandths,
        resize_factor=32,
        patch_size=16,
        processor_class="Qwen3VLProcessor",
    ),
}


def family_of(folder: Path | str) -> Family:
    """The family of a model folder, read from its `config.json`; `ModelError` if there is none or it is unknown."""
    config = Path(folder) / "config.json"
    if not config.is_file():
        raise ModelError(f"{folder}: holds no config.json; expected a model folder of a Qwen-VL family")
    return family_named(config_value(config, "model_type"), where=str(config))


def config_value(path: Path, key: str) -> str:
    """A text of a model's JSON file; `ModelError` if the file is cut short or does not hold it."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        reason = f"holds no {key!r}" if isinstance(problem, KeyError) else f"cannot be read ({problem})"
        raise ModelError(f"{path}: {reason}; was the copy cut short?") from None


def family_named(model_type: str, where: str = "model_type") -> Family:
    """The family of a `model_type`; `ModelError` names the known ones."""
    if model_type not in FAMILIES:
        raise ModelError(f"{where}: model_type {model_type!r} is not known; expected one of {', '.join(FAMILIES)}")
    return FAMILIES[model_type]
