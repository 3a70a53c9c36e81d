"""What a base model learns before it ever sees a crop rule: to ground, to read coordinates, and to write the form.

First it only looks: vision tokens are told what lies on the subject (`base_losses`). Then it answers the prompt of
cropping with a true analysis, *random* candidates, each described truly, and a *random* choice; most batches end early,
after the subject or after the analysis, for those words are about the photo. Sketches, without any photo, put a given
subject where random words say. Nothing says which crop is good: that is left for SFT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crop_reasoning.authors.boxes import PROPOSALS, reason, why
from crop_reasoning.codecs import Codec, thousandths
from crop_reasoning.composition.placement import served_elements
from crop_reasoning.geometry import Box, place
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.prompts import BRIEF, PLAIN, user_text
from crop_reasoning.reasoning.rationale import Decision, Proposal, Rationale, render, render_box
from crop_reasoning.reasoning.store import element_from_json
from crop_reasoning.records import CropRecord

SKETCH = "Sketch crops."
TASKS = ("subject", "analysis", "answer", "sketch")
WEIGHTS = (0.35, 0.25, 0.2, 0.2)
SKETCHES = 6
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Task:
    """The user's words, the answer, whether they are about a photo, and how many characters of the answer are learnt.

    An answer that is learnt to its end (`until` None) is followed by the end of the turn.
    """

    words: str
    answer: str
    photo: bool = True
    until: int | None = None


def draw_task(rng: Rng) -> str:
    """One of `TASKS`, by `WEIGHTS`. Drawn once a batch: answers of one length need little padding."""
    return TASKS[rng.choice(len(TASKS), p=WEIGHTS)]


def base_task(name: str, record: CropRecord, codec: Codec, plan: ImagePlan, rng: Rng) -> Task:
    """A task about one photo (`sketch` makes up its own subject). The record's crops are never looked at."""
    if name == "sketch":
        subject = random_subject(rng)
        proposals = render(random_answer(replace(record, subject=subject), rng, SKETCHES), codec, plan)
        body = proposals.split("</analysis>\n")[1].split("\n<decision>")[0]
        return Task(f"{SKETCH}\nSubject: {render_box(subject, codec, plan)}", body, photo=False)
    answer = render(random_answer(record, rng), codec, plan)
    ends = {"subject": ',"elements"', "analysis": "\n<proposals>"}
    until = answer.index(ends[name]) if name in ends else None
    return Task(user_text(BRIEF, codec, plan), answer, until=until)


def random_subject(rng: Rng) -> Box:
    """A subject of random size (sides 0.08-0.4 of the photo's) anywhere."""
    width, height = (float(side) for side in rng.uniform(0.08, 0.4, 2))
    return place((float(rng.uniform()), float(rng.uniform())), (width, height))


def random_answer(record: CropRecord, rng: Rng, count: int = PROPOSALS) -> Rationale:
    """A true analysis with `count` random candidates, each described truly, and a random decision among them."""
    subject = record.subject
    boxes = [random_box(subject, rng) for _ in range(count)]
    proposals = tuple(Proposal(box, served_elements(subject, box), reason(box, subject)) for box in boxes)
    elements = tuple(element_from_json(element) for element in record.scene.get("elements", ()))
    target = boxes[rng.integers(len(boxes))]
    return Rationale(subject, elements, proposals, Decision(target, why(target, boxes, subject)))


def random_box(subject: Box | None, rng: Rng) -> Box:
    """A crop of the photo's shape, of random size (sides 0.35-1 of the photo's), at random.

    Two of three put the subject, if there is one, on a random crossing of thirds and middle lines, whichever it is.
    """
    scale = float(rng.uniform(0.35, 1.0))
    x, y = float(rng.uniform()), float(rng.uniform())
    if subject and rng.random() < 2 / 3:
        column, row = (float(rng.choice((1 / 3, 1 / 2, 2 / 3))) for _ in range(2))
        x, y = subject.center[0] + (0.5 - column) * scale, subject.center[1] + (0.5 - row) * scale
    return place((x, y), (scale, scale))


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
    if "box" in element:
        x1, y1, x2, y2 = element["box"]
        changed["box"] = [1 - x2, y1, 1 - x1, y2]
    if "point" in element:
        changed["point"] = [1 - element["point"][0], element["point"][1]]
    return changed


def corpus(records: list[CropRecord]) -> Iterator[str]:
    """Text like that which will be written about these records, without its integers, for a tokenizer."""
    rng = np.random.default_rng(0)
    plan = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")
    for prompt_id in PLAIN:
        yield user_text(prompt_id, thousandths, plan, aspect=(4, 5))
    for record in records:
        for known in (record, replace(record, subject=None)):
            for name in TASKS:
                task = base_task(name, known, thousandths, plan, rng)
                yield re.sub(r"\d+", " ", f"{task.words} {task.answer}")
