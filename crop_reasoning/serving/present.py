"""A crop answer as Markdown for people, with the same answer as JSON at its end, and back again.

Clients send only the text of earlier turns back; the JSON block is how the next turn knows the crop. A model's words
are data: they are escaped once for Markdown, so that they can be no link, picture or markup.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box, to_xyxy_px
from crop_reasoning.reasoning.rationale import Element, Proposal
from crop_reasoning.reasoning.store import rationale_from_json
from crop_reasoning.records import to_json
from crop_reasoning.serving.answer import FALLBACK, CropAnswer, Shown
from crop_reasoning.serving.guards import MODEL, BoxPx

_MARKUP = re.compile(r"([\\`*_\[\]<>~|])")
_BLOCK = re.compile(r"(?:^|\n)```json\n(\{[^\n]*\})\n```$")
_NOT_SHOWN = ("text", "seconds", "prompt_tokens", "tokens", "finish_reason", "repairs")


def crop_json(answer: CropAnswer) -> dict[str, Any]:
    """The whole answer as plain JSON values: boxes as four floats in [0,1], `box_px` in upright pixels."""
    return to_json(answer)


def markdown(answer: CropAnswer) -> str:
    """Analysis, proposals and decision in words, boxes in pixels, then the crop as one fenced line of JSON."""
    block = {key: value for key, value in crop_json(answer).items() if key not in _NOT_SHOWN}
    parts = [*_reasoning(answer), _decision(answer), f"```json\n{json.dumps(block, ensure_ascii=False)}\n```"]
    return "\n\n".join(parts)


def shown_in(content: str) -> Shown | None:
    """The crop that a text made by `markdown` holds at its end; None for any other text."""
    found = _BLOCK.search(content.strip())
    try:
        value = json.loads(found[1]) if found else None
        if not isinstance(value, dict):
            return None
        json.dumps(value, ensure_ascii=False).encode()  # a ValueError for text that cannot be sent on
        rationale = rationale_from_json(value["rationale"], "history") if value["rationale"] else None
        if rationale and not all(_inside(element) for element in rationale.elements):
            return None
        return Shown(Box(*value["box"]), rationale)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, DataError):
        return None


def summary(answer: CropAnswer) -> str:
    """The decision in plain sentences, a line each: crop, reason, who produced it.

    Not escaped: for terminals and tests, not for renderers.
    """
    return "\n".join(_sentences(answer))


def printable(text: str) -> str:
    """Text with control characters replaced, so that a model cannot steer the terminal that shows it.

    >>> printable("crop" + chr(27) + "[2J")
    'crop�[2J'
    """
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def _reasoning(answer: CropAnswer) -> list[str]:
    if answer.rationale is None:
        return []
    rationale, wh = answer.rationale, answer.wh
    subject = f"The subject: {_place(to_xyxy_px(rationale.subject, wh))}." if rationale.subject else "No one subject."
    elements = [
        f"- **{_escape(element.name)}**" + (f": {_escape(element.evidence)}" if element.evidence else "")
        for element in rationale.elements
    ]
    proposals = [f"{n}. {_proposal(proposal, answer)}" for n, proposal in enumerate(rationale.proposals, 1)]
    return [
        "\n".join(["### Analysis", subject, *elements]),
        "\n".join(["### Proposals", *(proposals or ["None that could be read."])]),
    ]


def _proposal(proposal: Proposal, answer: CropAnswer) -> str:
    text = _place(to_xyxy_px(proposal.box, answer.wh))
    if proposal.serves:
        text += f", serves {', '.join(_escape(name) for name in proposal.serves)}"
    return text + (f": {_escape(proposal.reason)}" if proposal.reason else "")


def _decision(answer: CropAnswer) -> str:
    first, *others = _sentences(answer, _escape)
    return "\n\n".join(["### Decision", f"**{first}**", *others])


def _sentences(answer: CropAnswer, escape: Callable[[str], str] = str) -> list[str]:
    w, h = answer.wh
    box = ", ".join(f"{edge:.4f}" for edge in answer.box.xyxy)
    lines = [f"Crop: {_place(answer.box_px)} of {w}x{h} px; as shares of the photo [{box}]"]
    if answer.aspect:
        lines[0] += f"; exactly {answer.aspect[0]}:{answer.aspect[1]}"
    if answer.status == FALLBACK and answer.failure:
        lines.append(
            f"The model's answer could not be read ({answer.failure.kind}: {escape(answer.failure.detail)}); "
            "this crop is not the model's."
        )
    made = answer.provenance
    if answer.rationale and answer.rationale.decision.why:
        whose = "Why" if made.box == MODEL else "Why (the model's words, of its own box)"
        lines.append(f"{whose}: {escape(answer.rationale.decision.why)}")
    source = f"Produced by: box {made.box}, aspect {made.aspect}"
    if made.model_box and (made.box, made.aspect) != (MODEL, MODEL):
        source += f" (the model's own box was {_place(to_xyxy_px(made.model_box, answer.wh))})"
    return [*lines, source + ".", *(f"{note[0].upper()}{note[1:]}." for note in answer.guards)]


def _place(box_px: BoxPx) -> str:
    x1, y1, x2, y2 = box_px
    return f"{x2 - x1}x{y2 - y1} px at x {x1}-{x2}, y {y1}-{y2}"


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\1", printable(" ".join(text.split())))


def _inside(element: Element) -> bool:
    numbers = (*(element.point or ()), *(element.line or ()))
    return all(isinstance(n, (int, float)) and math.isfinite(n) and 0 <= n <= 1 for n in numbers)
