"""The two production families in miniature, from config alone: nothing is downloaded, everything is the real class.

`build(family)` gives a processor (image only, so no torchvision is needed) and a model of a few 100,000 parameters;
`save(family, folder)` writes both as a standard checkpoint folder.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from crop_reasoning.images import VisionBudget
from crop_reasoning.models import nano, processors
from crop_reasoning.models.families import FAMILIES, Family

SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""Qwen's pre-tokenizer without the English contractions; digits are single tokens."""
CORPUS = (
    "Crop this photo.\nsystem\nuser\nassistant\nYou are a helpful assistant.\nAspect ratio: 4:5\nSubject: [312,455]",
    '<analysis>\n{"subject":[312,240,455,610],"elements":[{"name":"horizontal","line":[0,402,1000,402],"evidence":""}]}\n',
    '</analysis>\n<proposals>\n{"reason":"subject on the left","serves":["rule of thirds"],"box":[105,80,905,880]}\n',
    '</proposals>\n<decision>\n{"box":[105,80,905,880],"why":"tighter than the others"}\n</decision>',
)
MIN_SIDE, MAX_SIDE = 64, 448


def budget(family: Family) -> VisionBudget:
    """The pixel budget of the tiny processors."""
    return VisionBudget(family.model_type, family.resize_factor, MIN_SIDE**2, MAX_SIDE**2)


@cache
def build_tokenizer(vocab_size: int = 400) -> Any:
    """A byte-level BPE tokenizer with Qwen's pre-tokenizer, chat and vision tokens, trained on four lines."""
    raw = Tokenizer(models.BPE())
    raw.normalizer = normalizers.NFC()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, initial_alphabet=alphabet)
    raw.train_from_iterator(CORPUS, trainer)
    bpe = json.loads(raw.to_str())["model"]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab=bpe["vocab"],
        merges=[tuple(merge) for merge in bpe["merges"]],
        unk_token=None,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS], special_tokens=True)
    return tokenizer


def build_processor(family: Family, tokenizer: Any = None) -> Any:
    """The family's processor around the tiny tokenizer or a given one."""
    template = nano.chat_template(family.model_type)
    return processors.build_processor(tokenizer or build_tokenizer(), family, MIN_SIDE**2, MAX_SIDE**2, template)


def build_config(family: Family, tokenizer: Any = None, *, hidden: int = 64, layers: int = 2) -> Any:
    """A config of the family's real class with `hidden` units and `layers` layers in both halves."""
    tokenizer = tokenizer or build_tokenizer()
    head = hidden // 4
    text = {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [head // 4, head // 8, head // 8]}
    vision = {
        "depth": layers,
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_heads": 4,
        "out_hidden_size": hidden,
        "patch_size": family.patch_size,
        "spatial_merge_size": family.resize_factor // family.patch_size,
    }
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    top = {key: tokenizer.convert_tokens_to_ids(token) for key, token in names.items()}
    if family.model_type == "qwen2_5_vl":
        vision |= {"window_size": 4 * family.resize_factor, "fullatt_block_indexes": [layers - 1]}
        config = transformers.Qwen2_5_VLConfig
    else:
        rope |= {"mrope_interleaved": True}
        text |= {"head_dim": head}
        vision |= {"num_position_embeddings": 32 * 32, "deepstack_visual_indexes": [0]}
        config = transformers.Qwen3VLConfig
    return config(text_config=text | {"rope_parameters": rope}, vision_config=vision, tie_word_embeddings=True, **top)


def build_model(family: Family, tokenizer: Any = None, *, seed: int = 0, **size: int) -> Any:
    """A randomly initialized model of the family's real class, float32, in eval mode."""
    torch.manual_seed(seed)
    config = build_config(family, tokenizer, **size)
    model = transformers.AutoModelForImageTextToText.from_config(config, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = [config.text_config.eos_token_id, config.text_config.pad_token_id]
    model.generation_config.pad_token_id = config.text_config.pad_token_id
    return model


def save(family: Family | str, folder: Path, tokenizer: Any = None, *, seed: int = 0, **size: int) -> Path:
    """Write a tiny checkpoint of the family to `folder`; returns the folder."""
    family = FAMILIES[family] if isinstance(family, str) else family
    build_model(family, tokenizer, seed=seed, **size).save_pretrained(folder)
    build_processor(family, tokenizer).save_pretrained(folder)
    return folder
