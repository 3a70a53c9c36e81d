"""The grammar of an answer: analysis, proposals, decision. `render` and `parse` are inverses.

    <analysis>
    {"subject":[312,240,455,610],"elements":[{"name":"horizontal","line":[0,402,1000,402],"evidence":"a horizon"}]}
    </analysis>
    <proposals>
    {"reason":"subject on the left third","serves":["rule of thirds"],"box":[105,80,905,880]}
    {"reason":"everything kept","serves":[],"box":[0,0,1000,1000]}
    </proposals>
    <decision>
    {"box":[105,80,905,880],"why":"tighter than the second, subject left third, middle"}
    </decision>

A proposal writes its reason before its box: first what the crop shall show, then the coordinates that do it. The
decision writes its box first: what leads to it is the analysis and the proposals above it, so two
crops of one photo can be compared by their box tokens after the same prefix, and an answer cut short loses words, not
coordinates. The box of the whole frame means `keep`. Integers are the codec's; this module sees them only through it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from crop_reasoning.codecs import BoxRefused, Codec, decode, decode_point, encode, encode_point
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.strict_json import dumps, loads, loads_leading

GRAMMAR = "rationale/1"
MIN_SIDE = 0.02
"""A decision narrower or lower than this share of the image is refused as `too_small`."""
FAILURES = ("empty", "no_decision", "not_json", "arity", "out_of_range", "inverted", "too_small", "truncated")
DECISION_OPENING = '<decision>\n{"box":'
"""Everything of an answer up to and including this is the prefix after which boxes are compared."""

Point = tuple[float, float]
Line = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Element:
    """A compositional element seen in the photo: its name, the evidence in words, and at most one geometry."""

    name: str
    evidence: str
    point: Point | None = None
    line: Line | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        if sum(geometry is not None for geometry in (self.point, self.line, self.box)) > 1:
            raise DataError(f"element {self.name!r}: has several of point, line and box, expected at most one")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate crop, the elements it serves and a reason that is true of it."""

    box: Box
    serves: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The crop that was chosen and why; the whole frame means that the photo is best as it is."""

    box: Box
    why: str

    @property
    def keep(self) -> bool:
        return self.box.is_whole


@dataclass(frozen=True, slots=True)
class Rationale:
    """A whole answer. `subject` is None where no subject stands out."""

    subject: Box | None
    elements: tuple[Element, ...]
    proposals: tuple[Proposal, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer that yields a box. `repairs` lists what had to be overlooked: nothing, if `render` writes it so."""

    rationale: Rationale
    repairs: tuple[str, ...] = ()

    @property
    def box(self) -> Box:
        return self.rationale.decision.box


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """An answer that yields no box: one of `FAILURES` and what was found."""

    kind: str
    detail: str


def render(rationale: Rationale, codec: Codec, plan: ImagePlan) -> str:
    """The text of an answer. Geometry goes through `codec`; everything else is written as it is.

    `parse` reads it back as `quantize(rationale)`, strictly, unless the decision is below `MIN_SIDE`.
    """
    analysis = {
        "subject": list(encode(rationale.subject, codec, plan)) if rationale.subject else None,
        "elements": [_element_json(element, codec, plan) for element in rationale.elements],
    }
    proposals = "".join(
        dumps({"reason": p.reason, "serves": list(p.serves), "box": list(encode(p.box, codec, plan))}) + "\n"
        for p in rationale.proposals
    )
    decision = {"box": list(encode(rationale.decision.box, codec, plan)), "why": rationale.decision.why}
    return (
        f"<analysis>\n{dumps(analysis)}\n</analysis>\n"
        f"<proposals>\n{proposals}</proposals>\n"
        f"<decision>\n{dumps(decision)}\n</decision>"
    )


def render_box(box: Box, codec: Codec, plan: ImagePlan) -> str:
    """A box as it stands in an answer, for instance `[105,80,905,880]`."""
    return dumps(list(encode(box, codec, plan)))


def parse(text: str, codec: Codec, plan: ImagePlan, *, cut: bool = False) -> Parsed | ParseFailure:
    """Read an answer. Never raises; `cut` says that the engine stopped at its token limit.

    What may be overlooked, each counted in `repairs`: words around the parts (a model's thoughts among them), code
    fences, a decision whose end is missing after a complete box, an analysis or proposals that cannot be read, any
    other departure from the text that `render` writes. Never repaired: the integers themselves, nor a decision with
    two boxes. The last decision counts if there are several; tags inside JSON strings and thoughts do not count.
    """
    if not text.strip():
        return ParseFailure("empty", "the answer holds no text")
    answer = text.rpartition("</think>")[2]
    tags = _STRING.sub(lambda string: " " * len(string.group()), answer)  # same length, so offsets agree
    opening = -1 if "<think>" in tags else tags.rfind("<decision>")
    if opening < 0:
        kind = "truncated" if cut else "no_decision"
        return ParseFailure(kind, "no <decision> part" + (" before the token limit" if cut else ""))
    repairs = _around(tags, thoughts=len(answer) < len(text))
    closing = tags.find("</decision>", opening)
    body = answer[opening + len("<decision>") : closing if closing >= 0 else None]
    value = _decision_json(body, closing >= 0, repairs)
    if value is None:
        kind = "truncated" if closing < 0 else "not_json"
        return ParseFailure(kind, f"the decision reads {body.strip()[:80]!r}")
    try:
        box = decode(_ints(value.get("box")), codec, plan)
    except BoxRefused as refused:
        return ParseFailure(refused.kind, f"decision: {refused}")
    if min(box.width, box.height) < MIN_SIDE - 1e-9:  # 0.06 - 0.04 is a little less than 0.02
        return ParseFailure("too_small", f"decision: {box.width:.3f} x {box.height:.3f} of the image")
    subject, elements = _read_analysis(_part("analysis", answer, tags[:opening]), codec, plan, repairs)
    proposals = _read_proposals(_part("proposals", answer, tags[:opening]), codec, plan, repairs)
    why = value.get("why")
    rationale = Rationale(subject, elements, proposals, Decision(box, why if isinstance(why, str) else ""))
    if not repairs and render(rationale, codec, plan) != text.strip():
        repairs.append("not the canonical text")
    return Parsed(rationale, tuple(repairs))


