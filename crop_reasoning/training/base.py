"""Base training: all weights of a model learn to see and to speak, before any adapter learns to crop.

This stands in for the pretraining that the large families bring along; only recipes with `method: base` run it. The
loop is ours because two of its parts are: coordinate tokens are trained against a Gaussian around the true integer (a
near miss costs little), and the merged vision tokens are told which of them lie on the subject, and its box.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.errors import CropReasoningError
from crop_reasoning.log import progress
from crop_reasoning.models import nano
from crop_reasoning.models.families import Family
from crop_reasoning.records import read_records
from crop_reasoning.training import run_folder
from crop_reasoning.training.base_batches import Photo, collate, draw_batch, load_photos
from crop_reasoning.training.base_losses import answer_loss, grounding_loss, integer_tokens
from crop_reasoning.training.base_tasks import corpus
from crop_reasoning.training.preflight import locate
from crop_reasoning.training.recipe import BaseOptions, OptimOptions, Recipe

FINAL_SIGMA = 2.0
CHECKPOINT = run_folder.BASE_CHECKPOINT
NANO = "nano"


@dataclass(slots=True)
class State:
    """Everything that changes while training, and so everything a checkpoint holds."""

    model: Any
    grounding: Any
    optimizer: Any
    rng: np.random.Generator
    step: int = 0


def train_base(
    recipe: Recipe, run: Path, resume: bool = False, stopped: Callable[[], object] = lambda: None
) -> tuple[int, float | None]:
    """Train the recipe's base into `run/model`; the steps done in all and the last loss.

    `model.base: nano` builds a new nano with a tokenizer trained on the data's own answers; a model folder continues
    from its weights. When `stopped` answers, the run ends after the step with a checkpoint; with `resume` it goes on
    from there to the same losses.
    """
    from crop_reasoning.models.loading import load_model

    data = Path(recipe.data.folder)
    records = read_records(data, recipe.data.split)[: recipe.data.limit]
    start = recipe.model.base
    if start == NANO:
        start = str(run / run_folder.UNTRAINED)
        if not (resume and (run / run_folder.UNTRAINED / "model.safetensors").is_file()):
            nano.build(start, corpus(records), recipe.seed)
    else:
        start, _ = locate(recipe)
    model, processor, family = load_model(start)
    state = _start(model, recipe, run / CHECKPOINT if resume else None)
    run_folder.rewind(run, state.step)
    buckets = load_photos(records, data, processor, family)
    integers = integer_tokens(processor.tokenizer)
    total = recipe.optim.steps or round((recipe.optim.epochs or 1) * len(records) / recipe.optim.batch_size)
    loss = None
    model.train()
    for step in progress(range(state.step, total), "base training", total - state.step):
        learning_rate, sigma = _pace(recipe, step, total)
        loss = _step(state, buckets, processor, family, recipe, integers, learning_rate, sigma)
        state.step = step + 1
        if state.step % recipe.log_steps == 0:
            line = {"step": state.step, "loss": round(loss, 6), "learning_rate": learning_rate}
            with (run / run_folder.METRICS).open("a") as journal:
                journal.write(json.dumps(line) + "\n")
        if stopped() or state.step % recipe.save_steps == 0:
            save(state, run / CHECKPOINT)
        if stopped():
            return state.step, loss
    partial = run / f"{run_folder.MODEL}.partial"  # a run that is killed here has not ended
    model.save_pretrained(partial)
    processor.save_pretrained(partial)
    partial.replace(run / run_folder.MODEL)
    (run / CHECKPOINT).unlink(missing_ok=True)
    return state.step, loss


def _start(model: Any, recipe: Recipe, checkpoint: Path | None) -> State:
    import torch

    torch.manual_seed(recipe.seed)
    model.model.visual.patch_embed.requires_grad_(False)  # fixed filters see better than the few steps could teach
    grounding = torch.nn.Linear(model.config.text_config.hidden_size, 5)
    state = State(model, grounding, _optimizer(model, grounding, recipe.optim), np.random.default_rng(recipe.seed))
    if checkpoint:
        restore(state, checkpoint)
    return state


def _pace(recipe: Recipe, step: int, total: int) -> tuple[float, float]:
    """The learning rate (linear warm-up, cosine to 2 %) and the width of the coordinate targets (linear) of a step."""
    optim, share = recipe.optim, step / total
    warm = min(1.0, (step + 1) / max(1, optim.warmup_steps))
    sigma = (recipe.base or BaseOptions()).soft_target_sigma * (1 - share) + FINAL_SIGMA * share
    return optim.learning_rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * share))), sigma


def _step(
    state: State,
    buckets: list[list[Photo]],
    processor: Any,
    family: Family,
    recipe: Recipe,
    integers: Any,
    learning_rate: float,
    sigma: float,
) -> float:
    """One optimizer step; its loss. `CropReasoningError` if the loss is not finite."""
    import torch

    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    model, options = state.model, recipe.base or BaseOptions()
    photos = draw_batch(buckets, recipe.optim.batch_size, state.rng)
    batch, labels = collate(photos, processor, family, state.rng)
    seen: list[Any] = []
    hook = model.model.visual.merger.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    hidden = model.model(**batch).last_hidden_state
    hook.remove()
    loss = answer_loss(model.lm_head, hidden, labels, integers, sigma)
    if seen:
        loss = loss + options.grounding_weight * grounding_loss(state.grounding(seen[0]), photos, family)
    if not bool(loss.isfinite()):
        where, value = f"base training, step {state.step + 1}", float(loss.detach())
        raise CropReasoningError(f"{where}: the loss is {value}, expected a number; lower optim.learning_rate")
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
