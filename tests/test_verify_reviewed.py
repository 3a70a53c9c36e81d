"""Holes of the verifier that a reader found who did not write it, on drawn photos of their own."""

from __future__ import annotations

from functools import cache

import pytest
from PIL import Image, ImageDraw

from crop_reasoning.composition.analysis import Measured, measure
from crop_reasoning.composition.subject import detectors
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale
from crop_reasoning.verification.verify import verify

pytestmark = pytest.mark.skipif("u2netp" not in detectors(), reason="the subjects extra is not installed")
WH = (600, 400)
DISC = Box(0.653, 0.25, 0.787, 0.45)
CROPS = {
    "right third": Box(0.30, 0.05, 0.93, 0.68),  # 40 % of the photo
    "centered": Box(0.52, 0.10, 0.92, 0.60),  # 20 %, the tightest
    "cut": Box(0.0, 0.2, 0.70, 0.9),  # 49 %, a third of the disc
    "whole": WHOLE,
}

FALSE = {
    "right third": (
        "Only a tenth of the photo remains.",
        "It keeps all but a twentieth of the photo.",
        "Cropping would not improve this image.",
        "No crop is needed.",
        "A tightly framed view.",
        "A close-up of the subject.",
        "The subject is huge in the frame.",
        "The subject has been erased.",
        "The subject is decapitated.",
        "The subject is halved.",
        "The subject is amputated.",
        "The subject is unseen.",
        "The subject is invisible.",
        "The subject lies outside the frame.",
        "The subject leans leftwards in the frame.",
        "The subject stands at the foot of the frame.",
        "The subject sits at the base of the picture.",
        "It exceeds the whole frame in size.",
        "Each proposal keeps the subject whole.",
        "Every crop is the same size.",
        "The third places the subject on the same line.",
        "An S-shaped path leads in.",
        "The frame is crammed.",
        "The subject slips out of the frame on the left.",
        "The frame stops short of the subject.",
        "A dozen faces look on.",
    ),
    "centered": (
        "Subject size is smaller than in the first.",
        "The subject's size stays smaller than in the first.",
        "The subject is at its smallest here.",
        "The subject looks smallest in this one.",
        "It has the lowest share of subject.",
        "The subject is offset.",
        "The subject is uncentered.",
        "The subject is decentered.",
        "The subject is unlikely centered.",
        "The frame is unevenly balanced.",
        "The subject stands aside.",
        "The subject leaves the middle free.",
        "Most of the photo survives.",
        "The subject is on the right.",
        "The subject is on the left.",
        "The subject is in the upper half.",
        "The subject is at the bottom.",
        "The subject is clear of the center.",
        "The subject is at the golden point.",
        "Space to the right outweighs that on the left.",
    ),
    "cut": (
        "Every crop keeps the subject whole.",
        "The subject is fully visible.",
        "The subject is unclipped.",
        "The subject fits the frame.",
        "The subject fits completely.",
        "The subject has room on the right.",
        "The subject is spared.",
        "The subject is cut by the left edge.",
        "The subject is cut at the top edge.",
        "It cuts the subject on the left.",
        "The cut passes beside the subject.",
    ),
    "whole": ("Every crop keeps the subject whole, so the photo is best as it is.",),
}
TRUE = {
    "right third": (
        "The subject is visible.",
        "The subject has room on the right.",
        "Less than half of the photo is kept.",
    ),
    "centered": (
        "It keeps a fifth of the photo.",
        "The subject is at its largest here.",
        "The subject fits the frame.",
    ),
    "cut": (
        "The subject is cut by the right edge.",
        "It cuts the subject on the right.",
        "The subject is cut on the right.",
    ),
    "whole": ("No crop is needed.", "Cropping would not improve this image.", "There is no need to crop."),
}
FALSE_OF_THE_SEA = (
    "The horizon is canted.",
    "The horizon is inclined.",
    "An uneven horizon.",
    "The subject stands on the horizon.",
)


@cache
def _disc() -> Measured:
    image = Image.new("RGB", WH, (200, 208, 214))
    ImageDraw.Draw(image).ellipse([edge * side for edge, side in zip(DISC.xyxy, WH * 2, strict=True)], (180, 25, 40))
    return measure(image)


def _said(crop: str, words: str) -> Rationale:
    proposals = tuple(
        Proposal(box, (), "a crop" if name != "whole" else "the whole frame") for name, box in CROPS.items()
    )
    return Rationale(DISC, (), proposals, Decision(CROPS[crop], words))


@pytest.mark.parametrize(("crop", "words"), [(crop, words) for crop, said in FALSE.items() for words in said])
def test_what_once_passed_is_caught(crop: str, words: str) -> None:
    assert not verify(_said(crop, words), _disc()).ok


@pytest.mark.parametrize(("crop", "words"), [(crop, words) for crop, said in TRUE.items() for words in said])
def test_the_same_words_pass_where_they_are_true(crop: str, words: str) -> None:
    assert verify(_said(crop, words), _disc()).contradictions == ()


@pytest.mark.parametrize("words", FALSE_OF_THE_SEA)
def test_a_level_horizon_without_a_subject_is_neither_slanted_nor_stood_on(words: str) -> None:
    image = Image.new("RGB", WH, (170, 195, 225))
    ImageDraw.Draw(image).rectangle((0, 280, *WH), (35, 65, 90))
    crop = Box(0.05, 0.30, 0.95, 0.90)
    elements = (Element("horizontal", "a horizon", line=(0.0, 0.7, 1.0, 0.7)),)
    answer = Rationale(None, elements, (Proposal(crop, (), "a crop"),), Decision(crop, words))
    assert not verify(answer, measure(image)).ok
