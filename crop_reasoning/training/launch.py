"""Training on several processes: the same command, started again through `accelerate launch`.

This module finds the configuration and passes signals on; it must not import torch's heavy parts before the launch.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from crop_reasoning.assets import find_asset
from crop_reasoning.errors import CropReasoningError, EnvironmentProblem, Interrupted
from crop_reasoning.models.packages import TRAINING, require_packages


def command(name: str, arguments: Sequence[str]) -> list[str]:
    """The command line that runs `crop-reasoning` with `arguments` under a configuration.

    The files for several accelerators name no number of processes: all that are visible are used.
    """
    launcher = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        str(find_asset(f"accelerate_configs/{name}.yaml")),
    ]
    if name not in ("cpu", "single"):
        launcher += ["--num_processes", str(_visible_accelerators(name))]
    return [*launcher, "--module", "crop_reasoning", *arguments]


def launch(name: str, arguments: Sequence[str]) -> None:
    """Run the command and wait for it; `Interrupted` or `CropReasoningError` if it does not end well."""
    require_packages(TRAINING, "training")
    if name.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        raise EnvironmentProblem(f"--accelerate {name} needs the package deepspeed, not installed here; install it")
    stopped: list[int] = []
    environment = os.environ | ({"CUDA_VISIBLE_DEVICES": ""} if name == "cpu" else {})
    launcher = subprocess.Popen(command(name, arguments), start_new_session=True, env=environment)

    def pass_on(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        with suppress(ProcessLookupError):
            os.killpg(launcher.pid, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = launcher.wait()
        _wait_for_group(launcher.pid)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        raise Interrupted("stopped; continue with the same command and --resume", stopped[0])
    if code:
        raise CropReasoningError(f"training on several processes failed (exit code {code}); its first message says why")


def _wait_for_group(group: int) -> None:
    """Wait for the workers: after a signal the launcher may leave before they have written their checkpoint."""
    with suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            time.sleep(0.1)


def _visible_accelerators(name: str) -> int:
    import torch

    count, least = torch.cuda.device_count(), 2 if name == "ddp" else 1
    if count < least:
        instead = "single" if count else "cpu"
        raise EnvironmentProblem(
            f"--accelerate {name} needs at least {least} accelerators, {count} are visible here; "
            f"use --accelerate {instead}"
        )
    return count
