"""Chat samples: the messages that training, evaluation and serving all send, in TRL's conversational form.

Images stand in the `images` column and as bare placeholders in the first user turn; no image data goes into the blocks
(Arrow would fill the missing key and the placeholder count would no longer match).
"""

from __future__ import annotations

import re
from typing import Any

from crop_reasoning.errors import DataError

Message = dict[str, Any]
_CONTROL = re.compile(r"<\|\w+\|>")


def user(text: str, *, images: int = 0) -> Message:
    """A user turn, with the placeholders of so many images in front of the words."""
    return {"role": "user", "content": [*({"type": "image"} for _ in range(images)), _words(text)]}


def assistant(text: str) -> Message:
    """An assistant turn."""
    return {"role": "assistant", "content": [_words(text)]}


def _words(text: str) -> dict[str, str]:
    """A text block; `DataError` for control tokens, with which words could end their turn or pose as an image."""
    if control := _CONTROL.search(text):
        raise DataError(f"the text holds {control.group()}, a control token of the chat; leave it out")
    return {"type": "text", "text": text}


def sft_sample(prompt: list[Message], answer: str) -> dict[str, list[Message]]:
    """The columns of one SFT sample beside `images`: the loss falls on the completion only."""
    return {"prompt": prompt, "completion": [assistant(answer)]}


def dpo_sample(prompt: list[Message], chosen: str, rejected: str) -> dict[str, list[Message]]:
    """The columns of one preference sample beside `images`."""
    return {"prompt": prompt, "chosen": [assistant(chosen)], "rejected": [assistant(rejected)]}
