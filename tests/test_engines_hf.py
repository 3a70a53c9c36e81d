"""The embedded engine on tiny real models: batches, streams and scores say what single, slow, plain calls say."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from crop_reasoning.engines.base import Generation, Request
from crop_reasoning.engines.hf import HFEngine
from crop_reasoning.images import plan_image, resize_to_plan
from crop_reasoning.models import nano
from crop_reasoning.reasoning.chat import assistant, user
from crop_reasoning.reasoning.prompts import BRIEF, FULL
from crop_reasoning.reasoning.rationale import DECISION_OPENING
from tests import tiny
from tests.test_rationale import GOLDEN_TEXT
from tests.tiny_runs import FAMILY_NAMES

SIZES = ((96, 64), (64, 160), (130, 130), (300, 90))
BOXES = ("[105,80,905,880]", "[0,0,1000,1000]", "[7,9,30,41]")
KINDS = (*FAMILY_NAMES, "nano")


@pytest.fixture(scope="module", params=KINDS)
def engine(request, tmp_path_factory) -> HFEngine:
    """An untrained model of each family, and nano, whose integers are single tokens."""
    folder = tmp_path_factory.mktemp("engine") / "model"
    if request.param == "nano":
        nano.build(folder, [*tiny.CORPUS, GOLDEN_TEXT])
    else:
        tiny.save(request.param, folder)
    return HFEngine(str(folder), dtype="float32")


def a_request(engine: HFEngine, index: int, prefix: str = "", turns: int = 1) -> Request:
    """A conversation of `turns` questions about a noise photo of one of several sizes."""
    wh = SIZES[index % len(SIZES)]
    noise = np.random.default_rng(index).integers(0, 255, (wh[1], wh[0], 3), dtype=np.uint8)
    image = resize_to_plan(Image.fromarray(noise), plan_image(wh, engine.budget))
    messages = [user("Crop this photo." + " please" * index, images=1)]
    for _ in range(turns - 1):
        messages += [assistant(GOLDEN_TEXT), user("tighter")]
    return Request(str(index), (image,), messages, prefix)


def speaking(engine: HFEngine, words: str):
    """A context in which the model can only write `words` again and again; it counts the steps it was asked for."""
    ids = engine.processor.tokenizer(words, add_special_tokens=False).input_ids
    steps: list[int] = []

    def only_these(_module, _inputs, logits):
        logits[..., ids[len(steps) % len(ids)]] += 1e6
        steps.append(1)

    return engine.model.lm_head.register_forward_hook(only_these), steps


# --- generate


def test_a_batch_says_what_single_requests_say(engine):
    requests = [a_request(engine, index, turns=1 + index % 2) for index in range(4)]
    together = engine.generate(requests, max_new_tokens=12)
    alone = [engine.generate([request], max_new_tokens=12)[0] for request in requests]
    assert [found.text for found in together] == [found.text for found in alone]
    assert [found.prompt_tokens for found in together] == [found.prompt_tokens for found in alone]
    assert [found.tokens for found in together] == [found.tokens for found in alone]
    with torch.inference_mode():
        batch = engine.model(**engine.inputs(requests)).logits[:, -1]
        single = torch.cat([engine.model(**engine.inputs([request])).logits[:, -1] for request in requests])
    assert (batch - single).abs().max() < 1e-4
    assert (single[0] - single[1]).abs().max() > 1e-3  # different photos are told apart


def test_an_answer_continues_its_prefix_and_says_why_it_ended(engine):
    hook, _ = speaking(engine, " reason")
    try:
        [found] = engine.generate([a_request(engine, 0, prefix="<analysis>")], max_new_tokens=6)
        assert found.text.startswith("<analysis> reason")
        assert (found.finish_reason, found.tokens) == ("length", 6)
    finally:
        hook.remove()
    hook, _ = speaking(engine, " reason<|im_end|>")
    try:
        [found] = engine.generate([a_request(engine, 0)], max_new_tokens=60)
        assert found.finish_reason == "stop"
        assert found.text == " reason"
    finally:
        hook.remove()


def test_temperature_draws_and_zero_does_not(engine):
    torch.manual_seed(0)
    drawn = {engine.generate([a_request(engine, 0)], max_new_tokens=8, temperature=5.0)[0].text for _ in range(4)}
    greedy = {engine.generate([a_request(engine, 0)], max_new_tokens=8)[0].text for _ in range(2)}
    assert len(drawn) > 1
    assert len(greedy) == 1


def test_an_untuned_model_gets_the_full_prompt_unless_told_otherwise(engine):
    assert engine.prompt_id == FULL
    assert HFEngine(engine.name, prompt_id=BRIEF).prompt_id == BRIEF


# --- stream


@pytest.mark.parametrize("prefix", ["", "<analysis>\n"])
def test_a_stream_gives_the_text_of_generate(engine, prefix):
    hook, _ = speaking(engine, ' the subject\n{"box":[1,2]} <decision>')
    try:
        request = a_request(engine, 1, prefix)
        *pieces, last = engine.stream(request, max_new_tokens=40)
        [whole] = engine.generate([request], max_new_tokens=40)
    finally:
        hook.remove()
    assert isinstance(last, Generation)
    assert len(pieces) > 3
    assert "".join(pieces) == last.text
    assert last.text.startswith(prefix + " the subject\n")
    assert (last.finish_reason, last.prompt_tokens) == (whole.finish_reason, whole.prompt_tokens)
    *_, plain = engine.stream(request, max_new_tokens=20)
    assert plain.text == engine.generate([request], max_new_tokens=20)[0].text


def test_a_stream_whose_reader_goes_away_stops_generating(engine):
    threads = threading.active_count()
    hook, steps = speaking(engine, " reason subject\n")
    try:
        stream = engine.stream(a_request(engine, 0), max_new_tokens=2000)
        next(stream)
        stream.close()
    finally:
        hook.remove()
    assert len(steps) < 500
    assert threading.active_count() == threads


def test_what_goes_wrong_while_streaming_reaches_the_reader(engine):
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    hook = engine.model.lm_head.register_forward_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            list(engine.stream(a_request(engine, 0), max_new_tokens=5))
    finally:
        hook.remove()


# --- scores


def slow_score(engine: HFEngine, request: Request, text: str) -> float:
    """Log-probability of a continuation, one forward pass a token, without padding or shared work."""
    batch = engine.inputs([replace(request, prefix=request.prefix + text)])
    with_text, without = batch["input_ids"][0], engine.inputs([request])["input_ids"][0]
    start = next((i for i, (a, b) in enumerate(zip(with_text, without, strict=False)) if a != b), len(without))
    total = 0.0
    with torch.inference_mode():
        for end in range(start, len(with_text)):
            part = {key: batch[key][:, :end] for key in ("input_ids", "attention_mask", "mm_token_type_ids")}
            images = {key: batch[key] for key in ("pixel_values", "image_grid_thw")}
            logits = engine.model(**part, **images).logits[0, -1].double()
            total += float(logits.log_softmax(-1)[with_text[end]])
    return total


def test_scores_equal_those_of_a_token_by_token_reference(engine):
    prefix = GOLDEN_TEXT[: GOLDEN_TEXT.rindex(DECISION_OPENING) + len(DECISION_OPENING)]
    requests = [a_request(engine, 0, prefix), a_request(engine, 3, prefix, turns=2)]
    found = engine.score_continuations(requests, [BOXES, BOXES[:2]])
    assert [len(scores) for scores in found] == [3, 2]
    for request, scores, texts in zip(requests, found, (BOXES, BOXES), strict=True):
        assert scores == pytest.approx([slow_score(engine, request, text) for text in texts[: len(scores)]], abs=1e-4)
    assert len(set(found[0])) == 3


def test_scores_at_a_seam_inside_a_token_count_the_whole_token(engine):
    request = a_request(engine, 0, "The subj")
    [[found]] = engine.score_continuations([request], [["ect left"]])
    assert found == pytest.approx(slow_score(engine, request, "ect left"), abs=1e-4)
    assert engine.score_continuations([], []) == []


def test_a_name_that_is_no_model_is_refused(tmp_path: Path):
    from crop_reasoning.errors import ModelError

    with pytest.raises(ModelError, match="no such folder"):
        HFEngine(str(tmp_path / "gone"))
