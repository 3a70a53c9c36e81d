"""What happens beside the training loop: the journal, whole checkpoints, stopping, and the first DPO loss.

These run inside the trainer's loop on every process; only the main one writes and speaks.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from crop_reasoning.errors import CropReasoningError
from crop_reasoning.log import say
from crop_reasoning.training.run_folder import METRICS, PREFLIGHT, mark_complete
from crop_reasoning.training.trl_backend import drop_reference

LN_2 = math.log(2)
TOLERANCE = 1e-3
REPEAT_S = 1.0
"""Launchers pass a signal on that the processes got already; a second Ctrl-C comes later than this."""


class Journal(TrainerCallback):
    """Every step into metrics.jsonl; for people a bar on a terminal, or a line every `log_steps` steps elsewhere."""

    def __init__(self, folder: Path, log_steps: int) -> None:
        self._path, self._log_steps = folder / METRICS, log_steps
        self._began = self._last = 0.0
        self._done_before = 0
        self._bar: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        self._began = self._last = time.monotonic()
        self._done_before = state.global_step
        if state.is_world_process_zero and sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("training", total=state.max_steps, completed=state.global_step, loss="")
            self._bar.start()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kw: Any
    ) -> None:
        if not state.is_world_process_zero or "loss" not in logs:
            return  # the summary at the end is no step
        now, step = time.monotonic(), state.global_step
        line = {"step": step, **logs, "seconds": round(now - self._last, 4)}
        self._last = now
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._bar:
            self._bar.update(self._task, completed=step, loss=f"loss {logs['loss']:.4f}")
        elif step % self._log_steps == 0 or step in (1, state.max_steps):
            pace = (now - self._began) / (step - self._done_before)
            left = pace * (state.max_steps - step)
            say(f"step {step}/{state.max_steps}  loss {logs['loss']:.4f}  {pace:.3f} s a step, about {left:.0f} s left")

    def close(self) -> None:
        """Give the terminal back, however training ended."""
        if self._bar:
            self._bar.stop()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))


class WholeCheckpoints(TrainerCallback):
    """Marks a checkpoint once all of it is on disk; without the mark it is never resumed from."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if dist.is_initialized():
            dist.barrier()  # every process has written its part
        if state.is_world_process_zero:
            assert args.output_dir is not None
            folder = Path(args.output_dir)
            (folder / "README.md").unlink(missing_ok=True)  # TRL's empty form
            checkpoint = folder / f"checkpoint-{state.global_step}"
            drop_reference(checkpoint)
            mark_complete(checkpoint)


class Stop(TrainerCallback):
    """Ends training after the step in which a signal came, with a checkpoint."""

    received: int | None = None
    since = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kw: Any) -> None:
        if self._agreed(args) and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True

    def _agreed(self, args: TrainingArguments) -> bool:
        """Whether any process was told to stop; all must leave the loop after the same step."""
        if not dist.is_initialized():
            return self.received is not None
        flag = torch.tensor(self.received or 0, device=args.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        self.received = int(flag) or None
        return self.received is not None


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM end the step, write a checkpoint and stop; a second Ctrl-C stops at once."""
    stop = Stop()

    def receive(number: int, frame: FrameType | None) -> None:
        if stop.received is not None:
            if number == signal.SIGINT and time.monotonic() - stop.since > REPEAT_S:
                raise KeyboardInterrupt
            return
        stop.received, stop.since = number, time.monotonic()
        say("stopping after this step, with a checkpoint (Ctrl-C again: at once, back to the last checkpoint)")

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class FiniteLoss(TrainerCallback):
    """A loss or a gradient that is no number ends the run before the step is saved."""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kw: Any
    ) -> None:
        for name in ("loss", "grad_norm"):
            value = logs.get(name)
            if isinstance(value, float) and not math.isfinite(value):
                raise CropReasoningError(
                    f"training, step {state.global_step}: {name} is {value}, expected a number; start again with a "
                    "lower optim.learning_rate"
                )


class FirstDpoLoss(TrainerCallback):
    """The first DPO loss must be ln 2: policy and reference are then the same. Anything else ends the run."""

    def __init__(self, folder: Path) -> None:
        self._preflight = folder / PREFLIGHT

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kw: Any
    ) -> None:
        if state.global_step != 1 or "rewards/margins" not in logs:
            return
        loss = math.log1p(math.exp(-logs["rewards/margins"]))  # the sigmoid loss, whichever losses are trained
        drift = max(abs(logs["rewards/chosen"]), abs(logs["rewards/rejected"]))
        if abs(loss - LN_2) > TOLERANCE or drift > 2 * TOLERANCE:
            raise CropReasoningError(
                f"first DPO loss: got {loss:.4f} (rewards differ by {drift:.4f}), expected ln 2 = {LN_2:.4f}: the "
                "reference is not the policy that training starts from; nothing was saved; report it with preflight.md"
            )
        if state.is_world_process_zero:
            with self._preflight.open("a", encoding="utf-8") as file:
                file.write(f"| first DPO loss | {loss:.6f} (ln 2 = {LN_2:.6f}) |\n")
