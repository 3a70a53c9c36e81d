"""The teacher: a large model that is told which crop the decision must fall on, and writes why.

This module owns what a teacher is asked and when its answer may be used: it must be of the grammar, hold the proposals
that were given in their order, decide on the crop that was given, and say nothing that contradicts what was measured.
It must not know how answers are fetched or stored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from crop_reasoning.codecs import encode, thousandths
from crop_reasoning.composition.analysis import Measured
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.chat import assistant
from crop_reasoning.reasoning.rationale import ParseFailure, Proposal, Rationale, parse
from crop_reasoning.records import CropRecord, Pair
from crop_reasoning.verification.verify import Contradiction, verify

TEACHER = "teacher/1"
"""The author's name in rationales; also the id of the prompt with the drawn copy."""
PHOTO_ONLY = "teacher-photo/1"
"""The prompt's id for endpoints that take one image."""
ATTEMPTS = 3
"""Answers that are asked for at most: the first, and two more that are told what was wrong."""
REASON_WORDS, WHY_WORDS, EVIDENCE_WORDS = 30, 50, 20
_SLACK = 1.5  # nobody counts words while writing
_LONGEST = 16_000  # characters of an answer; ours have about 1,500
_HARMLESS = {"not the canonical text", "words around the parts"}
"""Repairs that change nothing of what is stored: spaces, and thoughts or a greeting beside the parts."""
_REFUSING = re.compile(r"\b(sorry|unable|not able|can(no|'|’)t|won(')?t|will not)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Teacher:
    """Who is asked, and with which draw: the seed places the crops among the proposals."""

    model: str
    seed: int = 0
    prompt_id: str = TEACHER


@dataclass(frozen=True, slots=True)
class Assignment:
    """One request: a photo, the crops to propose in the order drawn, and those to decide on, which are among them.

    `targets` holds the best crop of a record, or a pair's chosen and rejected crop.
    """

    record: CropRecord
    targets: tuple[Box, ...]
    proposals: tuple[Box, ...]
    pair: Pair | None = None

    @property
    def plan(self) -> ImagePlan:
        """The teacher reads and writes thousandths of the photo, whatever its family: the plan is the photo itself."""
        return ImagePlan(self.record.image.wh, self.record.image.wh, 1, "teacher")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: text, why it ended, the endpoint's own word for a refusal, tokens read and written."""

    text: str
    finish_reason: str = "stop"
    refusal: str = ""
    tokens: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Judged:
    """A reply that may be used (`kind` is empty), or the kind and the details of why it may not."""

    kind: str = ""
    detail: str = ""
    claims: int = 0
    contradictions: tuple[Contradiction, ...] = ()


def key(record: CropRecord, targets: Sequence[Box], teacher: Teacher) -> str:
    """Names what is asked: 32 hexadecimal digits of the record, its photo's bytes, the targets and the teacher.

    It serves as the id of a batch request, and says nothing about the photo's name.
    """
    boxes = [[round(edge, 6) for edge in box.xyxy] for box in targets]
    named = [record.id, record.image.sha256, boxes, teacher.prompt_id, teacher.model, teacher.seed]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]


def judge(reply: Reply, assignment: Assignment, measured: Measured) -> Judged:
    """Whether a reply may be used: its form by `read_answer`, its claims by `verify`."""
    found = read_answer(reply, assignment)
    if isinstance(found, Judged):
        return found
    verdicts = [verify(rationale, measured, aspect=assignment.record.aspect) for rationale in found]
    contradictions = tuple(dict.fromkeys(each for verdict in verdicts for each in verdict.contradictions))
    claims = max(verdict.claims for verdict in verdicts)
    if contradictions:
        return Judged("contradicted", f"{len(contradictions)} claims are not true", claims, contradictions)
    return Judged(claims=claims)


