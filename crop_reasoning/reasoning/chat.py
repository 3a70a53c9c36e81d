"""Chat samples: the messages that training, evaluation and serving all send, in TRL's conversational form.

The image stands in the `images` column and as a bare placeholder in the first user turn; no image data goes into the
blocks (Arrow would fill the missing key and the placeholder count would no longer match).
"""

from __future__ import annotations

import re
from typing import Any

from crop_reasoning.errors import DataError

Message = dict[str, Any]
_CONTROL = re.compile(r"<\|\w+\|>")


def user(text: str, *, image: bool = False) -> Message:
    """A user turn, with the photo's placeholder in front of the words if `image`."""
    blocks: list[dict[str, str]] = [{"type": "image"}] if image else []
    return {"role": "user", "content": [*blocks, _words(text)]}


def assistant(text: str) -> Message:
    """An assistant turn."""
    return {"role": "assistant", "content": [_words(text)]}


def _words(text: str) -> dict[str, str]:
    """A text block; `DataError` for control tokens, with which words could end their turn or pose as an image."""
    if control := _CONTROL.search(text):
        raise DataError(f"the text holds {control.group()}, a control token of the chat; leave it out")
    return {"type": "text", "text": text}


def sft_sample(prompt: str, answer: str) -> dict[str, list[Message]]:
    """The columns of one SFT sample beside `images`: the loss falls on the completion only."""
    return {"prompt": [user(prompt, image=True)], "completion": [assistant(answer)]}


def dpo_sample(prompt: str, chosen: str, rejected: str) -> dict[str, list[Message]]:
    """The columns of one preference sample beside `images`."""
    return {"prompt": [user(prompt, image=True)], "chosen": [assistant(chosen)], "rejected": [assistant(rejected)]}
