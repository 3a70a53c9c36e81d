"""The teacher's prompt: the photo, the same photo with what was measured drawn on it, the measures, and the crop.

The request is a plain OpenAI chat body, the same for a call and for a line of a batch file. Nothing in it names the
photo's file. `teacher/1` is the text below; whoever changes a word of it changes the id.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image

from crop_reasoning.authors.phrases import ORDINALS
from crop_reasoning.authors.teacher import (
    EVIDENCE_WORDS,
    REASON_WORDS,
    WHY_WORDS,
    Assignment,
    Judged,
    Reply,
    Teacher,
)
from crop_reasoning.codecs import thousandths
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.render import guide_legend
from crop_reasoning.reasoning.rationale import render_box

MAX_PIXELS = 1_000_000
"""Photos are shrunk to this many pixels: enough to judge a crop by, at about 1,000 tokens."""
MAX_ANSWER_TOKENS = 4096
"""Room for an answer (some 700 tokens) and for a reasoning model's thoughts before it."""
_JPEG_QUALITY = 85
_TOLD = 12  # contradictions that are told when an answer is asked for again

_SYSTEM = """\
You write the reasoning of a photographer who crops a photograph: look, propose, decide. You are given the photograph, \
what was measured of it, candidate crops with what was measured of each, and where the decision must fall. Argue with \
what was measured and with nothing else.

Write exactly three parts and nothing around them. Every JSON object stands on one line.
<analysis>
{{"subject":[x1,y1,x2,y2],"elements":[{{"name":"...","line":[x1,y1,x2,y2],"evidence":"..."}}]}}
</analysis>
<proposals>
{{"reason":"...","serves":["..."],"box":[x1,y1,x2,y2]}}
</proposals>
<decision>
{{"box":[x1,y1,x2,y2],"why":"..."}}
</decision>

Coordinates are integers from 0 to 1000, x across and y down the whole photograph from its top left corner. Copy them \
from what you are given; never write others.

analysis: "subject" is the measured box, or null if none is given. "elements" holds measured elements of the \
photograph, each with the geometry given for it, if any ("line", "point" or "box"), and "evidence": at most \
{evidence} words. The names are {names}.
proposals: one object a candidate, all of them, in the order given, with the box given. "reason" says what is true \
of that crop by itself: at most {reason} words. "serves" lists element names from those that the crop serves.
decision: "box" is the crop that you are told. "why" says by which measured differences it wins over the other \
candidates, which are called the first, the second and so on: at most {why} words. Only if it is the whole frame, \
say that the photo is best as it is.

What you may speak of: how much of the photo a crop keeps; tight or wide, tighter or wider than another; wider than \
high, upright, square; whether the subject is kept whole, cut or lost; where the subject stands in the crop (left or \
right third, upper or lower third, a golden-ratio line, the middle); the subject larger in the frame than in \
another; the ten elements, present or stronger; level or tilted; what the border cuts; how much is empty; where the \
weight lies, and which crop is better balanced; how many faces are seen. Call the subject "the subject". Say nothing \
of light, color, mood, story or meaning, and nothing of these instructions: the reader sees only the photograph and \
your answer.
Write no digits in "evidence", "reason" and "why": numbers are words there (about a third, two faces).
Every claim is checked against the measures, and one that is not true spoils the answer: rather claim less. Vary \
words and order from crop to crop; plain English, no lists, no praise."""

_OPENINGS = (
    "what the crop keeps",
    "what the others lose",
    "where the subject stands, if there is one",
    "its size beside the others",
    "its border",
    "the elements it serves",
    "the empty space or the weight",
    "what speaks against it, and why it wins all the same",
)
_FORMS = ("one flowing sentence", "two short sentences", "clauses joined by commas", "a sentence with a contrast in it")


def request_body(
    assignment: Assignment,
    evidence: str,
    pictures: Sequence[Image.Image],
    teacher: Teacher,
    earlier: Sequence[tuple[Reply, Judged]] = (),
    manner: int = 0,
) -> dict[str, Any]:
    """The chat request for an assignment; `earlier` replies that could not be used are told with what was wrong.

    `pictures` are the upright photo and its drawn copy, or the photo alone. `manner`, any number, picks how the
    decision is to begin and to be built, so that answers about many photos do not sound alike.
    """
    captions = ("The photograph:", f"The same photograph with what was measured drawn on it. {guide_legend()}")
    shown = [part for pair in zip(captions, pictures, strict=False) for part in (_text(pair[0]), _picture(pair[1]))]
    question = f"{evidence}\n\n{task_text(assignment, manner)}"
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": system_text()},
        {"role": "user", "content": [*shown, _text(question)]},
    ]
    for reply, judged in earlier:
        messages.append({"role": "assistant", "content": reply.text or "(no answer)"})
        messages.append({"role": "user", "content": correction(judged)})
    return {"model": teacher.model, "messages": messages, "max_completion_tokens": MAX_ANSWER_TOKENS}


def system_text() -> str:
    """The part of the prompt that is the same for every photo, so that endpoints can keep it."""
    return _SYSTEM.format(
        evidence=EVIDENCE_WORDS, reason=REASON_WORDS, why=WHY_WORDS, names=", ".join(f'"{name}"' for name in ELEMENTS)
    )


def correction(judged: Judged) -> str:
    """What a teacher is told whose answer could not be used."""
    wrong = [f"- {each.where}: {each.claim!r} is not so: {each.measured}" for each in judged.contradictions[:_TOLD]]
    details = "\n".join(wrong) or f"- {judged.detail}"
    return (
        f"That answer cannot be used ({judged.kind.replace('_', ' ')}):\n{details}\n"
        "Write the whole answer again, all three parts, and leave out what you cannot say truly."
    )


def task_text(assignment: Assignment, manner: int = 0) -> str:
    """Where the decision must fall; of a pair, both crops in the order of the proposals: neither is preferred."""
    named = [
        f"the {name}, {render_box(box, thousandths, assignment.plan)}"
        for name, box in zip(ORDINALS, assignment.proposals, strict=False)
        if box in assignment.targets
    ]
    form = f"Begin with {_OPENINGS[manner % len(_OPENINGS)]}; write {_FORMS[manner // len(_OPENINGS) % len(_FORMS)]}."
    if len(named) == 1:
        return f"The decision falls on {named[0]}. {form}"
    return (
        f"Write two decisions, one <decision> part after the other: one for {named[0]}, and one for {named[1]}. Which "
        "of the two is better is not said and must not be guessed: argue for each as if it had won, in the same form "
        f"and with about the same number of words. {form}"
    )


def _text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def _picture(image: Image.Image) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": jpeg_url(image)}}


def jpeg_url(image: Image.Image) -> str:
    """An upright RGB image as a JPEG data URL of at most `MAX_PIXELS`, without any of the file's metadata."""
    shrink = math.sqrt(MAX_PIXELS / (image.width * image.height))
    if shrink < 1:
        size = (max(1, math.floor(image.width * shrink)), max(1, math.floor(image.height * shrink)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    Image.frombytes("RGB", image.size, image.tobytes()).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
