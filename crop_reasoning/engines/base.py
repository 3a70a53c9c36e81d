"""The one contract between us and whatever generates text.

An engine gets pictures that are already upright and resized to the plan, and messages with a placeholder for each; it
gives back text. Coordinates, prompts and parsing are not its business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from crop_reasoning.images import VisionBudget
from crop_reasoning.models.families import Family
from crop_reasoning.reasoning.chat import Message

MAX_NEW_TOKENS = 768
GUIDED, FREE, REMOTE = "coordinate lists guided", "free", "as the endpoint does"
"""How an engine decodes: lists of coordinates can only hold integers (`coordinates`), or anything can be written."""


@dataclass(frozen=True, slots=True)
class Request:
    """One conversation about one photo: `images` holds it and, if the prompt shows one, its copy with guides, of the
    same size. `prefix` is the beginning of the answer that the engine must continue."""

    id: str
    images: tuple[Image.Image, ...]
    messages: list[Message]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """What came back. `finish_reason` is `stop` or `length`; `text` includes the request's prefix."""

    text: str
    finish_reason: str
    prompt_tokens: int
    tokens: int
    seconds: float


class Engine(Protocol):
    """`generate` keeps the order of its requests; `stream` yields pieces of text, its last item is the Generation."""

    name: str
    family: Family
    budget: VisionBudget
    prompt_id: str
    decoding: str

    def generate(
        self, requests: Sequence[Request], *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> list[Generation]: ...

    def stream(
        self, request: Request, *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> Iterator[str | Generation]: ...
