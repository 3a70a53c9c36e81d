"""One photo and one turn of words to one crop: decode, plan, ask, parse, guard.

The same four functions as in training and evaluation stand between pixels and numbers (`plan_image`, `codec.encode`,
`rationale.parse`, `codec.decode`). This module must not know HTTP or torch; it gives data and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from crop_reasoning.engines.base import MAX_NEW_TOKENS, Engine, Generation, Request
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.geometry import WHOLE, Box, Size, fit_aspect
from crop_reasoning.images import ImagePlan, load_upright, plan_image
from crop_reasoning.reasoning.chat import Message
from crop_reasoning.reasoning.dialogs import Ask, Exchange, messages
from crop_reasoning.reasoning.pictures import pictures
from crop_reasoning.reasoning.prompts import user_text, without_guides
from crop_reasoning.reasoning.rationale import Decision, Parsed, ParseFailure, Rationale, parse
from crop_reasoning.serving.guards import BoxPx, Provenance, guard
from crop_reasoning.serving.wishes import MAX_WORDS, Aspect, Wishes, adds_something, aspect_after, read_wishes

OK, FALLBACK = "ok", "fallback"
MAX_TURNS = 24


@dataclass(frozen=True, slots=True)
class Shown:
    """What an earlier turn answered: the crop as it was shown and the reasoning behind it, None if unreadable."""

    box: Box
    rationale: Rationale | None


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier turn: the user's words and our answer, or a text that holds no crop of ours."""

    words: str
    answer: Shown | str


@dataclass(frozen=True, slots=True)
class CropRequest:
    """What is asked about one photo. `aspect` is in force until the words of a turn name another ratio or lift it;
    `subject` is given with the first turn."""

    words: str = ""
    aspect: Aspect | None = None
    history: tuple[Turn, ...] = ()
    system: str = ""
    max_new_tokens: int = MAX_NEW_TOKENS
    temperature: float = 0.0
    id: str = "crop"
    subject: Box | None = None


@dataclass(frozen=True, slots=True)
class CropAnswer:
    """A crop of an upright photo of `wh` pixels, why, and who produced what.

    `box` is [0,1], `box_px` its pixels (corners exclusive), of exactly `aspect` (width, height) where one is in force.
    `status` is `ok`, or `fallback` when the model's answer could not be read: then `failure` says how, `rationale` is
    None and the crop is the guard's. `guards` holds a sentence for each guard that acted, `text` the model's answer
    as it came, `repairs` what had to be overlooked in it.
    """

    wh: Size
    box: Box
    box_px: BoxPx
    aspect: Aspect | None
    rationale: Rationale | None
    provenance: Provenance
    guards: tuple[str, ...]
    status: str
    failure: ParseFailure | None
    repairs: tuple[str, ...]
    model: str
    text: str
    finish_reason: str
    prompt_tokens: int
    tokens: int
    seconds: float

    @property
    def shown(self) -> Shown:
        """What the next turn must know of this one."""
        return Shown(self.box, self.rationale)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that passed every check which needs no model."""

    engine: Engine
    plan: ImagePlan
    aspect: Aspect | None
    wishes: Wishes
    previous: Box | None
    request: Request
    max_new_tokens: int
    temperature: float


def answer(engine: Engine, source: Path | str | bytes, request: CropRequest) -> CropAnswer:
    """The crop of the photo `source` that `request` asks for; errors as in `prepare`, or the engine's own."""
    prepared = prepare(engine, source, request)
    made = engine.generate([prepared.request], max_new_tokens=prepared.max_new_tokens, temperature=prepared.temperature)
    return read(prepared, made[0])


def stream(prepared: Prepared) -> Iterator[str | CropAnswer]:
    """The model's text piece by piece as it is written; the last item is the answer."""
    pieces = prepared.engine.stream(
        prepared.request, max_new_tokens=prepared.max_new_tokens, temperature=prepared.temperature
    )
    for piece in pieces:
        if isinstance(piece, Generation):
            yield read(prepared, piece)
            return
        yield piece
    raise CropReasoningError(f"engine {prepared.engine.name}: its stream ended without the whole answer; try again")


def prepare(engine: Engine, source: Path | str | bytes, request: CropRequest) -> Prepared:
    """Decode and plan the photo, read the wishes, write the messages.

    `DataError` for a photo that cannot be decoded, an aspect it cannot hold, too many words or turns.
    """
    if len(request.history) >= MAX_TURNS:
        raise DataError(f"the conversation has {len(request.history)} turns, expected below {MAX_TURNS}; start anew")
    words = [turn.words for turn in request.history] + [request.words]
    longest = max(map(len, words))
    if longest > MAX_WORDS:
        raise DataError(f"a turn has {longest} characters, expected at most {MAX_WORDS}; say it shorter")
    image = load_upright(source)
    plan = plan_image(image.size, engine.budget)
    aspect = aspect_after(words, request.aspect)
    if aspect:
        fit_aspect(WHOLE, aspect, image.size)  # refuses what the photo cannot hold before the model runs
    last = request.history[-1].answer if request.history else None
    return Prepared(
        engine,
        plan,
        aspect,
        read_wishes(request.words),
        last.box if isinstance(last, Shown) else None,
        Request(request.id, pictures(image, plan, engine.prompt_id), _messages(engine, plan, request)),
        request.max_new_tokens,
        request.temperature,
    )


def read(prepared: Prepared, made: Generation) -> CropAnswer:
    """What a generation means for the photo it was made for: parsed, decoded, guarded."""
    plan = prepared.plan
    parsed = parse(made.text, prepared.engine.family.codec, plan, cut=made.finish_reason == "length")
    understood = parsed if isinstance(parsed, Parsed) else None
    model_box = understood.box if understood else None
    guarded = guard(model_box, prepared.previous, prepared.wishes, prepared.aspect, plan.original_wh)
    return CropAnswer(
        wh=plan.original_wh,
        box=guarded.box,
        box_px=guarded.box_px,
        aspect=prepared.aspect,
        rationale=understood.rationale if understood else None,
        provenance=guarded.provenance,
        guards=guarded.notes,
        status=OK if understood else FALLBACK,
        failure=parsed if isinstance(parsed, ParseFailure) else None,
        repairs=understood.repairs if understood else (),
        model=prepared.engine.name,
        text=made.text,
        finish_reason=made.finish_reason,
        prompt_tokens=made.prompt_tokens,
        tokens=made.tokens,
        seconds=made.seconds,
    )


def _messages(engine: Engine, plan: ImagePlan, request: CropRequest) -> list[Message]:
    codec, prompt_id = engine.family.codec, engine.prompt_id
    words = [turn.words for turn in request.history] + [request.words]
    own = words[0]
    for known in (prompt_id, without_guides(prompt_id)):  # a client may ask in our own words
        own = own.removeprefix(user_text(known, codec, plan)).strip()
    first = Ask(own if adds_something(own) else "", aspect_after(words[:1], request.aspect), request.subject)
    asks = [first, *map(Ask, words[1:])]
    history = [Exchange(ask, _told(turn.answer)) for ask, turn in zip(asks, request.history, strict=False)]
    return messages(history, asks[-1], prompt_id, codec, plan, system=request.system)


def _told(answered: Shown | str) -> Rationale | str:
    """What the model is told of an earlier answer: the crop that people saw, which a guard may have changed."""
    if isinstance(answered, str):
        return answered
    rationale = answered.rationale or Rationale(None, (), (), Decision(answered.box, ""))
    return replace(rationale, decision=replace(rationale.decision, box=answered.box))
