"""nano: a Qwen3-VL in miniature, built from config. Same classes, same processor, same codec as its large siblings.

Only this module and the recipes that name it know that it is small. Each integer 0-1000 is one token: the text, and so
the codec, stays what an 8B model writes, and coordinates are learnt faster.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crop_reasoning.models.families import FAMILIES
from crop_reasoning.models.processors import build_processor

FAMILY = FAMILIES["qwen3_vl"]
HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS = 128, 3, 4, 2
VISION_HIDDEN, VISION_LAYERS, VISION_HEADS = 64, 4, 4
VOCABULARY = 640
MIN_PIXELS, MAX_PIXELS = 64 * 64, 160 * 160
POSITIONS = 16  # the vision tower's learnt position table is 16 x 16, interpolated to every grid
COORDINATES = 1001
SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def build(folder: Path | str, corpus: Iterable[str], seed: int = 0, max_pixels: int = MAX_PIXELS) -> Path:
    """Write an untrained nano into `folder` in the standard layout: config, safetensors, tokenizer, processor.

    `corpus` is text like that which the model will write; its tokenizer is trained on it.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    folder = Path(folder)
    tokenizer = build_tokenizer(corpus)
    processor = build_processor(tokenizer, FAMILY, MIN_PIXELS, max_pixels, chat_template("qwen3_vl"))
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(build_config(tokenizer), dtype=torch.float32)
    initialize(model, tokenizer)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.pad_token_id]
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def build_tokenizer(corpus: Iterable[str]) -> Any:
    """A byte-level BPE with Qwen's splitting rule and special tokens, and one token for each integer 0-1000."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    bpe = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    bpe.train_from_iterator(corpus, trainer)
    trained = json.loads(bpe.to_str())["model"]
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in trained["merges"]]
    make: Any = Qwen2Tokenizer  # its hints leave out what it takes: pairs as merges, no unknown token
    tokenizer = make(
        vocab=trained["vocab"],
        merges=merges,
        unk_token=None,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS], special_tokens=True)
    integers = [str(value) for value in range(COORDINATES)]
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in integers])
    tokenizer.model_max_length = 4096
    return tokenizer


def chat_template(name: str) -> str:
    """A Qwen chat template as TRL ships it."""
    import trl

    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text()


def build_config(tokenizer: Any) -> Any:
    """The Qwen3-VL config of nano's sizes; the vocabulary is padded to a multiple of 64."""
    from transformers import Qwen3VLConfig

    head = HIDDEN // HEADS
    half, time = head // 2, head // 8
    height = (half - time) // 2
    rope = {"rope_type": "default", "rope_theta": 5e5, "mrope_interleaved": True}
    text = {
        "vocab_size": math.ceil(len(tokenizer) / 64) * 64,
        "hidden_size": HIDDEN,
        "intermediate_size": 8 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_VALUE_HEADS,
        "head_dim": head,
        "max_position_embeddings": 4096,
        "rope_parameters": {**rope, "mrope_section": [half - 2 * height, height, height]},
        "tie_word_embeddings": True,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|im_start|>"),
    }
    vision = {
        "depth": VISION_LAYERS,
        "hidden_size": VISION_HIDDEN,
        "intermediate_size": 3 * VISION_HIDDEN,
        "num_heads": VISION_HEADS,
        "out_hidden_size": HIDDEN,
        "patch_size": FAMILY.patch_size,
        "spatial_merge_size": FAMILY.resize_factor // FAMILY.patch_size,
        "num_position_embeddings": POSITIONS**2,
        "deepstack_visual_indexes": [0],
    }
    ids = {
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    }
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **ids)


def initialize(model: Any, tokenizer: Any) -> None:
    """Start where learning is short: smooth embeddings for coordinates and positions, DCT filters for patches.

    Neighboring integers and neighboring patches begin alike, and the patch embedding begins as the low-frequency half
    of a cosine transform instead of noise.
    """
    import torch

    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        integers = tokenizer.convert_tokens_to_ids([str(value) for value in range(COORDINATES)])
        embeddings[integers] = 0.1 * _waves(COORDINATES, HIDDEN)
        table = model.model.visual.pos_embed.weight
        side = _waves(POSITIONS, VISION_HIDDEN // 2)
        rows = side[:, None].expand(-1, POSITIONS, -1)
        columns = side[None].expand(POSITIONS, -1, -1)
        table.copy_(0.3 * torch.cat([rows, columns], -1).reshape(POSITIONS**2, -1))
        kernels = model.model.visual.patch_embed.proj.weight
        kernels.copy_(_cosine_filters(kernels.shape[0], FAMILY.patch_size)[:, :, None].expand_as(kernels))


def _waves(count: int, width: int) -> Any:
    """(count, width) sines and cosines of rising frequency, damped so that low ones dominate."""
    import torch

    frequency = torch.arange(1, width // 2 + 1) * math.pi / 2
    phase = torch.arange(count)[:, None] / count * frequency
    damped = 1 / torch.sqrt(torch.arange(1, width // 2 + 1))
    return torch.cat([phase.sin() * damped, phase.cos() * damped], -1)


def _cosine_filters(count: int, size: int) -> Any:
    """(count, 3, size, size) low-frequency cosine patterns of brightness and of two color differences."""
    import torch

    steps = torch.arange(size) + 0.5
    basis = [torch.cos(math.pi * steps * u / size) * (2 / size) ** 0.5 * (1 if u else 0.5**0.5) for u in range(size)]
    colors = torch.tensor([[1.0, 1, 1], [1, -1, 0], [0.5, 0.5, -1]])
    colors = colors / colors.square().sum(1, keepdim=True).sqrt()
    order = sorted(((u, v) for u in range(size) for v in range(size)), key=lambda uv: (uv[0] + uv[1], uv[0]))
    filters = [torch.outer(basis[u], basis[v]) * color[:, None, None] for u, v in order for color in colors]
    kernels = torch.stack(filters[:count]) / size**0.5
    kernels[: len(colors)] *= 0.3  # mean colors are far larger than all detail and would drown it after layer norm
    return kernels
