"""What the offline author writes of drawn scenes: claims are true of their boxes, and no place tells the target."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crop_reasoning.authors.boxes import ORDINALS, PROPOSALS, author_rationale
from crop_reasoning.codecs import thousandths
from crop_reasoning.geometry import Box, inside, iou
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.rationale import DECISION_OPENING, Parsed, Rationale, parse, render
from crop_reasoning.reasoning.store import read_pair_rationales, read_rationales
from crop_reasoning.records import CropRecord, ImageRef, ScoredCrop, read_pairs, read_records

PLAN = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")


def authored(index: int) -> tuple[CropRecord, Box, Box, tuple[Rationale, Rationale]]:
    """A made record (with a subject or without), a good and a worse crop, and the two answers that choose them."""
    rng = np.random.default_rng(index)
    subject = None if index % 3 == 0 else Box(*rng.uniform(0.1, 0.5, 2), *rng.uniform(0.55, 0.9, 2))
    first, second = (Box(*rng.uniform(0, 0.35, 2), *rng.uniform(0.6, 1, 2)) for _ in range(2))
    crops = tuple(ScoredCrop(box, score, "made") for box, score in ((first, 1.0), (second, 0.5)))
    record = CropRecord(f"r{index}", "made", "train", ImageRef("a.png", "0", (100, 100)), crops, subject=subject)
    return record, first, second, author_rationale(record, (first, second), rng)


def test_the_target_stands_at_every_place_among_the_proposals_equally_often():
    places: Counter[int] = Counter()
    for index in range(600):
        record, first, _, _ = authored(index)
        [answer] = author_rationale(record, (first,), np.random.default_rng([1, index]))
        boxes = [proposal.box for proposal in answer.proposals]
        assert len(boxes) == PROPOSALS
        places[boxes.index(answer.decision.box)] += 1
    expected = 600 / PROPOSALS
    chi_square = sum((places[place] - expected) ** 2 / expected for place in range(PROPOSALS))
    assert chi_square < 16.3  # 99.9 % of uniform draws, 3 degrees of freedom


def test_the_two_answers_of_a_pair_share_all_but_the_decision():
    for index in range(60):
        _, first, second, answers = authored(index)
        texts = [render(answer, thousandths, PLAN) for answer in answers]
        starts = [text.index(DECISION_OPENING) for text in texts]
        assert texts[0][: starts[0]] == texts[1][: starts[1]]
        assert texts[0] != texts[1]
        assert [answer.decision.box for answer in answers] == [first, second]
        boxes = [proposal.box for proposal in answers[0].proposals]
        assert {first, second} <= set(boxes)


def test_rivals_differ_from_the_target_and_from_each_other():
    for index in range(60):
        _, first, second, (answer, _) = authored(index)
        boxes = [proposal.box for proposal in answer.proposals if proposal.box not in (first, second)]
        for number, box in enumerate(boxes):
            assert all(iou(box, other) < 0.9 for other in [first, second, *boxes[:number]])


def test_built_answers_choose_the_best_crop_and_read_back(toy_data):
    records, answers = {record.id: record for record in read_records(toy_data)}, read_rationales(toy_data)
    assert set(answers) == set(records)
    for name, [answer] in answers.items():
        assert answer.decision.box == records[name].best
        assert answer.subject == records[name].subject
        parsed = parse(render(answer, thousandths, PLAN), thousandths, PLAN)
        assert isinstance(parsed, Parsed)
        assert not parsed.repairs
    pairs = read_pair_rationales(toy_data)
    assert [pair for pair, *_ in pairs] == read_pairs(toy_data)
    for pair, chosen, rejected in pairs:
        assert (chosen.decision.box, rejected.decision.box) == (pair.chosen, pair.rejected)
        assert chosen.proposals == rejected.proposals


SIZES = {
    "very tight": (0, 0.2),
    "tight": (0.2, 0.33),
    "medium": (0.33, 0.5),
    "wide": (0.5, 0.75),
    "very wide": (0.75, 1),
}
LINES = {"left": (0, 0.5), "upper": (0, 0.5), "right": (0.5, 1), "lower": (0.5, 1)}
THIRDS = {"left third": 1 / 3, "upper third": 1 / 3, "right third": 2 / 3, "lower third": 2 / 3, "middle": 1 / 2}
SLACK = 0.0701  # how near a subject counts as standing on a line


def is_size(words: str, crop: Box) -> bool:
    if words == "the whole frame":
        return crop.xyxy == (0, 0, 1, 1)
    low, high = SIZES[words]
    return low <= (crop.x2 - crop.x1) * (crop.y2 - crop.y1) <= high and crop.xyxy != (0, 0, 1, 1)


def stands(words: str, share: float) -> bool:
    """Whether a place in the crop, as a share of its side, is what the words say."""
    if words in THIRDS:
        return abs(share - THIRDS[words]) <= SLACK
    low, high = LINES[words]
    return low <= share <= high


def is_place(words: str, crop: Box, subject: Box | None) -> bool:
    """The claim about where the subject stands in the crop or, without one, where the crop lies in the photo."""
    if subject is None:
        x, y = (crop.x1 + crop.x2) / 2, (crop.y1 + crop.y2) / 2
        if words == "central":
            return max(abs(x - 0.5), abs(y - 0.5)) <= SLACK
        signs = {"left": x < 0.5, "right": x > 0.5, "upper": y < 0.5, "lower": y > 0.5}
        return all(signs[word] for word in words.split())
    kept = inside(subject, crop)
    if words in ("subject lost", "subject cut"):
        return kept < (0.5 if words == "subject lost" else 0.95)
    across, down = words.removeprefix("subject ").split(", ")
    x = (subject.center[0] - crop.x1) / (crop.x2 - crop.x1)
    y = (subject.center[1] - crop.y1) / (crop.y2 - crop.y1)
    return kept >= 0.95 and stands(across, x) and stands(down, y)


def serves_truly(name: str, crop: Box, subject: Box | None) -> bool:
    if subject is None:
        return False
    x = (subject.center[0] - crop.x1) / (crop.x2 - crop.x1)
    y = (subject.center[1] - crop.y1) / (crop.y2 - crop.y1)
    lines = {"rule of thirds": (1 / 3, 2 / 3), "center": (1 / 2,)}[name]
    return all(min(abs(share - line) for line in lines) <= SLACK for share in (x, y))


def untrue(answer: Rationale) -> list[str]:
    """Every claim of an answer that its boxes do not bear out."""
    subject, wrong = answer.subject, []
    for proposal in answer.proposals:
        size, place = proposal.reason.split(", ", 1)
        claims = {proposal.reason: is_size(size, proposal.box) and is_place(place, proposal.box, subject)}
        claims |= {name: serves_truly(name, proposal.box, subject) for name in proposal.serves}
        wrong += [f"{claim}: {proposal.box}" for claim, true in claims.items() if not true]
    box, why = answer.decision.box, answer.decision.why
    others = {name: p.box for name, p in zip(ORDINALS, answer.proposals, strict=False) if p.box != box}
    if why.startswith("widest, "):
        true = all(box.area >= 0.96 * other.area for other in others.values())
        true = true and is_place(why.removeprefix("widest, "), box, subject)
    else:
        named, place = re.fullmatch(r"tighter than the ([a-z ]+), (.*)", why).groups()
        true = is_place(place, box, subject) and all(box.area < others[number].area for number in named.split(" and "))
    return wrong + ([] if true else [f"{why}: {box}"])


def test_every_claim_of_a_rationale_is_true_of_its_boxes(toy_data):
    answers = [answer for written in read_rationales(toy_data).values() for answer in written]
    answers += [answer for _, *both in read_pair_rationales(toy_data) for answer in both]
    answers += [answer for index in range(300) for answer in authored(index)[3]]
    assert [claim for answer in answers for claim in untrue(answer)] == []
    said = Counter(word for answer in answers for p in answer.proposals for word in p.reason.split(", "))
    assert {*SIZES, "the whole frame", "central", "subject lost", "subject cut"} <= set(said)  # all are put to the test


@pytest.mark.parametrize(
    "spoil", [lambda b: Box(b.x1 / 2, b.y1, b.x2, b.y2), lambda b: Box(b.x1, b.y1, b.x2, b.y2 / 2 + 0.3)]
)
def test_the_check_of_claims_finds_boxes_that_moved(spoil: Callable[[Box], Box]):
    found = 0
    for index in range(60):
        answer = authored(index)[3][0]
        moved = tuple(replace(p, box=spoil(p.box)) for p in answer.proposals)
        found += bool(untrue(replace(answer, proposals=moved)))
    assert found > 40