def read_answer(reply: Reply, assignment: Assignment) -> tuple[Rationale, ...] | Judged:
    """The rationale for each target in their order, or why the reply cannot be one.

    Boxes of proposals and decisions are those that were given, not their thousandths.
    """
    if reply.refusal or reply.finish_reason == "content_filter":
        return Judged("refusal", reply.refusal or "the endpoint's filter cut the answer")
    if len(reply.text) > _LONGEST:
        return Judged("too_long", f"{len(reply.text)} characters, expected at most {_LONGEST}")
    try:
        assistant(reply.text)
    except DataError as problem:
        return Judged("control_token", str(problem))
    texts = _single_answers(reply.text, len(assignment.targets))
    cut = reply.finish_reason == "length"
    if len(texts) != len(assignment.targets) and not cut and "<decision>" in reply.text:
        return Judged("form", f"{len(texts)} decisions, expected {len(assignment.targets)}")
    found = []
    for text in texts:
        parsed = parse(text, thousandths, assignment.plan, cut=cut)
        if isinstance(parsed, ParseFailure):
            return Judged("cut", parsed.detail) if cut else _failure(parsed, reply.text)
        if spoilt := [repair for repair in parsed.repairs if repair not in _HARMLESS]:
            return Judged("cut" if cut else "form", "; ".join(spoilt))
        found.append(parsed.rationale)
    if len(found) != len(assignment.targets):
        return Judged("cut", "the answer ends before the second decision")
    return _checked(found, assignment)


def _single_answers(text: str, count: int) -> list[str]:
    """The text as `count` answers, which share what stands before the first decision."""
    if count == 1:
        return [text]
    head, *decisions = text.rpartition("</think>")[2].split("<decision>")
    return [f"{head}<decision>{decision}" for decision in decisions] or [text]


def _failure(failure: ParseFailure, text: str) -> Judged:
    if failure.kind == "no_decision" and "<" not in text and _REFUSING.search(text):
        return Judged("refusal", text.strip()[:200])
    return Judged("cut" if failure.kind == "truncated" else failure.kind, failure.detail)


def _checked(found: list[Rationale], assignment: Assignment) -> tuple[Rationale, ...] | Judged:
    plan, first = assignment.plan, found[0]

    def ints(box: Box) -> tuple[int, ...]:
        return encode(box, thousandths, plan)

    given, got = ([ints(box) for box in boxes] for boxes in (assignment.proposals, [p.box for p in first.proposals]))
    if got != given:
        return Judged("proposals", f"the proposals are {got}, expected {given}")
    decided = {ints(rationale.decision.box): rationale for rationale in found}
    wanted = [ints(target) for target in assignment.targets]
    if decided.keys() != set(wanted):
        return Judged("decision", f"decides on {sorted(decided)}, expected {sorted(wanted)}")
    if fault := _wording(found):
        return fault
    proposals = tuple(
        Proposal(box, written.serves, written.reason)
        for box, written in zip(assignment.proposals, first.proposals, strict=True)
    )
    return tuple(
        replace(first, proposals=proposals, decision=replace(decided[place].decision, box=target))
        for place, target in zip(wanted, assignment.targets, strict=True)
    )


def _wording(found: list[Rationale]) -> Judged | None:
    """What is wrong with the texts as such: missing, long, with digits, or two decisions of unlike length."""
    first, whys = found[0], [rationale.decision.why for rationale in found]
    texts = [
        *((f"the evidence of {each.name}", each.evidence, EVIDENCE_WORDS) for each in first.elements),
        *((f"reason {n}", each.reason, REASON_WORDS) for n, each in enumerate(first.proposals, 1)),
        *(("the why", why, WHY_WORDS) for why in whys),
    ]
    for name, text, limit in texts:
        words = len(text.split())
        if not words:
            return Judged("form", f"{name} is empty")
        if words > _SLACK * limit:
            return Judged("too_long", f"{name} has {words} words, expected at most {limit}")
        if re.search(r"\d", text):
            return Judged("digits", f"{name} holds digits ({text[:80]!r}); write numbers as words")
    short, long = sorted(len(why.split()) for why in (whys[0], whys[-1]))
    if long > _SLACK * short + 2:
        detail = f"the two decisions are argued in {short} and {long} words, expected about the same number"
        return Judged("unequal_length", detail)
    return None
