"""Cards of a report: one photo, what the model saw, proposed and decided, and the words of its answer.

Pictures and plain text in, pictures and plain text out; the template escapes the words. This module must not know
engines, files of predictions or HTML.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from crop_reasoning.composition.overlay import overlay
from crop_reasoning.evaluation.metrics import BoxScore
from crop_reasoning.geometry import Box, to_xyxy_px
from crop_reasoning.reasoning.rationale import Parsed, ParseFailure, Rationale

SIDE = 560
"""The long side of a picture in a report, px."""
RAW_CHARS = 900
"""An unreadable answer is shown up to this many characters; the card says how many there were."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a card, with the kinds of `overlay.COLORS` drawn on it."""

    label: str
    image: Image.Image
    kinds: tuple[str, ...] = ()

    @property
    def data_uri(self) -> str:
        """The picture as JPEG in a `data:` address, so that a report needs no other file."""
        buffer = io.BytesIO()
        self.image.save(buffer, "JPEG", quality=84)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True, slots=True)
class Words:
    """A part of an answer: a heading and lines, `numbered` like the proposals in the picture or `raw` as written."""

    heading: str
    lines: tuple[str, ...]
    numbered: bool = False
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One photo of a gallery. `iou` is None where no expert crop is known; `failure` is the failure's kind."""

    title: str
    panels: tuple[Panel, ...]
    words: tuple[Words, ...]
    iou: float | None = None
    disp: float | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cards under one heading; `intro` says how the photos were picked."""

    title: str
    intro: str
    cards: tuple[Card, ...]


def answer_card(
    title: str,
    image: Image.Image,
    answer: Parsed | ParseFailure | Box,
    *,
    truths: Sequence[Box] = (),
    result: BoxScore | None = None,
    text: str = "",
) -> Card:
    """The card of one answer (or of a baseline's box) on an upright photo of any size.

    `truths` are drawn as expert crops beside the decision; `text` is the answer as written, shown if it was unreadable.
    """
    iou, disp = (result.iou, result.disp) if result else (None, None)
    if isinstance(answer, ParseFailure):
        shown = fit(image)
        picture = overlay(shown, experts=truths)
        panels: tuple[Panel, ...] = (Panel("Photo", picture, ("expert",) if truths else ()),)
        return Card(title, panels, _failure_words(answer, text), iou, disp, answer.kind)
    if isinstance(answer, Box):
        return Card(title, _decision_panels(image, answer, truths), (), iou, disp)
    rationale = answer.rationale
    panels = (*_reasoning_panels(image, rationale), *_decision_panels(image, answer.box, truths))
    return Card(title, panels, _words(rationale, answer.repairs), iou, disp)


def missing_card(title: str, reason: str, result: BoxScore | None = None) -> Card:
    """The card of a photo that cannot be opened."""
    iou, disp = (result.iou, result.disp) if result else (None, None)
    return Card(title, (), (Words("Photo not readable", (reason,)),), iou, disp, "image")


def fit(image: Image.Image) -> Image.Image:
    """The picture with its long side at `SIDE` px, smaller ones enlarged so that lines on them stay fine."""
    scale = SIDE / max(image.size)
    wh = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(wh, Image.Resampling.LANCZOS)


def _reasoning_panels(image: Image.Image, rationale: Rationale) -> tuple[Panel, ...]:
    shown = fit(image)
    analysis = overlay(shown, thirds=True, subject=rationale.subject, elements=rationale.elements)
    drawn = [element for element in rationale.elements if element.point or element.line or element.box]
    kinds = ("thirds", *(("subject",) if rationale.subject else ()), *(("element",) if drawn else ()))
    proposals = overlay(shown, proposals=[proposal.box for proposal in rationale.proposals])
    return (Panel("Analysis", analysis, kinds), Panel("Proposals", proposals, ("proposal",)))


def _decision_panels(image: Image.Image, box: Box, truths: Sequence[Box]) -> tuple[Panel, ...]:
    decision = overlay(fit(image), decision=box, experts=truths, shade=True)
    crop = image.crop(to_xyxy_px(box, image.size))
    label = "Decision" if len(truths) < 2 else f"Decision, {len(truths)} experts"
    kinds = ("decision", "expert") if truths else ("decision",)
    return (Panel(label, decision, kinds), Panel("The crop", fit(crop)))


def _words(rationale: Rationale, repairs: Sequence[str]) -> tuple[Words, ...]:
    seen = tuple(f"{e.name}: {e.evidence}" if e.evidence else e.name for e in rationale.elements)
    subject = "the subject is boxed" if rationale.subject else "no subject stands out"
    proposals = tuple(f"{p.reason} ({', '.join(p.serves)})" if p.serves else p.reason for p in rationale.proposals)
    decision = ("keep the whole frame",) if rationale.decision.keep else ()
    words = (
        Words("Analysis", (subject, *seen)),
        Words("Proposals", proposals, numbered=True),
        Words("Decision", (*decision, rationale.decision.why or "no reason given")),
    )
    return (*words, Words("Overlooked in reading", tuple(repairs))) if repairs else words


def _failure_words(failure: ParseFailure, text: str) -> tuple[Words, ...]:
    words = (Words("Why no box", (f"{failure.kind}: {failure.detail}",)),)
    if not text.strip():
        return words
    heading = "The answer"
    if len(text) > RAW_CHARS:
        heading += f" (its first {RAW_CHARS} of {len(text)} characters)"
    return (*words, Words(heading, (text[:RAW_CHARS],), raw=True))
