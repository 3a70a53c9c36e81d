"""Muon, by the algebra that defines it and against torch's own."""

from __future__ import annotations

import pytest
import torch

from crop_reasoning.training.muon import LARGEST, Muon, is_layer_matrix, orthogonal


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 8, 16), (2, 8, 24), (2, 64, 8)])
def test_orthogonal_brings_every_singular_value_near_one_and_keeps_the_directions(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    found = orthogonal(matrices)
    values = left.mT @ found @ right.mT
    diagonal = values.diagonal(dim1=1, dim2=2)
    assert float(diagonal.min()) > 0.4
    assert float(diagonal.max()) < 1.3
    assert torch.allclose(values, torch.diag_embed(diagonal), atol=1e-3)


def test_steps_are_those_of_torchs_muon_but_for_its_rounding():
    """torch rounds to bfloat16 (8 bits), so its updates differ by about a hundredth."""
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=generator) for shape in ((12, 12), (32, 8), (8, 32))]
    ours, theirs = ([torch.nn.Parameter(matrix.clone()) for matrix in start] for _ in range(2))
    optimizers = Muon(ours, lr=0.1, weight_decay=0.1), torch.optim.Muon(theirs, lr=0.1, weight_decay=0.1)
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for mine, other, before in zip(ours, theirs, start, strict=True):
        assert float(((mine - other).norm() / (other - before).norm()).detach()) < 0.03


def test_only_matrices_inside_layers_are_muons():
    assert is_layer_matrix("layers.0.q_proj.weight", torch.zeros(4, 4))
    assert not is_layer_matrix("embed_tokens.weight", torch.zeros(4, 4))
    assert not is_layer_matrix("norm.weight", torch.zeros(4))
    assert not is_layer_matrix("merger.weight", torch.zeros(LARGEST + 1, LARGEST + 1))
