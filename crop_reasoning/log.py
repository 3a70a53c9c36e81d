"""Progress and messages for people, on stderr, so that stdout stays for results."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
PLAIN_INTERVAL_S = 10.0


def say(text: str) -> None:
    """One line for the person who watches."""
    print(text, file=sys.stderr, flush=True)


def progress(items: Iterable[Item], label: str, total: int) -> Iterator[Item]:
    """Pass items through and show how far they are: a bar on a terminal, a line every few seconds elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=label, total=total, console=Console(stderr=True))
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL_S or done == total:
            left = (now - start) / done * (total - done)
            say(f"{label}: {done}/{total}, {now - start:.0f} s, about {left:.0f} s left")
            last = now


def quiet_libraries() -> None:
    """Keep the libraries' notes to their own developers off the screen; errors and warnings about data stay."""
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft|torch)\b")
    warnings.filterwarnings("ignore", message="Found missing adapter keys")  # `attach` refuses them, shorter
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)  # how checkpoints are ordered
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # which of its CPU kernels are compiled
