"""Exact CPU speed-ups of the Qwen-VL vision tower: same weights, same numbers, less time.

The patch embedding is a Conv3d whose kernel equals its stride, which is one matrix product; PyTorch's general Conv3d
backward is a quarter of a small model's training step. And the stock attention loops over images; equal grids need one
batched call. Both are checked against the stock forward in tests.
"""

from __future__ import annotations

import importlib
import types
from typing import Any


def speed_up_vision(model: Any) -> None:
    """Patch a loaded model in place (its weights and its saved form do not change)."""
    visual = model.model.visual
    visual.patch_embed.forward = types.MethodType(_patch_embed_matmul, visual.patch_embed)
    rotate = importlib.import_module(type(model).__module__).apply_rotary_pos_emb_vision
    if type(model).__name__.startswith("Qwen3"):  # Qwen2.5-VL attends in windows: its grids are seldom equal
        for block in visual.blocks:
            block.attn.forward = types.MethodType(_batched_attention(block.attn.forward, rotate), block.attn)


def _patch_embed_matmul(self: Any, hidden_states: Any) -> Any:
    from torch.nn import functional

    weight = self.proj.weight
    flat = hidden_states.reshape(-1, weight[0].numel()).to(weight.dtype)
    return functional.linear(flat, weight.reshape(weight.shape[0], -1), self.proj.bias)


def _batched_attention(stock: Any, rotate: Any) -> Any:
    from torch.nn import functional

    def forward(
        self: Any, hidden_states: Any, cu_seqlens: Any = None, position_embeddings: Any = None, **kw: Any
    ) -> Any:
        lengths = cu_seqlens[1:] - cu_seqlens[:-1]
        if not bool((lengths == lengths[0]).all()):
            return stock(hidden_states, cu_seqlens=cu_seqlens, position_embeddings=position_embeddings, **kw)
        total, images = hidden_states.shape[0], len(lengths)
        query, key, value = self.qkv(hidden_states).reshape(total, 3, self.num_heads, -1).unbind(1)
        query, key = rotate(query, key, *position_embeddings)
        shape = (images, total // images, self.num_heads, -1)
        query, key, value = (tensor.reshape(shape).transpose(1, 2) for tensor in (query, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=self.scaling)
        return self.proj(mixed.transpose(1, 2).reshape(total, -1))

    return forward
