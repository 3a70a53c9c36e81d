"""Processors that work with and without torchvision.

The stock Qwen-VL processors demand a video processor, which demands torchvision, which has no CPU build for our torch.
Without torchvision we use a subclass of the *same class name* that simply has no video part, so that saved folders stay
standard checkpoints which stock `AutoProcessor` loads elsewhere.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

from crop_reasoning.errors import ModelError
from crop_reasoning.images import VisionBudget
from crop_reasoning.models.families import Family


def torchvision_works() -> bool:
    """Whether torchvision is installed and matches this torch (its CUDA build does not load beside CPU torch)."""
    if importlib.util.find_spec("torchvision") is None:
        return False
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        return False
    return True


@cache
def image_only_class(name: str) -> type[Any]:
    """The stock processor class `name` without its video half; the saved folder still names a video processor."""
    import transformers

    stock = getattr(transformers, name)

    def __init__(
        self: Any, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **kw: Any
    ) -> None:
        stock.__init__(self, image_processor, tokenizer, None, chat_template=chat_template)

    def save_pretrained(self: Any, save_directory: str | Path, **kw: Any) -> Any:
        written = stock.save_pretrained(self, save_directory, **kw)
        _write_video_config(self, Path(save_directory), stock.__name__)
        return written

    members = {"__init__": __init__, "save_pretrained": save_pretrained, "__module__": __name__}
    return type(name, (stock,), members)


def _write_video_config(processor: Any, folder: Path, processor_class: str) -> None:
    """Let stock AutoProcessor and engines, which insist on a video processor, load the folder."""
    images = processor.image_processor
    kind = "Qwen3VLVideoProcessor" if processor_class == "Qwen3VLProcessor" else "Qwen2VLVideoProcessor"
    config = {
        "video_processor_type": kind,
        "processor_class": processor_class,
        "patch_size": images.patch_size,
        "merge_size": images.merge_size,
        "temporal_patch_size": images.temporal_patch_size,
        "size": dict(images.size),
        "image_mean": images.image_mean,
        "image_std": images.image_std,
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_processor(base: str | Path, family: Family) -> Any:
    """The processor of a model folder or hub id: stock where torchvision works, image-only elsewhere.

    `ModelError` if a part of it is missing.
    """
    import transformers

    kind: Any = transformers.AutoProcessor if torchvision_works() else image_only_class(family.processor_class)
    try:
        processor = kind.from_pretrained(base)
    except (OSError, ValueError) as problem:
        raise ModelError(f"{base}: its processor cannot be loaded ({str(problem).splitlines()[0]})") from None
    if processor.image_token_id is None:  # transformers makes an empty tokenizer where there is none
        raise ModelError(f"{base}: holds no tokenizer with Qwen's vision tokens; expected its tokenizer.json")
    return processor


def build_processor(tokenizer: Any, family: Family, min_pixels: int, max_pixels: int, chat_template: str) -> Any:
    """A new processor of a family around a tokenizer, with its own pixel budget."""
    from transformers import Qwen2VLImageProcessorPil

    clip_mean, clip_std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    centered = family.patch_size == 16  # Qwen3-VL maps pixels to [-1,1]; Qwen2.5-VL keeps CLIP's statistics
    images = Qwen2VLImageProcessorPil(
        patch_size=family.patch_size,
        merge_size=family.resize_factor // family.patch_size,
        temporal_patch_size=2,
        size={"shortest_edge": min_pixels, "longest_edge": max_pixels},
        image_mean=[0.5] * 3 if centered else clip_mean,
        image_std=[0.5] * 3 if centered else clip_std,
    )
    cls = image_only_class(family.processor_class)
    return cls(image_processor=images, tokenizer=tokenizer, chat_template=chat_template)


def vision_budget(processor: Any, family: Family) -> VisionBudget:
    """What a loaded processor does to sizes, for `images.plan_image`."""
    images = processor.image_processor
    factor = images.patch_size * images.merge_size
    return VisionBudget(family.model_type, factor, images.size["shortest_edge"], images.size["longest_edge"])
