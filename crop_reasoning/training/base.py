"""Base training: all weights of a model learn to see and to speak, before any adapter learns to crop.

This stands in for the pretraining that the large families bring along; only recipes with `method: base` run it. The
loop is ours because two of its parts are: coordinate tokens are trained against a Gaussian around the true integer (a
near miss costs little), and the merged vision tokens are told which of them lie on the subject, and its box.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.errors import CropReasoningError
from crop_reasoning.log import progress
from crop_reasoning.models import nano
from crop_reasoning.models.families import Family
from crop_reasoning.records import CropRecord, read_records
from crop_reasoning.training.base_batches import Photo, collate, draw_batch, load_photos
from crop_reasoning.training.base_losses import answer_loss, grounding_loss, integer_tokens
from crop_reasoning.training.base_tasks import corpus
from crop_reasoning.training.recipe import BaseOptions, OptimOptions, Recipe

FINAL_SIGMA = 2.0
CHECKPOINT = "checkpoint.pt"
NANO = "nano"


@dataclass(slots=True)
class State:
    """Everything that changes while training, and so everything a checkpoint holds."""

    model: Any
    grounding: Any
    optimizer: Any
    rng: np.random.Generator
    step: int = 0


def train_base(recipe: Recipe, run_folder: Path, resume: bool = False) -> float:
    """Train the recipe's base into `run_folder/model`; the mean loss of the last steps.

    `model.base: nano` builds a new nano with a tokenizer trained on the data's own answers; a model folder continues
    from its weights. With `resume` the run goes on from its checkpoint to the same losses.
    """
    from crop_reasoning.models.loading import load_model

    data = Path(recipe.data.folder)
    records = read_records(data, recipe.data.split)[: recipe.data.limit]
    start = recipe.model.base
    if start == NANO:
        start = str(run_folder / "untrained")
        if not resume:
            nano.build(start, corpus(records), recipe.seed)
    model, processor, family = load_model(start)
    losses = _train(model, processor, family, records, recipe, run_folder, resume)
    model.save_pretrained(run_folder / "model")
    processor.save_pretrained(run_folder / "model")
    (run_folder / CHECKPOINT).unlink(missing_ok=True)
    return float(np.mean(losses[-50:]))


def _train(
    model: Any, processor: Any, family: Family, records: list[CropRecord], recipe: Recipe, run: Path, resume: bool
) -> list[float]:
    import torch

    torch.manual_seed(recipe.seed)
    options, optim = recipe.base or BaseOptions(), recipe.optim
    model.model.visual.patch_embed.requires_grad_(False)  # fixed filters see better than the few steps could teach
    grounding = torch.nn.Linear(model.config.text_config.hidden_size, 5)
    state = State(model, grounding, _optimizer(model, grounding, optim), np.random.default_rng(recipe.seed))
    if resume:
        restore(state, run / CHECKPOINT)
    buckets = load_photos(records, Path(recipe.data.folder), processor, family)
    integers = integer_tokens(processor.tokenizer)
    losses = []
    model.train()
    total = optim.steps or round((optim.epochs or 1) * len(records) / optim.batch_size)
    with (run / "metrics.jsonl").open("a") as journal:
        for step in progress(range(state.step, total), "base training", total - state.step):
            share = step / total
            for group in state.optimizer.param_groups:
                group["lr"] = optim.learning_rate * _schedule(step, optim.warmup_steps, share)
            sigma = options.soft_target_sigma * (1 - share) + FINAL_SIGMA * share
            losses.append(_step(state, buckets, processor, family, recipe, integers, sigma))
            state.step = step + 1
            if not math.isfinite(losses[-1]):
                what = f"{run}: the loss of step {step + 1} is {losses[-1]}, expected a finite number"
                raise CropReasoningError(f"{what}; lower optim.learning_rate")
            if (step + 1) % recipe.log_steps == 0:
                line = {"step": step + 1, "loss": round(losses[-1], 6), "learning_rate": group["lr"]}
                journal.write(json.dumps(line) + "\n")
                journal.flush()
            if (step + 1) % recipe.save_steps == 0:
                save(state, run / CHECKPOINT)
    return losses


def _step(
    state: State,
    buckets: list[list[Photo]],
    processor: Any,
    family: Family,
    recipe: Recipe,
    integers: Any,
    sigma: float,
) -> float:
    import torch

    model, options = state.model, recipe.base or BaseOptions()
    photos = draw_batch(buckets, recipe.optim.batch_size, state.rng)
    batch, labels = collate(photos, processor, family, state.rng)
    seen: list[Any] = []
    hook = model.model.visual.merger.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    hidden = model.model(**batch).last_hidden_state
    hook.remove()
    loss = answer_loss(model.lm_head, hidden, labels, integers, sigma)
    loss = loss + options.grounding_weight * grounding_loss(state.grounding(seen[0]), photos, family)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.optim.max_grad_norm)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def save(state: State, path: Path) -> None:
    """Write a checkpoint, whole or not at all."""
    import torch

    partial = path.with_suffix(".partial")
    weights = {"model": state.model.state_dict(), "grounding": state.grounding.state_dict()}
    rest = {"optimizer": state.optimizer.state_dict(), "rng": state.rng.bit_generator.state, "step": state.step}
    torch.save(weights | rest, partial)
    partial.replace(path)


def restore(state: State, path: Path) -> None:
    """Continue from a checkpoint; a run without one starts at step 0."""
    import torch

    if not path.is_file():
        return
    saved = torch.load(path, weights_only=True)
    state.model.load_state_dict(saved["model"])
    state.grounding.load_state_dict(saved["grounding"])
    state.optimizer.load_state_dict(saved["optimizer"])
    state.rng.bit_generator.state = saved["rng"]
    state.step = saved["step"]


def _optimizer(model: Any, grounding: Any, optim: OptimOptions) -> Any:
    import torch

    parameters = [p for p in (*model.parameters(), *grounding.parameters()) if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": optim.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=optim.learning_rate, betas=(0.9, 0.98))


def _schedule(step: int, warmup_steps: int, share: float) -> float:
    """Linear warm-up, then cosine to 2 %."""
    return min(1.0, (step + 1) / max(1, warmup_steps)) * (0.02 + 0.49 * (1 + math.cos(math.pi * share)))
