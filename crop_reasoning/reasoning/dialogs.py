"""Conversations about one photo: what was asked, what was answered, and the messages that say so to a model.

Training and serving send exactly the messages that this module makes. It owns no words of its own (`prompts` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crop_reasoning.codecs import Codec
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.chat import Message, assistant, user
from crop_reasoning.reasoning.prompts import count_images, user_text
from crop_reasoning.reasoning.rationale import Rationale, render
from crop_reasoning.records import CropRecord


@dataclass(frozen=True, slots=True)
class Ask:
    """One turn of the user: free words, and what is given exactly: a ratio (width, height) and a subject's box.

    What is given exactly stands in the first turn; later turns are words alone, as people write them.
    """

    words: str = ""
    aspect: tuple[int, int] | None = None
    subject: Box | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier turn and what was answered to it: a rationale, or a text that holds no crop of ours."""

    ask: Ask
    answer: Rationale | str


@dataclass(frozen=True, slots=True)
class Dialog:
    """A supervised conversation about a record's photo: `answer` is taught, the history before it is given.

    `task` names what is practiced: `aspect`, `subject`, `keep`, or the wish of the last turn, such as `tighter`.
    """

    record_id: str
    task: str
    history: tuple[Exchange, ...]
    ask: Ask
    answer: Rationale


def ask_for(record: CropRecord) -> Ask:
    """What a record's task asks: a subject or a ratio is told only where the task gives it."""
    if record.task == "free":
        return Ask()
    return Ask(aspect=record.aspect, subject=record.subject)


def messages(
    history: Sequence[Exchange], ask: Ask, prompt_id: str, codec: Codec, plan: ImagePlan, *, system: str = ""
) -> list[Message]:
    """The conversation up to where the model speaks; the photo (and its copy with guides) stands in the first turn."""
    first, *later = [*(exchange.ask for exchange in history), ask]
    text = user_text(prompt_id, codec, plan, aspect=first.aspect, subject=first.subject, instruction=first.words)
    turns = [user(system) | {"role": "system"}] if system else []
    turns.append(user(text, images=count_images(prompt_id)))
    for exchange, following in zip(history, later, strict=True):
        said = exchange.answer
        turns += [assistant(said if isinstance(said, str) else render(said, codec, plan)), user(following.words)]
    return turns
