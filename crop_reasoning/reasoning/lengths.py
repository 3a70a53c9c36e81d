"""Lengths: how many tokens a sample costs, from its texts and its image's size alone, so that none is ever cut.

An answer ends with the coordinates, and a trainer that truncates from the right removes exactly those, silently. So
lengths are counted before any pixel is decoded, and a sample that is too long is refused by its name.
This module must not import torch; the processor comes from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.chat import sft_sample

MAX_NAMED = 10
"""An error names this many of the samples that are too long and counts the rest."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The lengths of a data set in tokens. `refused` holds (name, tokens) of each sample above `max_tokens`."""

    n: int
    longest: int
    mean: float
    max_tokens: int
    refused: tuple[tuple[str, int], ...]

    def require(self) -> None:
        """`DataError` naming the samples that are too long, if there are any.

        >>> audit([("a", 90), ("b", 120)], max_tokens=100).require()
        Traceback (most recent call last):
        ...
        crop_reasoning.errors.DataError: 1 of 2 samples are longer than 100 tokens: b (120); \
raise the limit to 120, lower the pixel budget, or leave them out
        """
        if not self.refused:
            return
        named = ", ".join(f"{name} ({tokens})" for name, tokens in self.refused[:MAX_NAMED])
        rest = len(self.refused) - MAX_NAMED
        raise DataError(
            f"{len(self.refused)} of {self.n} samples are longer than {self.max_tokens} tokens: {named}"
            + (f" and {rest} more" if rest > 0 else "")
            + f"; raise the limit to {self.longest}, lower the pixel budget, or leave them out"
        )


def sample_length(processor: Any, plan: ImagePlan, prompt: str, *answers: str) -> int:
    """Tokens of one training sequence: chat template, image, prompt and the longest of `answers`.

    `processor` is the model's own (its chat template and tokenizer are used, its image processor is not). The prompt
    and the answer are tokenized apart, as TRL's collators do, so the sum is exactly the row's `input_ids`.
    """
    if not answers:
        raise ValueError("sample_length needs at least one answer")
    longest = 0
    for answer in answers:
        sample = sft_sample(prompt, answer)
        opening = processor.apply_chat_template(sample["prompt"], tokenize=False, add_generation_prompt=True)
        whole = processor.apply_chat_template(sample["prompt"] + sample["completion"], tokenize=False)
        if not whole.startswith(opening):
            raise DataError("the chat template does not keep the prompt as the beginning; use the model's own template")
        ids = (_ids(processor, opening), _ids(processor, whole[len(opening) :]))
        placeholders = ids[0].count(processor.image_token_id)
        longest = max(longest, len(ids[0]) + len(ids[1]) + placeholders * (plan.visual_tokens - 1))
    return longest


def audit(samples: Iterable[tuple[str, int]], max_tokens: int) -> Audit:
    """Sum up (name, tokens) of each sample; those above `max_tokens` are refused by name, in their order.

    >>> audit([("a", 90), ("b", 120)], max_tokens=100)
    Audit(n=2, longest=120, mean=105.0, max_tokens=100, refused=(('b', 120),))
    """
    counted = list(samples)
    tokens = [length for _, length in counted]
    return Audit(
        n=len(counted),
        longest=max(tokens, default=0),
        mean=sum(tokens) / len(tokens) if tokens else 0.0,
        max_tokens=max_tokens,
        refused=tuple((name, length) for name, length in counted if length > max_tokens),
    )


def _ids(processor: Any, text: str) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
