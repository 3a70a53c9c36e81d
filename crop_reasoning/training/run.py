"""One training run from recipe to adapter: folder, checks, training, what is left behind.

This module owns the order of things and how a run ends (done, stopped, refused). What a step is, TRL knows.
"""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crop_reasoning.errors import CropReasoningError, Interrupted, RecipeError
from crop_reasoning.log import quiet_libraries, say
from crop_reasoning.models.packages import TRAINING, require_packages
from crop_reasoning.training import run_folder
from crop_reasoning.training.recipe import Recipe

FINISHED = "{folder}: this run is finished, there is nothing to resume; give another --output for a new one"
DRY = "{folder}: checked and prepared, nothing trained (dry run)"
STOPPED = "{folder}: stopped after step {step}, nothing is lost; continue with the same command and --resume"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its folder, the steps done in all, the last loss, and the seconds this call took."""

    run: str
    steps: int
    loss: float | None
    seconds: float


def train(recipe: Recipe, *, resume: bool = False, dry_run: bool = False) -> Outcome:
    """Train a recipe into `recipe.output`; with `dry_run` only check and prepare.

    Refuses a folder in use, a finished run, and a resume whose recipe or data changed. Ctrl-C and SIGTERM end in
    `Interrupted` after a checkpoint. Under `accelerate launch` every process calls this; the first one speaks.
    """
    require_packages(TRAINING, "training")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # TRL would report every run
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet_libraries()
    began, folder = time.monotonic(), Path(recipe.output)
    main = is_main_process()
    guard: AbstractContextManager[None] = run_folder.locked(folder) if main else nullcontext()
    try:
        require_one_process(recipe, several=int(os.environ.get("WORLD_SIZE", "1")) > 1)
        with guard:
            if main and not resume:
                run_folder.require_unused(folder)
            with run_folder.full_disk_told(folder):
                steps, loss = (
                    _train_base(recipe, folder, resume, dry_run)
                    if recipe.method == "base"
                    else _train_adapter(recipe, folder, resume, dry_run)
                )
    except KeyboardInterrupt:
        steps = run_folder.steps_done(folder)
        go_on = (
            "the last checkpoint is kept, continue with --resume" if steps else "nothing was trained yet, start again"
        )
        raise Interrupted(f"{folder}: stopped at once; {go_on}") from None
    except CropReasoningError as problem:
        if not main:  # the first process says it; the others leave in silence
            raise SystemExit(problem.exit_code) from None
        raise
    return Outcome(str(folder), steps, loss, round(time.monotonic() - began, 1))


def is_main_process() -> bool:
    """Whether this process writes and speaks (the only one, or the first of several)."""
    return int(os.environ.get("RANK", "0")) == 0


def require_one_process(recipe: Recipe, several: bool) -> None:
    """`RecipeError` for base training on several processes: each would do all of it, into the same files."""
    if recipe.method == "base" and several:
        raise RecipeError(f"{recipe.output}: method base trains in one process, got several; leave --accelerate out")


def _train_base(recipe: Recipe, folder: Path, resume: bool, dry_run: bool) -> tuple[int, float | None]:
    from crop_reasoning.training import base, preflight
    from crop_reasoning.training.callbacks import stopping_on_signals

    if resume and (folder / run_folder.MODEL).is_dir():
        return _add_card(folder)
    start, hashes, findings = base.prepare(recipe, folder, resume)
    run_folder.write_start(folder, recipe, hashes)
    preflight.report(findings, folder)
    if dry_run:
        say(DRY.format(folder=folder))
        return 0, None
    with stopping_on_signals() as stop:
        steps, loss = base.train_base(recipe, folder, start, resume, lambda: stop.received)
        if stop.received and not (folder / run_folder.MODEL).is_dir():
            raise Interrupted(STOPPED.format(folder=folder, step=steps), stop.received)
    _write_card(folder)
    return steps, loss


def _train_adapter(recipe: Recipe, folder: Path, resume: bool, dry_run: bool) -> tuple[int, float | None]:
    from crop_reasoning.training import preflight, preview

    main = is_main_process()
    if resume and (folder / run_folder.ADAPTER).is_dir():
        return _add_card(folder)
    prepared = preflight.prepare(recipe, folder, photos=main)
    if main:
        if resume:
            run_folder.require_same(folder, recipe, prepared.hashes)
        run_folder.write_start(folder, recipe, prepared.hashes)
        preflight.report(prepared.findings, folder)
        preview.write_samples(prepared, folder)
    if dry_run:
        say(DRY.format(folder=folder))
        return 0, None
    return _fit(recipe, folder, prepared, resume)


def _fit(recipe: Recipe, folder: Path, prepared: Any, resume: bool) -> tuple[int, float | None]:
    """Load the weights, train, save the adapter."""
    from crop_reasoning.models.loading import load_weights
    from crop_reasoning.training import callbacks, trl_backend

    checkpoint = run_folder.last_good_checkpoint(folder) if resume else None
    if resume and is_main_process():
        step = run_folder.step_of(checkpoint) if checkpoint else 0
        run_folder.rewind(folder, step)
        say(f"{folder}: continues after step {step}")
    options = recipe.model
    model, family = load_weights(
        prepared.base,
        prepared.adapter,
        trainable=True,
        dtype=options.dtype,
        quantize=options.quantize,
        attention=options.attention,
    )
    journal = callbacks.Journal(folder, recipe.log_steps)
    watchers = [callbacks.FiniteLoss(), callbacks.WholeCheckpoints(), journal]
    watchers += [callbacks.FirstDpoLoss(folder)] if recipe.method == "dpo" else []
    with closing(journal), callbacks.stopping_on_signals() as stop:
        trainer = trl_backend.build_trainer(
            recipe, model, prepared.processor, family, prepared.rows, folder, [stop, *watchers]
        )
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        steps = trainer.state.global_step
        if stop.received and steps < trainer.state.max_steps:
            raise Interrupted(
                STOPPED.format(folder=folder, step=f"{steps} of {trainer.state.max_steps}"), stop.received
            )
        trl_backend.save_adapter(trainer, prepared.processor, folder / run_folder.ADAPTER)
    if is_main_process():
        _write_card(folder)
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return steps, losses[-1] if losses else None


def _add_card(folder: Path) -> tuple[int, float | None]:
    """Finish a run that was killed between its weights and its card; one that has both is refused."""
    if (folder / run_folder.CARD).is_file():
        raise RecipeError(FINISHED.format(folder=folder))
    if is_main_process():
        _write_card(folder)
    return run_folder.steps_done(folder), None


def _write_card(folder: Path) -> None:
    from crop_reasoning.training.card import write_card

    say(f"{folder}: done, see {write_card(folder)}")
