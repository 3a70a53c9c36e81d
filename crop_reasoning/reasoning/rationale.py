"""The grammar of an answer: analysis, proposals, decision. `render` and `parse` are inverses.

    <analysis>
    {"subject":[312,240,455,610],"elements":[{"name":"horizontal","line":[0,402,1000,402],"evidence":"a level horizon"}]}
    </analysis>
    <proposals>
    {"box":[105,80,905,880],"serves":["rule of thirds"],"reason":"subject on the left third"}
    {"box":[0,0,1000,1000],"serves":[],"reason":"everything kept"}
    </proposals>
    <decision>
    {"box":[105,80,905,880],"why":"tighter than 2, with the subject on a third"}
    </decision>

The decision writes its box before its reason: what leads to the box is the analysis and the proposals above it, so two
crops of one photo can be compared by their box tokens after the same prefix, and an answer cut short loses words, not
coordinates. The box of the whole frame means `keep`. Integers are the codec's; this module sees them only through it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from crop_reasoning.codecs import BoxRefused, Codec, decode, decode_point, encode, encode_point
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan

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
    """An answer that yields a box. `repairs` lists what had to be overlooked; empty means a strict parse."""

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
    """The text of an answer. Geometry goes through `codec`; everything else is written as it is."""
    analysis = {
        "subject": list(encode(rationale.subject, codec, plan)) if rationale.subject else None,
        "elements": [_element_json(element, codec, plan) for element in rationale.elements],
    }
    proposals = "".join(
        _dumps({"box": list(encode(p.box, codec, plan)), "serves": list(p.serves), "reason": p.reason}) + "\n"
        for p in rationale.proposals
    )
    decision = {"box": list(encode(rationale.decision.box, codec, plan)), "why": rationale.decision.why}
    return (
        f"<analysis>\n{_dumps(analysis)}\n</analysis>\n"
        f"<proposals>\n{proposals}</proposals>\n"
        f"<decision>\n{_dumps(decision)}\n</decision>"
    )


def render_box(box: Box, codec: Codec, plan: ImagePlan) -> str:
    """A box as it stands in an answer, for instance `[105,80,905,880]`."""
    return _dumps(list(encode(box, codec, plan)))


def parse(text: str, codec: Codec, plan: ImagePlan, *, cut: bool = False) -> Parsed | ParseFailure:
    """Read an answer. Never raises; `cut` says that the engine stopped at its token limit.

    Strict first. What may be overlooked, each counted in `repairs`: words around the parts, code fences, a decision
    whose end is missing after a complete box, an analysis or proposals that cannot be read. Never repaired: the
    integers themselves. The last decision counts if there are several.
    """
    if not text.strip():
        return ParseFailure("empty", "the answer holds no text")
    opening = text.rfind("<decision>")
    if opening < 0:
        kind = "truncated" if cut else "no_decision"
        return ParseFailure(kind, "no <decision> part" + (" before the token limit" if cut else ""))
    repairs: list[str] = []
    tail = text[opening + len("<decision>") :]
    body, closed, after = tail.partition("</decision>")
    value = _decision_json(body, bool(closed), repairs)
    if value is None:
        kind = "truncated" if not closed else "not_json"
        return ParseFailure(kind, f"the decision reads {body.strip()[:80]!r}")
    try:
        box = decode(_ints(value.get("box")), codec, plan)
    except BoxRefused as refused:
        return ParseFailure(refused.kind, f"decision: {refused}")
    if min(box.width, box.height) < MIN_SIDE:
        return ParseFailure("too_small", f"decision: {box.width:.3f} x {box.height:.3f} of the image")
    if after.strip() or text[: text.find("<")].strip():
        repairs.append("words around the parts")
    subject, elements = _read_analysis(text, codec, plan, repairs)
    proposals = _read_proposals(text, codec, plan, repairs)
    why = value.get("why", "")
    decision = Decision(box, why if isinstance(why, str) else "")
    return Parsed(Rationale(subject, elements, proposals, decision), tuple(repairs))


def quantize(rationale: Rationale, codec: Codec, plan: ImagePlan) -> Rationale:
    """The rationale with every coordinate on the codec's grid: what survives `render` then `parse`."""

    def snap(box: Box) -> Box:
        return decode(encode(box, codec, plan), codec, plan)

    def snap_element(element: Element) -> Element:
        read = _element_from(_element_json(element, codec, plan), codec, plan)
        return read

    return Rationale(
        snap(rationale.subject) if rationale.subject else None,
        tuple(snap_element(element) for element in rationale.elements),
        tuple(replace(proposal, box=snap(proposal.box)) for proposal in rationale.proposals),
        replace(rationale.decision, box=snap(rationale.decision.box)),
    )


def _dumps(value: Any) -> str:
    # "<" is escaped so that no text inside a part can be taken for a tag; JSON readers see the same string
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


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
        raise BoxRefused("arity", f"got {value!r}, expected a list of integers")
    return value


def _decision_json(body: str, closed: bool, repairs: list[str]) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
        if closed and isinstance(value, dict):
            return value
    except (json.JSONDecodeError, RecursionError):
        value = None
    unfenced = re.sub(r"```(?:json)?", "", body).strip()
    try:
        value = json.loads(unfenced)
    except (json.JSONDecodeError, RecursionError):
        found = re.search(r'"box"\s*:\s*(\[[^\[\]]*\])', unfenced)
        try:
            value = {"box": json.loads(found.group(1))} if found else None
        except json.JSONDecodeError:
            value = None
    if not isinstance(value, dict):
        return None
    repairs.append("decision not closed" if not closed else "decision not plain JSON")
    return value


def _part(text: str, tag: str) -> str | None:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found.group(1) if found else None


def _read_analysis(
    text: str, codec: Codec, plan: ImagePlan, repairs: list[str]
) -> tuple[Box | None, tuple[Element, ...]]:
    body = _part(text, "analysis")
    try:
        value = json.loads(body or "")
        subject = decode(_ints(value["subject"]), codec, plan) if value["subject"] is not None else None
        return subject, tuple(_element_from(element, codec, plan) for element in value["elements"])
    except (ValueError, TypeError, KeyError, AttributeError, BoxRefused, RecursionError) as problem:
        repairs.append(f"analysis left out: {type(problem).__name__}" if body is not None else "no analysis")
        return None, ()


def _read_proposals(text: str, codec: Codec, plan: ImagePlan, repairs: list[str]) -> tuple[Proposal, ...]:
    body = _part(text, "proposals")
    if body is None:
        repairs.append("no proposals")
        return ()
    proposals = []
    for number, line in enumerate(filter(str.strip, body.split("\n")), 1):
        try:
            value = json.loads(line)
            serves = tuple(value["serves"])
            reason = value["reason"]
            if not isinstance(reason, str) or not all(isinstance(name, str) for name in serves):
                raise TypeError("reason and serves are text")
            proposals.append(Proposal(decode(_ints(value["box"]), codec, plan), serves, reason))
        except (ValueError, TypeError, KeyError, AttributeError, BoxRefused, RecursionError) as problem:
            repairs.append(f"proposal {number} left out: {type(problem).__name__}")
    return tuple(proposals)
