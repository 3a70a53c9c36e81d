"""Conversations: training sends what serving sends, and only the last answer is taught."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import Box
from crop_reasoning.images import plan_image
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.dialogs import Ask, Dialog, Exchange, messages
from crop_reasoning.reasoning.lengths import audit
from crop_reasoning.reasoning.rationale import Decision, Proposal, Rationale
from crop_reasoning.reasoning.store import DIALOGS, read_dialogs
from crop_reasoning.records import write_jsonl
from crop_reasoning.serving.answer import CropRequest, Shown, Turn, prepare
from crop_reasoning.training import samples
from crop_reasoning.training.preflight import check_batch
from crop_reasoning.training.recipe import load_recipe
from tests import tiny
from tests.tiny_runs import FAMILY_NAMES, make_data, recipe

FIRST, SECOND, SUBJECT = Box(0.1, 0.1, 0.9, 0.9), Box(0.2, 0.2, 0.8, 0.8), Box(0.4, 0.4, 0.6, 0.6)
BOTH = pytest.mark.parametrize("family", FAMILY_NAMES)


def rationale(box: Box, why: str) -> Rationale:
    return Rationale(None, (), (Proposal(box, (), f"the crop of {why}"),), Decision(box, why))


def dialog(record_id: str) -> Dialog:
    history = (
        Exchange(Ask(aspect=(4, 5), subject=SUBJECT), rationale(FIRST, "the first turn")),
        Exchange(Ask("what do you think?"), "I only crop."),
    )
    return Dialog(record_id, "tighter", history, Ask("a bit tighter"), rationale(SECOND, "the last turn"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_data(tmp_path / "data", n=4)
    write_jsonl(tmp_path / "data" / DIALOGS, [dialog("noise-0"), dialog("noise-3")])
    return tmp_path / "data"


def read(data: Path, family: str, **changes: object) -> list[samples.Sample]:
    wanted = recipe(data.parent, data.parent / "none", family, **changes)
    return samples.read_samples(wanted, FAMILIES[family], tiny.budget(FAMILIES[family]))


def test_conversations_are_stored_and_read_back(data: Path) -> None:
    assert read_dialogs(data, "train") == [dialog("noise-0"), dialog("noise-3")]
    assert read_dialogs(data, "test") == []


def test_a_broken_conversation_is_named_by_its_line(data: Path) -> None:
    path = data / DIALOGS
    path.write_text(path.read_text().replace('"words": "a bit tighter"', '"word": "a bit tighter"'))
    with pytest.raises(DataError, match=r"dialogs\.jsonl, item 1: unknown field 'word' of the ask"):
        read_dialogs(data)


@BOTH
def test_training_sends_what_serving_sends(data: Path, family: str) -> None:
    engine = FakeEngine(family=family)
    said = dialog("noise-0").history
    photo = data / "images" / "0.png"
    history = (Turn("4:5", Shown(FIRST, said[0].answer)), Turn("what do you think?", "I only crop."))
    served = prepare(engine, photo, CropRequest("a bit tighter", history=history)).request.messages
    plan = plan_image((96, 64), engine.budget)
    asked = (Exchange(Ask(aspect=(4, 5)), said[0].answer), said[1])
    assert messages(asked, Ask("a bit tighter"), engine.prompt_id, engine.family.codec, plan) == served


@BOTH
def test_only_the_last_answer_carries_labels(data: Path, family: str) -> None:
    from crop_reasoning.training.batches import IGNORED, Samples, collator

    processor = tiny.build_processor(FAMILIES[family])
    rows = samples.encode(read(data, family, data__dialogs=True), processor)
    assert [row.sample.id for row in rows[4:]] == ["noise-0#tighter0", "noise-3#tighter1"]
    item = Samples(rows)[4]
    batch = collator(processor, "sft")([item])
    supervised = processor.tokenizer.decode(batch["labels"][0][batch["labels"][0] != IGNORED])
    given = processor.tokenizer.decode(batch["input_ids"][0][batch["labels"][0] == IGNORED])
    assert "the last turn" in supervised
    assert "the first turn" not in supervised
    assert supervised.count("<decision>") == 1
    assert supervised.endswith("</decision><|im_end|>\n")
    assert given.count("<decision>") == 1
    assert re.search(r"I only crop\.<\|im_end\|>\n<\|im_start\|>user\na bit tighter<\|im_end\|>", given)
    assert "2 of 2 sequences" in check_batch(rows[4:], processor, FAMILIES[family], "sft")


def test_a_conversation_that_is_too_long_is_refused_by_its_name(data: Path) -> None:
    processor = tiny.build_processor(FAMILIES["qwen3_vl"])
    rows = samples.encode(read(data, "qwen3_vl", data__dialogs=True), processor)
    plain = max(row.tokens for row in rows[:4])
    found = audit(((row.sample.id, row.tokens) for row in rows), plain)
    assert [name for name, _ in found.refused] == ["noise-0#tighter0", "noise-3#tighter1"]


def test_only_sft_is_taught_conversations(data: Path) -> None:
    assert len(read(data, "qwen3_vl")) == 4
    assert len(read(data, "qwen3_vl", data__dialogs=True, data__limit=1)) == 2
    with pytest.raises(RecipeError, match=r"data\.dialogs: only method sft is taught conversations"):
        load_recipe("recipes/nano/dpo.yaml", ["data.dialogs=true"])