def quantize(rationale: Rationale, codec: Codec, plan: ImagePlan) -> Rationale:
    """The rationale with every coordinate on the codec's grid: what survives `render` then `parse`."""

    def snap(box: Box) -> Box:
        return decode(encode(box, codec, plan), codec, plan)

    return Rationale(
        snap(rationale.subject) if rationale.subject else None,
        tuple(_element_from(_element_json(element, codec, plan), codec, plan) for element in rationale.elements),
        tuple(replace(proposal, box=snap(proposal.box)) for proposal in rationale.proposals),
        replace(rationale.decision, box=snap(rationale.decision.box)),
    )


def _element_json(element: Element, codec: Codec, plan: ImagePlan) -> dict[str, Any]:
    value: dict[str, Any] = {"name": element.name}
    if element.point:
        value["point"] = list(encode_point(element.point, codec, plan))
    elif element.line:
        x1, y1, x2, y2 = element.line
        value["line"] = [*encode_point((x1, y1), codec, plan), *encode_point((x2, y2), codec, plan)]
    elif element.box:
        value["box"] = list(encode(element.box, codec, plan))
    value["evidence"] = element.evidence
    return value


def _element_from(value: Any, codec: Codec, plan: ImagePlan) -> Element:
    name, evidence = value["name"], value.get("evidence", "")
    if not isinstance(name, str) or not isinstance(evidence, str):
        raise TypeError("an element's name and evidence are strings")
    if "point" in value:
        return Element(name, evidence, point=decode_point(_ints(value["point"]), codec, plan))
    if "line" in value:
        ints = _ints(value["line"])
        line = (*decode_point(ints[:2], codec, plan), *decode_point(ints[2:], codec, plan))
        return Element(name, evidence, line=line)
    box = decode(_ints(value["box"]), codec, plan) if "box" in value else None
    return Element(name, evidence, box=box)


def _ints(value: Any) -> list[int]:
    if not isinstance(value, list):
        raise BoxRefused("arity", f"got {repr(value)[:80]}, expected a list of integers")
    return value


_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, DataError, RecursionError)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"?')
"""A JSON string, or its beginning if the text or the line ends within it."""
_LEADING_BOX = re.compile(r'\{\s*"box"\s*:\s*(\[[^\[\]{}"]*\])')


def _around(tags: str, *, thoughts: bool) -> list[str]:
    """The repairs that the text outside the parts calls for; `tags` is the answer with its strings blanked."""
    outside = re.sub(r"<(analysis|proposals|decision)>.*?(</\1>|\Z)", "", tags, flags=re.DOTALL)
    repairs = ["words around the parts"] if thoughts or outside.strip() else []
    return repairs + (["several decisions"] if tags.count("<decision>") > 1 else [])


def _part(tag: str, answer: str, tags: str) -> str | None:
    """What the last part of that name holds, or None; `tags` is the answer's beginning with its strings blanked."""
    start = tags.rfind(f"<{tag}>")
    end = tags.find(f"</{tag}>", start)
    return answer[start + len(tag) + 2 : end] if 0 <= start < end else None


def _decision_json(body: str, closed: bool, repairs: list[str]) -> dict[str, Any] | None:
    """The decision's object; None if there is none, or if it is broken and its box is not beyond doubt."""
    with suppress(*_UNREADABLE):
        value = loads(body)
        if closed:
            return value if isinstance(value, dict) else None
    repairs.append("decision not plain JSON" if closed else "decision not closed")
    if body.count('"box"') != 1:
        return None
    start = max(body.find("{"), 0)
    with suppress(*_UNREADABLE):
        return loads_leading(body[start:])
    with suppress(*_UNREADABLE):
        leading = _LEADING_BOX.match(body, start)
        return {"box": loads(leading.group(1))} if leading else None
    return None


def _read_analysis(
    body: str | None, codec: Codec, plan: ImagePlan, repairs: list[str]
) -> tuple[Box | None, tuple[Element, ...]]:
    if body is None:
        repairs.append("no analysis")
        return None, ()
    try:
        value = loads(body)
        subject = decode(_ints(value["subject"]), codec, plan) if value["subject"] is not None else None
        return subject, tuple(_element_from(element, codec, plan) for element in value["elements"])
    except _UNREADABLE as problem:
        repairs.append(f"analysis left out: {type(problem).__name__}")
        return None, ()


def _read_proposals(body: str | None, codec: Codec, plan: ImagePlan, repairs: list[str]) -> tuple[Proposal, ...]:
    if body is None:
        repairs.append("no proposals")
        return ()
    proposals = []
    for number, line in enumerate(filter(str.strip, body.split("\n")), 1):
        try:
            value = loads(line)
            serves, reason = value["serves"], value["reason"]
            if not isinstance(serves, list) or not all(isinstance(words, str) for words in (reason, *serves)):
                raise TypeError("reason is text, serves a list of texts")
            proposals.append(Proposal(decode(_ints(value["box"]), codec, plan), tuple(serves), reason))
        except _UNREADABLE as problem:
            repairs.append(f"proposal {number} left out: {type(problem).__name__}")
    return tuple(proposals)
