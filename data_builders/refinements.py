"""Conversations about one photo: a crop, then words that change it, turn by turn, each answer from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from crop_reasoning.authors.boxes import author_rationale
from crop_reasoning.authors.tasks import PHRASES, task_answer
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import WHOLE, Box, centered, inside
from crop_reasoning.reasoning.dialogs import Ask, Dialog, Exchange
from crop_reasoning.reasoning.intents import CANNOT, INTENTS, WHOLE_SUBJECT, Facts
from crop_reasoning.reasoning.rationale import Element, Rationale
from crop_reasoning.records import CropRecord
from crop_reasoning.serving.wishes import aspect_after
from data_builders.task_targets import ASPECTS, Aspect, answer_to, cannot, of_aspect
from data_builders.task_words import say

WEIGHTS = {
    "tighter": 0.2,
    "looser": 0.1,
    "wider": 0.05,
    "room above": 0.11,
    "room below": 0.06,
    "room left": 0.045,
    "room right": 0.045,
    "move left": 0.04,
    "move right": 0.04,
    "move up": 0.04,
    "move down": 0.04,
    "everything": 0.05,
    "ratio": 0.1,
}
"""How often each intent is drawn; those that a crop does not allow are drawn again. `include` is asked only of crops
that cut the subject."""
_SECOND = {
    "tighter": ("ratio", "move left", "move right", "move up", "move down", "room above"),
    "looser": ("ratio", "move left", "move right"),
    "ratio": ("tighter", "looser", "move left", "move right"),
    "move left": ("tighter", "ratio"),
    "move right": ("tighter", "ratio"),
}
"""What may be asked in the same breath."""
_BOTH, _IMPOSSIBLE, _INCLUDE, _WITH_RATIO, _FROM_BEST = 0.2, 0.06, 0.4, 0.2, 0.5
_TRIES = 12
_USUAL = (WHOLE, *(centered(scale) for scale in (0.9, 0.8, 0.7)))
"""Crops to propose beside a crop that stays and beside the whole frame."""
Rng = np.random.Generator


def refine(record: CropRecord, elements: Sequence[Element], rng: Rng) -> Iterator[Dialog]:
    """The supervised answers of one conversation about a photo: one for each of its one or two later turns.

    It starts from the best crop or from another ranked one, as a model's own first answer may be, sometimes with a
    ratio in force. Fewer turns, perhaps none, where nothing that is drawn can be asked of the crop.
    """
    ask, answer = _start(record, elements, rng)
    history = [Exchange(ask, answer)]
    aspect = ask.aspect
    for _ in range(int(rng.integers(1, 3))):
        found = _turn(record, elements, answer.decision.box, aspect, rng)
        if found is None:
            return
        task, ask, answer, aspect = found
        yield Dialog(record.id, task, tuple(history), ask, answer)
        history.append(Exchange(ask, answer))


def _start(record: CropRecord, elements: Sequence[Element], rng: Rng) -> tuple[Ask, Rationale]:
    """What the first turn asked and was answered; that answer is never supervised, but its words are true as well."""
    if rng.random() < _WITH_RATIO:
        aspect = ASPECTS[rng.integers(len(ASPECTS))]
        try:
            target, *others = of_aspect(record, aspect)
        except DataError:
            pass
        else:
            answer = task_answer(record.subject, elements, target, others, rng, said=[PHRASES["ratio"]])
            return Ask(aspect=aspect), answer
    crops = [crop.box for crop in sorted(record.crops, key=lambda crop: -crop.score)]
    box = crops[0] if rng.random() < _FROM_BEST else crops[rng.integers(len(crops))]
    return Ask(), author_rationale(record, (box,), rng)[0]


def _turn(
    record: CropRecord, elements: Sequence[Element], previous: Box, aspect: Aspect | None, rng: Rng
) -> tuple[str, Ask, Rationale, Aspect | None] | None:
    """One later turn: its task, what is said, the answer, and the ratio in force after it."""
    refusals = [name for name in INTENTS if cannot(name, previous, record.subject)]
    if refusals and rng.random() < _IMPOSSIBLE:
        return _refusal(record, elements, previous, aspect, refusals[rng.integers(len(refusals))], rng)
    for _ in range(_TRIES):
        intents = _drawn(previous, record.subject, rng)
        in_force = _aspect_after(intents, aspect, rng)
        facts = Facts(previous, record.subject, in_force, record.image.wh)
        words, amounts = say(intents, in_force, rng)
        if aspect_after([words], aspect) != in_force:  # serving would go on with the ratio before
            continue
        try:
            target = answer_to(intents, amounts, facts)
            if target is None:
                continue
            rivals = _rivals(intents, amounts, facts)
        except DataError:  # the photo cannot hold the ratio
            continue
        said = [PHRASES[name] for name in intents]
        answer = task_answer(record.subject, elements, target, rivals, rng, previous=previous, said=said)
        return "+".join(intents), Ask(words), answer, in_force
    return None


def _refusal(
    record: CropRecord, elements: Sequence[Element], previous: Box, aspect: Aspect | None, name: str, rng: Rng
) -> tuple[str, Ask, Rationale, Aspect | None]:
    """The crop stays as it is, and the answer says why."""
    words, _ = say((name,), None, rng)
    said = [cannot(name, previous, record.subject)]
    answer = task_answer(record.subject, elements, previous, _USUAL, rng, previous=previous, said=said)
    return CANNOT + name, Ask(words), answer, aspect


def _drawn(previous: Box, subject: Box | None, rng: Rng) -> tuple[str, ...]:
    """An intent or two that make sense of this crop."""
    cut = subject is not None and 0 < inside(subject, previous) < WHOLE_SUBJECT
    if cut and rng.random() < _INCLUDE:
        return ("include",)
    names, shares = list(WEIGHTS), np.array(list(WEIGHTS.values()))
    first = names[rng.choice(len(names), p=shares / shares.sum())]
    if first in _SECOND and rng.random() < _BOTH:
        return (first, _SECOND[first][rng.integers(len(_SECOND[first]))])
    return (first,)


def _aspect_after(intents: tuple[str, ...], aspect: Aspect | None, rng: Rng) -> Aspect | None:
    if "everything" in intents:
        return None
    return ASPECTS[rng.integers(len(ASPECTS))] if "ratio" in intents else aspect


def _rivals(intents: tuple[str, ...], amounts: tuple[float, ...], facts: Facts) -> list[Box]:
    """Other crops that do what was asked: about the crop's own center, a bit less, more."""
    if "everything" in intents:
        return list(_USUAL)
    found = []
    for share, about_center in ((1.0, True), (2.0, False), (0.5, False), (3.0, False), (0.5, True)):
        box = answer_to(intents, tuple(share * amount for amount in amounts), facts, about_center=about_center)
        if box is not None:
            found.append(box)
    return found
