"""What a base model learns before it ever sees a crop rule: to ground, to read coordinates, and to write the form.

Four tasks: find the subject, analyze the photo, say in words what a given box keeps, and write a whole answer around
*random* candidates and a *random* choice, given or made up. No task holds a good crop: the crop rule is left for SFT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from crop_reasoning.codecs import Codec, thousandths
from crop_reasoning.composition.placement import served_elements
from crop_reasoning.geometry import Box, place
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.author import PROPOSALS, reason, why
from crop_reasoning.reasoning.prompts import BRIEF, PROMPT_IDS, user_text
from crop_reasoning.reasoning.rationale import Decision, Proposal, Rationale, render, render_box
from crop_reasoning.reasoning.store import element_from_json
from crop_reasoning.records import CropRecord

FIND, ANALYZE, DESCRIBE = "Find the subject.", "Analyze this photo.", "Describe"
TASKS = ("find", "analyze", "describe", "write")
WEIGHTS = (0.4, 0.3, 0.1, 0.2)
Rng = np.random.Generator


def draw_task(rng: Rng) -> str:
    """One of `TASKS`, by `WEIGHTS`. Drawn once a batch: answers of one length need little padding."""
    return TASKS[rng.choice(len(TASKS), p=WEIGHTS)]


def base_task(task: str, record: CropRecord, codec: Codec, plan: ImagePlan, rng: Rng) -> tuple[str, str]:
    """The user's words and the answer of a task about one photo. The record's crops are never looked at."""
    if task == "find":
        box = render_box(record.subject, codec, plan) if record.subject else "null"
        return FIND, f'{{"subject":{box}}}'
    if task == "describe":
        box = random_box(rng)
        return f"{DESCRIBE} {render_box(box, codec, plan)}.", reason(box, record.subject)
    answer = random_answer(record, rng)
    if task == "analyze":
        return ANALYZE, render(answer, codec, plan).split("\n<proposals>")[0]
    boxes = [proposal.box for proposal in answer.proposals]
    instruction = ""
    if rng.random() < 0.5:  # else the form alone: candidates and choice stay as random as they are
        listed = " ".join(render_box(box, codec, plan) for box in boxes)
        instruction = f"Candidates: {listed}\nTake {1 + boxes.index(answer.decision.box)}."
    return user_text(BRIEF, codec, plan, instruction=instruction), render(answer, codec, plan)


def random_answer(record: CropRecord, rng: Rng) -> Rationale:
    """A true analysis with random candidates, each described truly, and a random decision among them."""
    boxes = [random_box(rng) for _ in range(PROPOSALS)]
    subject = record.subject
    proposals = tuple(Proposal(box, served_elements(subject, box), reason(box, subject)) for box in boxes)
    elements = tuple(element_from_json(element) for element in record.scene.get("elements", ()))
    target = boxes[rng.integers(len(boxes))]
    return Rationale(subject, elements, proposals, Decision(target, why(target, boxes, subject)))


def random_box(rng: Rng) -> Box:
    """A crop of random size (sides 0.3-1 of the photo's, aspect within 1.35) anywhere in the photo."""
    scale, stretch = rng.uniform(0.3, 1.0), np.exp(rng.uniform(-0.15, 0.15) * rng.integers(2))
    size = (min(float(scale * stretch), 1.0), min(float(scale / stretch), 1.0))
    return place((float(rng.uniform()), float(rng.uniform())), size)


def mirrored(record: CropRecord) -> CropRecord:
    """The record of the photo seen in a mirror: subject and element geometry change sides, the crops are dropped."""
    subject = record.subject
    flipped = Box(1 - subject.x2, subject.y1, 1 - subject.x1, subject.y2) if subject else None
    elements = [_mirror_element(element) for element in reversed(record.scene.get("elements", ()))]
    return replace(record, subject=flipped, crops=(), scene={**record.scene, "elements": elements})


def _mirror_element(element: dict[str, Any]) -> dict[str, Any]:
    changed = dict(element)
    if "line" in element:
        x1, y1, x2, y2 = element["line"]
        level = y1 == y2  # level lines are written from left to right
        changed["line"] = [1 - x2, y2, 1 - x1, y1] if level else [1 - x1, y1, 1 - x2, y2]
    if "point" in element:
        changed["point"] = [1 - element["point"][0], element["point"][1]]
    return changed


def corpus(records: list[CropRecord]) -> Iterator[str]:
    """Text like that which will be written about these records, without its integers, for a tokenizer."""
    rng = np.random.default_rng(0)
    plan = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")
    for prompt_id in PROMPT_IDS:
        yield user_text(prompt_id, thousandths, plan, aspect=(4, 5))
    for record in records:
        for known in (record, replace(record, subject=None)):
            for task in TASKS:
                for text in base_task(task, known, thousandths, plan, rng):
                    yield re.sub(r"\d+", " ", text)
