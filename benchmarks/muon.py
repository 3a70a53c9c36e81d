"""What one optimizer step costs on nano's layer matrices: our Muon, torch's, and AdamW, in one run.

    python benchmarks/muon.py
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/muon.py     # a CPU that has no bfloat16

Prints a table with the median and the quartiles of `STEPS` steps; ratios are against AdamW.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from typing import Any

import torch

from crop_reasoning.log import say
from crop_reasoning.models import nano
from crop_reasoning.models.loading import load_model
from crop_reasoning.training.muon import Muon, is_layer_matrix

STEPS = 10


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        nano.build(folder, ["a corpus for a tokenizer"])
        model, _, _ = load_model(folder)
    matrices = [parameter for name, parameter in model.named_parameters() if is_layer_matrix(name, parameter)]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    contenders: dict[str, Any] = {
        "AdamW": torch.optim.AdamW(matrices, lr=1e-9),
        "Muon, ours": Muon(matrices, lr=1e-9),
        "Muon, torch": torch.optim.Muon(matrices, lr=1e-9),
    }
    say(f"{len(matrices)} matrices, {sum(matrix.numel() for matrix in matrices):,} values, {STEPS} steps")
    say("| optimizer | ms a step: median [quartiles] | x AdamW |\n|---|---|---|")
    stock = 0.0
    for name, optimizer in contenders.items():
        low, median, high = statistics.quantiles(_timed(optimizer), n=4)
        stock = stock or median
        say(f"| {name} | {median:.1f} [{low:.1f}, {high:.1f}] | {median / stock:.1f} |")


def _timed(optimizer: Any) -> list[float]:
    optimizer.step()
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - start))
    return times


if __name__ == "__main__":
    main()
