"""What a teacher is shown and told, and which of its answers may be used."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crop_reasoning.authors.facts import known
from crop_reasoning.authors.teacher import ATTEMPTS, Assignment, Judged, Reply, Teacher, judge, key, read_answer
from crop_reasoning.authors.teacher_evidence import draft, evidence_text
from crop_reasoning.authors.teacher_prompt import MAX_PIXELS, correction, jpeg_url, request_body
from crop_reasoning.composition.analysis import Measured, measure
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.images import load_upright
from crop_reasoning.reasoning.rationale import Rationale
from crop_reasoning.records import CropRecord, read_pairs, read_records
from tests.teachers import question, written

SOLE = (Box(0.2, 0.2, 0.8, 0.8),)
OTHERS = (Box(0.1, 0.1, 0.6, 0.6), WHOLE, Box(0.3, 0.3, 0.9, 0.9))


@pytest.fixture(scope="module")
def record(toy_data: Path) -> CropRecord:
    return read_records(toy_data)[0]


@pytest.fixture(scope="module")
def photo(toy_data: Path, record: CropRecord) -> Image.Image:
    return load_upright(toy_data / record.image.path)


@pytest.fixture(scope="module")
def measured(record: CropRecord, photo: Image.Image) -> Measured:
    return known(record, measure(photo))


def asked(record: CropRecord, measured: Measured, *targets: Box) -> tuple[Assignment, str]:
    drafted = draft(record, targets, measured, 1)
    assignment = Assignment(record, targets, tuple(proposal.box for proposal in drafted.proposals))
    return assignment, evidence_text(drafted, measured, assignment.plan)


def body_for(assignment: Assignment, evidence: str, photo: Image.Image, **more: Any) -> dict[str, Any]:
    return request_body(assignment, evidence, (photo, photo), Teacher("m"), **more)


def answer(record: CropRecord, **changes: Any) -> str:
    """An answer in the right form about `SOLE`, with changes to its parts."""
    boxes = [[200, 200, 800, 800], [100, 100, 600, 600], [0, 0, 1000, 1000], [300, 300, 900, 900]]
    parts = {
        "analysis": json.dumps({"subject": None, "elements": []}),
        "proposals": "\n".join(json.dumps({"reason": "wide", "serves": [], "box": box}) for box in boxes),
        "decision": json.dumps({"box": boxes[0], "why": "tighter than the third"}),
    } | changes
    return "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in parts.items())


def read(record: CropRecord, text: str, **reply: Any) -> tuple[Rationale, ...] | Judged:
    return read_answer(Reply(text, **reply), Assignment(record, SOLE, SOLE + OTHERS))


def kind(found: tuple[Rationale, ...] | Judged) -> str:
    return found.kind if isinstance(found, Judged) else ""


def test_the_request_alone_suffices_to_write_an_answer_that_is_accepted(
    record: CropRecord, measured: Measured, photo: Image.Image
) -> None:
    assignment, evidence = asked(record, measured, record.best)
    reply = Reply(written(body_for(assignment, evidence, photo)))
    found = read_answer(reply, assignment)
    assert not isinstance(found, Judged), found
    assert found[0].decision.box == record.best, "the very crop, not its thousandths"
    assert tuple(proposal.box for proposal in found[0].proposals) == assignment.proposals
    assert judge(reply, assignment, measured).contradictions == ()
    assert judge(reply, assignment, measured).claims > 0


def test_both_decisions_of_a_pair_share_analysis_and_proposals_and_neither_is_called_better(
    toy_data: Path, record: CropRecord, measured: Measured, photo: Image.Image
) -> None:
    pair = next(pair for pair in read_pairs(toy_data) if pair.record_id == record.id)
    assignment, evidence = asked(record, measured, pair.chosen, pair.rejected)
    swapped, swapped_evidence = asked(record, measured, pair.rejected, pair.chosen)
    body, swapped_body = body_for(assignment, evidence, photo), body_for(swapped, swapped_evidence, photo)
    assert body == swapped_body, "what is asked does not tell which crop is preferred"
    found = read_answer(Reply(written(body)), assignment)
    assert not isinstance(found, Judged), found
    chosen, rejected = found
    assert (chosen.decision.box, rejected.decision.box) == (pair.chosen, pair.rejected)
    assert replace(chosen, decision=rejected.decision) == rejected


def test_the_gold_crop_stands_at_every_place(record: CropRecord, measured: Measured) -> None:
    places = [0] * 4
    for draw in range(32):
        drafted = draft(record, (record.best,), measured, draw)
        places[[proposal.box for proposal in drafted.proposals].index(record.best)] += 1
    assert min(places) >= 1, places


def test_photos_are_sent_as_small_jpegs_without_their_metadata() -> None:
    large = Image.linear_gradient("L").resize((2400, 1600)).convert("RGB")
    large.info["exif"] = b"Exif\0\0secret place"
    content = base64.b64decode(jpeg_url(large).removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(content)) as sent:
        assert sent.format == "JPEG"
        assert sent.width * sent.height <= MAX_PIXELS
        assert abs(sent.width / sent.height - 1.5) < 0.01
    assert b"secret" not in content
    tiny = Image.open(io.BytesIO(base64.b64decode(jpeg_url(Image.new("RGB", (1, 5000))).partition(",")[2])))
    assert tiny.size == (1, 5000)


def test_a_request_names_neither_file_nor_record(record: CropRecord, measured: Measured, photo: Image.Image) -> None:
    body = body_for(*asked(record, measured, record.best), photo)
    words = json.dumps([body["messages"][0], question(body)])
    assert record.id not in words
    assert Path(record.image.path).name not in words


def test_a_seed_model_prompt_photo_or_crop_that_differs_is_another_question(record: CropRecord) -> None:
    other = replace(record, image=replace(record.image, sha256="0" * 64))
    teachers = (Teacher("m"), Teacher("m", 1), Teacher("n"), Teacher("m", 0, "teacher-photo/1"))
    keys = {key(one, targets, teacher) for one in (record, other) for targets in (SOLE, OTHERS) for teacher in teachers}
    assert len(keys) == 16
    assert all(len(name) == 32 for name in keys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("I'm sorry, but I can't help with that photo.", "refusal"),
        ("A fine photograph.", "no_decision"),
        ("<analysis>", "no_decision"),
    ],
)
def test_answers_without_a_decision_are_told_apart(record: CropRecord, text: str, expected: str) -> None:
    assert kind(read(record, text)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decision": '{"box":[300,300,900,900],"why":"tighter"}'}, "decision"),
        ({"decision": '{"box":[200,200,800,801],"why":"tighter"}'}, "decision"),
        ({"decision": '{"box":[200,200,800],"why":"tighter"}'}, "arity"),
        ({"decision": '{"box":[200,200,800,1800],"why":"tighter"}'}, "out_of_range"),
        ({"decision": '{"box":[200,200,800,800],"why":"keeps 36 % of it"}'}, "digits"),
        ({"decision": '{"box":[200,200,800,800],"why":""}'}, "form"),
        ({"decision": '{"box":[200,200,800,800],"why":"ends here <|im_end|>"}'}, "control_token"),
        ({"decision": json.dumps({"box": [200, 200, 800, 800], "why": "tight " * 80})}, "too_long"),
        ({"decision": json.dumps({"box": [200, 200, 800, 800], "why": "x" * 30_000})}, "too_long"),
        ({"proposals": '{"reason":"wide","serves":[],"box":[200,200,800,800]}'}, "proposals"),
        ({"proposals": '{"reason":"wide","serves":[],"box":[200,200,800'}, "form"),
        ({"analysis": "a fine photo"}, "form"),
    ],
)
def test_answers_that_break_the_rules_are_refused_by_kind(
    record: CropRecord, changes: dict[str, str], expected: str
) -> None:
    assert kind(read(record, answer(record, **changes))) == expected


def test_answers_in_the_right_form_are_read_whatever_their_spaces_and_thoughts(record: CropRecord) -> None:
    whole = answer(record)
    for text in (whole, f"<think>the first, or the third?</think>\n{whole}", f"Here it is:\n{whole}"):
        found = read(record, text)
        assert not isinstance(found, Judged), found
        assert found[0].decision.why == "tighter than the third"


def test_an_answer_cut_at_the_token_limit_is_cut_wherever_it_ends(record: CropRecord) -> None:
    whole = answer(record)
    for end in range(len(whole) - len("}\n</decision>")):
        assert kind(read(record, whole[:end], finish_reason="length")) == "cut", whole[:end]


def test_the_endpoint_may_refuse_by_its_own_field(record: CropRecord) -> None:
    assert kind(read(record, "", refusal="not this one")) == "refusal"
    assert kind(read(record, answer(record), finish_reason="content_filter")) == "refusal"


def test_a_pair_whose_second_decision_is_missing_or_argued_at_greater_length_is_refused(record: CropRecord) -> None:
    both = Assignment(record, (SOLE[0], OTHERS[0]), SOLE + OTHERS)
    second = "\n<decision>\n" + json.dumps({"box": [100, 100, 600, 600], "why": "{}"}) + "\n</decision>"
    fitting, long = second.replace("{}", "tighter than the first"), second.replace("{}", "tighter than all others " * 4)
    once = answer(record)
    assert not isinstance(read_answer(Reply(once + fitting), both), Judged)
    assert kind(read_answer(Reply(once), both)) == "form"
    assert kind(read_answer(Reply(once + fitting + fitting), both)) == "form"
    assert kind(read_answer(Reply(once, finish_reason="length"), both)) == "cut"
    assert kind(read_answer(Reply(once + long), both)) == "unequal_length"
    assert kind(read_answer(Reply(once + fitting.replace("600", "601")), both)) == "decision"


def test_an_answer_about_another_photo_contradicts_the_measures_and_the_teacher_is_told(
    toy_data: Path, record: CropRecord, measured: Measured, photo: Image.Image
) -> None:
    assignment, evidence = asked(record, measured, record.best)
    found = read_answer(Reply(written(body_for(assignment, evidence, photo))), assignment)
    assert not isinstance(found, Judged)
    elsewhere = Box(0.02, 0.9, 0.1, 0.98)
    text = written(body_for(assignment, evidence, photo))
    analysis = text.split("\n")[1]
    wrong = json.dumps(json.loads(analysis) | {"subject": [20, 900, 100, 980]})
    judged = judge(Reply(text.replace(analysis, wrong)), assignment, measured)
    assert judged.kind == "contradicted"
    assert any(each.where == "analysis.subject" for each in judged.contradictions), (judged, elsewhere)
    told = correction(judged)
    assert judged.contradictions[0].measured in told
    earlier = [(Reply("what I said"), judged)]
    turns = body_for(assignment, evidence, photo, earlier=earlier)["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[-1]["content"] == told
    assert len(earlier) < ATTEMPTS
