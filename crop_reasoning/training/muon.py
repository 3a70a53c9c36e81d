"""Muon: every matrix steps in the orthogonalized direction of its momentum, whatever the size of its gradients.

Keller Jordan's method (https://kellerjordan.github.io/posts/muon). Ours because torch's own computes in bfloat16, which
a CPU without that format does forty times slower, and takes matrix by matrix; here those of one shape share a
batched product. What a step costs: `benchmarks/muon.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

LARGEST = 256
"""A matrix whose shorter side is longer costs more to orthogonalize than a model as small as nano gains."""
ITERATIONS = 5
LONG = 2
"""How many times longer than wide a matrix must be for iterating its Gram matrix to be the cheaper way."""
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Odd polynomial that brings singular values from (0, 1] near 1 (0.7 to 1.2) when applied `ITERATIONS` times."""


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay, for matrices only."""

    def __init__(self, matrices: Iterable[Any], lr: float, weight_decay: float = 0.0, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[Any, list[Any]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    shapes[matrix.shape].append(matrix)
            for (rows, columns), matrices in shapes.items():
                updates = orthogonal(torch.stack([self._momentum(matrix, group["momentum"]) for matrix in matrices]))
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5  # a tall update moves its outputs less
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)

    def _momentum(self, matrix: Any, momentum: float) -> Any:
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
        state["momentum"].lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(state["momentum"], momentum)


def is_layer_matrix(name: str, parameter: Any) -> bool:
    """Whether Muon should step a parameter: a matrix inside the layers, not an embedding (rows of it are alone)."""
    return parameter.ndim == 2 and "embed" not in name and min(parameter.shape) <= LARGEST


def orthogonal(matrices: Any) -> Any:
    """(n, rows, columns) matrices with all singular values brought near 1, by Newton-Schulz iterations in float32.

    Every iteration multiplies by a polynomial of the Gram matrix, and such polynomials commute; so a long matrix needs
    only its small Gram matrix iterated, and itself multiplied once at the end.
    """
    rows, columns = matrices.shape[1:]
    if rows > columns:
        return orthogonal(matrices.mT).mT
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if columns <= LONG * rows:
        for _ in range(ITERATIONS):
            x = _polynomial(x @ x.mT) @ x
        return x
    gram = x @ x.mT
    product = _polynomial(gram)
    factor = product
    for _ in range(ITERATIONS - 1):
        gram = factor @ gram @ factor
        factor = _polynomial(gram)
        product = factor @ product
    return product @ x


def _polynomial(gram: Any) -> Any:
    """a I + b G + c G^2 of symmetric (n, rows, rows) matrices G."""
    linear, cubic, quintic = QUINTIC
    found = torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic)
    found.diagonal(dim1=1, dim2=2).add_(linear)
    return found
