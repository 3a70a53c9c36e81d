"""Base training: all weights of a model learn to see and to speak, before any adapter learns to crop.

This stands in for the pretraining that the large families bring along; only recipes with `method: base` run it. The
vision tower looks alone for the first steps, which is cheap; then the whole model speaks. The loop is ours because its
parts are: the merged vision tokens are told which of them lie on the subject, and its box; coordinate tokens are
trained against a Gaussian around the true integer, where a near miss costs little; and layers are stepped by Muon.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.errors import CropReasoningError, DataError, RecipeError
from crop_reasoning.log import progress, say
from crop_reasoning.models import nano
from crop_reasoning.models.families import Family
from crop_reasoning.reasoning.dialogs import Dialog
from crop_reasoning.reasoning.store import read_dialogs
from crop_reasoning.records import CropRecord, read_records
from crop_reasoning.training import preflight, run_folder, samples
from crop_reasoning.training.base_batches import (
    Photo,
    collate,
    collate_dialogs,
    draw_batch,
    in_brief,
    load_photos,
    pixel_batch,
)
from crop_reasoning.training.base_losses import answer_loss, grounding_loss, integer_tokens
from crop_reasoning.training.base_tasks import corpus, draw_task
from crop_reasoning.training.muon import Muon, is_layer_matrix
from crop_reasoning.training.recipe import BaseOptions, Recipe

FINAL_SIGMA = 2.0
LOOK_PHOTOS = 2  # a batch without words holds this many times the photos
CHECKPOINT = run_folder.BASE_CHECKPOINT
NANO = "nano"
DIALOGS, IN_BRIEF = 0.75, 0.7
"""Share of the batches with words that are conversations, where a recipe takes dialogues, and of those in brief."""


@dataclass(slots=True)
class State:
    """Everything that changes while training, and so everything a checkpoint holds."""

    model: Any
    grounding: Any
    optimizers: list[Any]
    rng: np.random.Generator
    step: int = 0


def prepare(recipe: Recipe, run: Path, resume: bool = False) -> tuple[str, dict[str, str], dict[str, str]]:
    """Check what can be known to be wrong before training: the model to start from, the data's hashes, the findings.

    `model.base: nano` builds a new nano into the run, with a tokenizer trained on the data's own answers; any other
    model is continued from its weights. The first check that fails raises its sentence.
    """
    findings, records, data = {"versions": preflight.packages()}, _records(recipe), Path(recipe.data.folder)
    _steps(recipe, records)
    given = None if recipe.model.base == NANO else preflight.locate(recipe)[0]
    findings["photos"] = samples.check_images({data / record.image.path: record.image.sha256 for record in records})
    hashes = run_folder.data_hashes(recipe, Path(given) if given else None)
    if resume:
        run_folder.require_same(run, recipe, hashes)
    start = given or str(_untrained(recipe, run, records, resume))
    weights = sum(parameter.numel() for parameter in preflight.outline(start).parameters())
    findings["model"] = f"{start}, {weights / 1e6:.3f} M parameters, all of them trained"
    findings["disk"] = preflight.check_disk(run, weights)
    findings["data"] = preflight.short_hashes(hashes)
    return start, hashes, findings


def _records(recipe: Recipe) -> list[CropRecord]:
    folder, split = recipe.data.folder, recipe.data.split
    records = read_records(folder, split)[: recipe.data.limit]
    if not records:
        raise DataError(f"{folder}: split {split} holds nothing to train base on; build it, or name another")
    return records


def _dialogs(recipe: Recipe) -> list[Dialog]:
    """The conversations of two turns that are learnt from, none unless the recipe says so."""
    if not recipe.data.dialogs:
        return []
    found = [one for one in read_dialogs(recipe.data.folder, recipe.data.split) if len(one.history) == 1]
    if not found:
        raise DataError(f"{recipe.data.folder}: no dialogues of two turns; make them with `crop-reasoning data tasks`")
    return found


def _steps(recipe: Recipe, records: list[CropRecord]) -> int:
    """All steps of a run; `RecipeError` if looking takes them all, which only the data can tell of epochs."""
    optim, look = recipe.optim, (recipe.base or BaseOptions()).look_steps
    total = optim.steps or max(1, round((optim.epochs or 1) * len(records) / optim.batch_size))
    if look >= total:
        raise RecipeError(
            f"base.look_steps: got {look}, expected fewer than all steps, which are {total} for {len(records)} photos; "
            "lower it, or train longer"
        )
    return total


def _untrained(recipe: Recipe, run: Path, records: list[CropRecord], resume: bool) -> Path:
    """A new nano in the run's folder; a resumed run goes on with its own, unless it was killed while writing that."""
    folder = run / run_folder.UNTRAINED
    if not (resume and run_folder.is_whole(folder)):
        shutil.rmtree(folder, ignore_errors=True)
        nano.build(folder, corpus(records), recipe.seed)
        run_folder.mark_complete(folder)
    return folder


