"""Guided decoding: lists of coordinates hold integers alone, and nothing else of an answer is touched."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning.engines.coordinates import LISTS, MOST_DIGITS, CoordinateLists, Spelling
from crop_reasoning.engines.hf import HFEngine
from crop_reasoning.models import nano
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.rationale import DECISION_OPENING, render
from tests import tiny
from tests.shared import needs_tokenizer, real_tokenizer
from tests.strategies import written
from tests.test_engines_hf import a_request


@pytest.fixture(
    scope="module", params=["nano", "small", pytest.param("real", marks=needs_tokenizer)], ids=["nano", "small", "real"]
)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    if request.param == "real":
        return real_tokenizer()
    if request.param == "nano":
        return nano.build_tokenizer(['{"box":[12,34,56,78],"why":"a corpus"}'])
    return tiny.build_processor(FAMILIES["qwen3_vl"]).tokenizer


@pytest.fixture(scope="module")
def spelling(tokenizer: Any) -> Spelling:
    return Spelling(tokenizer, len(tokenizer) + 7)


def guided(spelling: Spelling, opening: str, seed: int) -> str:
    """What a model without any idea writes after `opening`, until its list is closed."""
    generator = torch.Generator().manual_seed(seed)
    guide, ids, text = CoordinateLists(spelling, [opening]), torch.zeros((1, 1), dtype=torch.long), opening
    for _ in range(6 * (MOST_DIGITS + 1)):
        scores = guide(ids, torch.randn((1, len(spelling.texts)), generator=generator))
        token = int(scores.argmax())
        ids, text = torch.cat([ids, torch.tensor([[token]])], 1), text + spelling.texts[token]
        if "]" in text[len(opening) :]:
            break
    return text


@given(field=st.sampled_from(sorted(LISTS)), seed=st.integers(0, 10_000))
def test_a_list_of_coordinates_is_closed_after_its_integers(spelling: Spelling, field: str, seed: int) -> None:
    count = {"point": 2}.get(field, 4)
    text = guided(spelling, f'{{"{field}":[', seed)
    integers = re.search(r"\[([^\]]*)\]", text)
    assert integers is not None, text
    values = json.loads(f"[{integers[1]}]")
    assert len(values) == count
    assert all(type(value) is int and value < 10 ** (MOST_DIGITS + 3) for value in values)


@given(answer=written())
def test_every_step_of_a_true_answer_is_allowed(spelling: Spelling, tokenizer: Any, answer: Any) -> None:
    """The guide knows the grammar: it never bars what an answer of the form says."""
    rationale, family, plan = answer
    tail = ""
    for token in tokenizer(render(rationale, family.codec, plan), add_special_tokens=False).input_ids:
        allowed = spelling.allowed(tail)
        assert allowed is None or bool(allowed[token]), (tail[-40:], spelling.texts[token])
        tail += spelling.texts[token]


@pytest.mark.parametrize("text", ["", '{"why":"', '{"box":', '{"serves":[', "see [1,2", '{"box":[1,2,3,4]'])
def test_other_words_are_free(spelling: Spelling, text: str) -> None:
    assert spelling.allowed(text) is None


def test_each_answer_of_a_batch_is_guided_by_its_own_text(spelling: Spelling) -> None:
    guide = CoordinateLists(spelling, ['{"box":[', "words"])
    scores = guide(torch.zeros((2, 1), dtype=torch.long), torch.zeros((2, len(spelling.texts))))
    assert bool((scores[1] == 0).all())
    assert bool((scores[0] == 0).equal(spelling.integer))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_an_untrained_model_decides_on_four_integers(family: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its greedy answer is noise; the box it was asked to begin is one all the same, in batches and as a stream."""
    engine = HFEngine(str(tiny.save(family, tmp_path_factory.mktemp(family))), dtype="float32")
    asked = [a_request(engine, index, DECISION_OPENING) for index in range(2)]
    found = engine.generate(asked, max_new_tokens=40)
    streamed = [piece for piece in engine.stream(asked[0], max_new_tokens=40) if isinstance(piece, str)]
    for text in (*(one.text for one in found), "".join(streamed)):
        after = text[len(DECISION_OPENING) :]
        if not after.startswith("["):
            continue  # noise before the list is the model's own choice
        assert re.match(r"\[\d+,\d+,\d+,\d+\]", after), after
    opened = [a_request(engine, index, DECISION_OPENING + "[") for index in range(2)]
    for one in engine.generate(opened, max_new_tokens=40):
        assert re.match(r"\[\d+,\d+,\d+,\d+\]", one.text[len(DECISION_OPENING) :]), one.text
