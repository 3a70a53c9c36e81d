"""What this machine offers: packages against the tested versions, devices, disk."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

TESTED = {
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "trl": "1.16.0",
    "peft": "0.21.2",
    "accelerate": "1.15.0",
    "datasets": "5.2.0",
}
"""Kept equal to constraints.txt by a test."""
LEAST_FREE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination. `needed` findings that are not ok make `doctor` fail."""

    what: str
    found: str
    ok: bool
    needed: bool
    remedy: str = ""


def examine() -> list[Finding]:
    """Everything that decides what can be run here."""
    return [
        _python(),
        *(_package(name, tested) for name, tested in TESTED.items()),
        _torchvision(),
        *_devices(),
        _disk(),
    ]


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("Python", platform.python_version(), ok, True, "" if ok else "install Python 3.11 or newer")


def _package(name: str, tested: str) -> Finding:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", False, True, 'pip install -c constraints.txt -e ".[train,serve]"')
    same = found.split("+")[0] == tested
    return Finding(name, found, True, True, "" if same else f"tested with {tested}")


def _torchvision() -> Finding:
    from crop_reasoning.models.processors import torchvision_works

    try:
        found = importlib.metadata.version("torchvision")
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            "torchvision", "not installed", True, False, "not needed: the image-only processor takes its place"
        )
    works = torchvision_works()
    remedy = "" if works else "it does not fit this torch: pip uninstall torchvision"
    return Finding("torchvision", found, works, True, remedy)


def _devices() -> list[Finding]:
    try:
        import torch
    except ImportError:
        return []
    if not torch.cuda.is_available():
        use = "nano trains and serves here; the large families need a GPU"
        return [Finding("accelerator", f"none, {torch.get_num_threads()} CPU threads", True, False, use)]
    found = []
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        found.append(Finding(f"GPU {index}", f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, {bf16}", True, False))
    return found


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    ok = free >= LEAST_FREE_GB
    return Finding("free disk here", f"{free:.1f} GB", ok, True, "" if ok else f"free at least {LEAST_FREE_GB:.0f} GB")
