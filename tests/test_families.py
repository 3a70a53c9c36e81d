"""The whole path of each family: SFT, DPO, save, reload, merge, batched answers; a small tokenizer and the real one.

Everything is the real thing but the size of the weights. The real tokenizer's ids, merges and special tokens are those
of the published 3B to 8B models, so what their labels, lengths and templates do is seen here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from crop_reasoning.engines.base import Request
from crop_reasoning.engines.hf import HFEngine
from crop_reasoning.images import load_upright, plan_image, resize_to_plan
from crop_reasoning.models.adapters import merge
from crop_reasoning.models.loading import load_model, resolve
from crop_reasoning.reasoning.dialogs import ask_for, messages
from crop_reasoning.reasoning.prompts import BRIEF
from crop_reasoning.reasoning.rationale import DECISION_OPENING, render, render_box
from crop_reasoning.reasoning.store import read_pair_rationales
from crop_reasoning.records import read_records
from crop_reasoning.training.run import train
from tests import tiny
from tests.shared import needs_tokenizer, real_tokenizer
from tests.tiny_runs import FAMILY_NAMES, losses, make_data, recipe

CASES = [pytest.param((name, "small"), id=f"{name}-small") for name in FAMILY_NAMES]
CASES += [pytest.param((name, "qwen"), id=f"{name}-qwen", marks=needs_tokenizer) for name in FAMILY_NAMES]
SHORT = {"optim__batch_size": 1, "optim__micro_batch_size": 1, "save_steps": 100}
KEPT = 8
"""Logits are compared at the last positions: 151,669 a position are many."""


@dataclass(frozen=True)
class Journey:
    """What one family left behind: the data, the folder and the engine of each stage, and of the merged model."""

    data: Path
    folders: dict[str, Path]
    engines: dict[str, HFEngine]


@pytest.fixture(scope="module", params=CASES)
def journey(request, tmp_path_factory) -> Journey:
    """One family's whole path, gone once for all tests of this file."""
    name, tokenizer = request.param
    place = tmp_path_factory.mktemp(f"{name}-{tokenizer}")
    make_data(place / "data", n=3)
    size = {"hidden": 32} if tokenizer == "qwen" else {}
    tiny.save(name, place / name, real_tokenizer() if tokenizer == "qwen" else None, **size)
    train(recipe(place, place / "sft", name, optim__steps=2, **SHORT))
    train(recipe(place, place / "dpo", name, adapter=place / "sft", optim__steps=1, **SHORT))
    source = resolve(place / "dpo")
    model, processor, _ = load_model(source.base, source.adapter)
    merge(model).save_pretrained(place / "merged")
    processor.save_pretrained(place / "merged")
    folders = {"base": place / name, **{stage: place / stage for stage in ("sft", "dpo", "merged")}}
    untuned = {"base": BRIEF, "merged": BRIEF}
    engines = {
        stage: HFEngine(str(folder), prompt_id=untuned.get(stage), dtype="float32") for stage, folder in folders.items()
    }
    return Journey(place / "data", folders, engines)


def requests_of(journey: Journey, engine: HFEngine) -> list[Request]:
    """What evaluation asks of each photo; their two shapes give grids of different form."""
    requests = []
    for record in read_records(journey.data):
        image = load_upright(journey.data / record.image.path)
        plan = plan_image(image.size, engine.budget)
        asked = messages((), ask_for(record), engine.prompt_id, engine.family.codec, plan)
        requests.append(Request(record.id, (resize_to_plan(image, plan),), asked))
    return requests


def logits_of(model: Any, batch: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(**batch, logits_to_keep=KEPT).logits


def test_each_stage_changes_what_the_model_says(journey):
    base, sft, dpo = (journey.engines[stage] for stage in ("base", "sft", "dpo"))
    assert base.prompt_id == sft.prompt_id == dpo.prompt_id == BRIEF
    batch = base.inputs(requests_of(journey, base))
    before, tuned, aligned = (logits_of(engine.model, batch) for engine in (base, sft, dpo))
    assert (tuned - before).abs().max() > 1e-4
    assert (aligned - tuned).abs().max() > 1e-4
    assert losses(journey.folders["dpo"])[0] == pytest.approx(0.693147, abs=1e-6)


def test_the_merged_model_is_the_adapted_one_in_a_standard_folder(journey):
    from transformers import AutoModelForImageTextToText

    adapted, merged = journey.engines["dpo"], journey.engines["merged"]
    requests = requests_of(journey, adapted)
    batch = adapted.inputs(requests)
    expected = logits_of(adapted.model, batch)
    assert (logits_of(merged.model, batch) - expected).abs().max() < 1e-4
    texts = [found.text for found in adapted.generate(requests, max_new_tokens=10)]
    assert [found.text for found in merged.generate(requests, max_new_tokens=10)] == texts
    stock, found = AutoModelForImageTextToText.from_pretrained(journey.folders["merged"], output_loading_info=True)
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    assert (logits_of(stock, batch) - expected).abs().max() < 1e-4
    assert not [key for key in stock.state_dict() if "lora" in key]


def test_the_adapter_loads_in_plain_transformers_and_peft(journey):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    ours = journey.engines["dpo"]
    batch = ours.inputs(requests_of(journey, ours))
    expected = logits_of(ours.model, batch)
    adapter = journey.folders["dpo"] / "adapter"
    base = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    plain = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), adapter)
    assert (logits_of(plain, batch) - expected).abs().max() < 1e-4
    loaded = AutoModelForImageTextToText.from_pretrained(adapter)  # transformers finds the base by itself
    assert (logits_of(loaded, batch) - expected).abs().max() < 1e-4


def test_a_batch_of_the_run_says_what_single_requests_say(journey):
    engine = journey.engines["dpo"]
    requests = requests_of(journey, engine)
    together = engine.generate(requests, max_new_tokens=10)
    alone = [engine.generate([request], max_new_tokens=10)[0] for request in requests]
    assert [found.text for found in together] == [found.text for found in alone]
    batch = logits_of(engine.model, engine.inputs(requests))[:, -1]
    single = torch.cat([logits_of(engine.model, engine.inputs([request]))[:, -1] for request in requests])
    assert (batch - single).abs().max() < 1e-4


def test_sft_makes_its_boxes_likelier_and_dpo_widens_the_margin_it_trains_on(journey):
    """Measured by the engine, not by the trainer: the two must mean the same text."""
    margins, likelihoods = {}, {}
    pairs = list(read_pair_rationales(journey.data))
    for stage in ("base", "sft", "dpo"):
        engine = journey.engines[stage]
        requests, boxes = [], []
        for (pair, *rationales), request in zip(pairs, requests_of(journey, engine), strict=True):
            codec, plan = engine.family.codec, plan_image(request.images[0].size, engine.budget)
            texts = [render(rationale, codec, plan) for rationale in rationales]
            start = texts[0].index(DECISION_OPENING) + len(DECISION_OPENING)
            assert texts[0][:start] == texts[1][:start]
            requests.append(replace(request, prefix=texts[0][:start]))
            boxes.append([render_box(box, codec, plan) for box in (pair.chosen, pair.rejected)])
        scores = engine.score_continuations(requests, boxes)
        margins[stage] = sum(chosen - rejected for chosen, rejected in scores)
        likelihoods[stage] = sum(chosen for chosen, _ in scores)
    assert likelihoods["sft"] > likelihoods["base"]
    assert margins["dpo"] > margins["sft"]