def train_base(
    recipe: Recipe, run: Path, start: str, resume: bool = False, stopped: Callable[[], object] = lambda: None
) -> tuple[int, float | None]:
    """Train the model `start` into `run/model`; the steps done in all and the last loss.

    When `stopped` answers, the run ends after the step with a checkpoint; with `resume` it goes on from there to the
    same losses.
    """
    import torch

    from crop_reasoning.models.loading import load_model

    if torch.cuda.is_available():
        say("base training runs on the CPU: the GPU of this machine stays idle")
    data, records = Path(recipe.data.folder), _records(recipe)
    model, processor, family = load_model(start)
    preflight.set_budget(processor, recipe)
    state = _start(model, recipe, run / CHECKPOINT if resume else None)
    run_folder.rewind(run, state.step)
    buckets = load_photos(records, data, processor, family)
    dialogs = _dialogs(recipe)
    integers, options = integer_tokens(processor.tokenizer), recipe.base or BaseOptions()
    total = _steps(recipe, records)
    loss = None
    model.train()
    for step in progress(range(state.step, total), "base training", total - state.step):
        pace, sigma = _pace(recipe, step, total)
        if step < options.look_steps:
            found = _look(state, buckets, processor, family, recipe)
        else:
            found = _speak(state, buckets, processor, family, recipe, integers, sigma, dialogs)
        loss = _step(state, found, recipe, pace)
        state.step = step + 1
        if state.step % recipe.log_steps == 0:
            line = {"step": state.step, "loss": round(loss, 6), "learning_rate": pace * recipe.optim.learning_rate}
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
    state = State(model, grounding, _optimizers(model, grounding, recipe), np.random.default_rng(recipe.seed))
    if checkpoint:
        restore(state, checkpoint)
    return state


def _pace(recipe: Recipe, step: int, total: int) -> tuple[float, float]:
    """Of a step: the share of the peak learning rates (linear warm-up, then cosine to 2 %) and the width of the
    coordinate targets (linear over the steps with words)."""
    options = recipe.base or BaseOptions()
    warm = min(1.0, (step + 1) / max(1, recipe.optim.warmup_steps))
    spoken = max(0.0, (step - options.look_steps) / max(1, total - options.look_steps))
    sigma = options.soft_target_sigma * (1 - spoken) + FINAL_SIGMA * spoken
    return warm * (0.02 + 0.49 * (1 + math.cos(math.pi * step / total))), sigma


def _step(state: State, loss: Any, recipe: Recipe, pace: float) -> float:
    """One optimizer step down a loss; its value. `CropReasoningError` if that is not finite."""
    import torch

    if not bool(loss.isfinite()):
        where, value = f"base training, step {state.step + 1}", float(loss.detach())
        raise CropReasoningError(f"{where}: the loss is {value}, expected a number; lower optim.learning_rate")
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), recipe.optim.max_grad_norm)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = pace * group["peak"]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _look(state: State, buckets: list[list[Photo]], processor: Any, family: Family, recipe: Recipe) -> Any:
    """The grounding loss of a batch of photos: the vision tower alone, which costs a fraction of the whole model."""
    photos = draw_batch(buckets, LOOK_PHOTOS * recipe.optim.batch_size, state.rng)
    pixels, grid = pixel_batch(photos, processor)
    return grounding_loss(
        state.grounding(state.model.model.visual(pixels, grid_thw=grid).pooler_output), photos, family
    )


def _speak(
    state: State,
    buckets: list[list[Photo]],
    processor: Any,
    family: Family,
    recipe: Recipe,
    integers: Any,
    sigma: float,
    dialogs: list[Dialog],
) -> Any:
    """The loss of a batch's answers and, if they are about photos, their grounding."""
    model = state.model
    if dialogs and state.rng.random() < DIALOGS:
        drawn = [dialogs[index] for index in state.rng.integers(len(dialogs), size=recipe.optim.batch_size)]
        drawn = [in_brief(one) for one in drawn] if state.rng.random() < IN_BRIEF else drawn
        batch, labels = collate_dialogs(drawn, processor, family)
        return answer_loss(model.lm_head, model.model(**batch).last_hidden_state, labels, integers, sigma)
    photos = draw_batch(buckets, recipe.optim.batch_size, state.rng)
    batch, labels = collate(draw_task(state.rng), photos, processor, family, state.rng)
    seen: list[Any] = []
    hook = model.model.visual.merger.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    hidden = model.model(**batch).last_hidden_state
    hook.remove()
    loss = answer_loss(model.lm_head, hidden, labels, integers, sigma)
    if seen:
        loss = loss + (recipe.base or BaseOptions()).grounding_weight * grounding_loss(
            state.grounding(seen[0]), photos, family
        )
    return loss


def save(state: State, path: Path) -> None:
    """Write a checkpoint, whole or not at all."""
    import torch

    partial = path.with_suffix(".partial")
    weights = {"model": state.model.state_dict(), "grounding": state.grounding.state_dict()}
    rest = {
        "optimizers": [one.state_dict() for one in state.optimizers],
        "rng": state.rng.bit_generator.state,
        "step": state.step,
    }
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
    for optimizer, its_state in zip(state.optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(its_state)
    state.rng.bit_generator.state = saved["rng"]
    state.step = saved["step"]


def _optimizers(model: Any, grounding: Any, recipe: Recipe) -> list[Any]:
    """Muon for the layers' matrices, AdamW for all else; every group knows its `peak` learning rate."""
    import torch

    optim, options = recipe.optim, recipe.base or BaseOptions()
    named = [item for item in model.named_parameters() if item[1].requires_grad]
    matrices = [parameter for name, parameter in named if is_layer_matrix(name, parameter)]
    others = [parameter for name, parameter in named if not is_layer_matrix(name, parameter)]
    groups = [
        {"params": [p for p in others if p.ndim > 1] + [grounding.weight], "weight_decay": optim.weight_decay},
        {"params": [p for p in others if p.ndim <= 1] + [grounding.bias], "weight_decay": 0.0},
    ]
    optimizers = [
        Muon(matrices, options.matrix_learning_rate, optim.weight_decay),
        torch.optim.AdamW(groups, lr=optim.learning_rate, betas=(0.9, 0.98)),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers
