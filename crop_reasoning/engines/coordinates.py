"""Guided decoding of coordinates: inside a list of integers, a model can write integers, commas and the end.

A model that is unsure of a coordinate spreads its belief over a thousand integers, and then a word or a comma, each
unlikely, can be likelier than any single one of them: the answer is lost, though the model knew roughly where. Only the
form is given; which integer is the model's own choice, and so are all other words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from transformers import LogitsProcessor

LISTS = {"box": 4, "subject": 4, "line": 4, "point": 2}
"""The fields of an answer that hold coordinates, and how many."""
MOST_DIGITS = 5
_OPEN = re.compile(rf'"({"|".join(LISTS)})":\[([\d,]*)$')
_TAIL = 48  # characters that hold the name of a field and its integers


class Spelling:
    """What each token of a vocabulary can do inside a list: begin an integer, lengthen one, part two, or end it."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        import torch

        self.texts = tokenizer.batch_decode([[token] for token in range(min(size, len(tokenizer)))])
        self.texts += [""] * (size - len(self.texts))  # rows that pad an embedding spell nothing
        whole = [text.isascii() and text.isdecimal() for text in self.texts]
        self.integer = torch.tensor(whole)
        self.digit = torch.tensor([number and len(text) == 1 for number, text in zip(whole, self.texts, strict=True)])
        self.comma = torch.tensor([text == "," for text in self.texts])
        self.end = torch.tensor([text.startswith("]") for text in self.texts])

    def allowed(self, tail: str) -> Any:
        """The tokens that may follow a text, as a mask over the vocabulary; None where any may."""
        found = _OPEN.search(tail)
        if found is None:
            return None
        integers = found[2].split(",")
        if not integers[-1]:
            return self.integer
        following = self.comma if len(integers) < LISTS[found[1]] else self.end
        return following | self.digit if len(integers[-1]) < MOST_DIGITS and integers[-1] != "0" else following


class CoordinateLists(LogitsProcessor):
    """Bars, for each answer of a batch, what cannot continue an open list of coordinates."""

    def __init__(self, spelling: Spelling, prefixes: Sequence[str]) -> None:
        self.spelling = spelling
        self.tails = list(prefixes)
        self.begun = False

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """`scores` (answers, vocabulary) before the next token; `input_ids` end in the last one."""
        import torch

        if self.begun:
            for row, token in enumerate(input_ids[:, -1].tolist()):
                self.tails[row] = (self.tails[row] + self.spelling.texts[token])[-_TAIL:]
        self.begun = True
        for row, tail in enumerate(self.tails):
            if (allowed := self.spelling.allowed(tail)) is not None:
                scores[row] = scores[row].masked_fill(~allowed.to(scores.device, torch.bool), -torch.inf)
        return scores
