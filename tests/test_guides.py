"""The copy with guides as a second image: the same plan, codec and lengths in training, evaluation and serving."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.engines.hf import HFEngine
from crop_reasoning.engines.openai import OpenAIEngine
from crop_reasoning.evaluation.predict import predict, request_for
from crop_reasoning.evaluation.preference import preference_accuracy
from crop_reasoning.images import load_upright, plan_image
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.chat import dpo_sample, sft_sample
from crop_reasoning.reasoning.pictures import drawn_by, pictures
from crop_reasoning.reasoning.prompts import PROMPT_IDS, shows_guides, without_guides
from crop_reasoning.records import read_records
from crop_reasoning.serving.answer import CropRequest, answer, prepare
from crop_reasoning.training import samples
from crop_reasoning.training.run import train
from data_builders.export_trl import export_trl
from tests import tiny
from tests.servers import server
from tests.tiny_runs import FAMILY_NAMES, make_place, recipe

GUIDES = "crop-brief/1+guides"
Runs = dict[str, dict[str, Path]]
BOTH = pytest.mark.parametrize("family", FAMILY_NAMES)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("guides"))


@pytest.fixture(scope="module")
def runs(place: Path) -> Runs:
    """An SFT run with guides of each family, and a DPO run that continues it."""
    short = {"prompt": GUIDES, "optim__steps": 1, "optim__batch_size": 2, "data__limit": 2}
    found: Runs = {}
    for name in FAMILY_NAMES:
        found[name] = {"sft": place / f"sft-{name}", "dpo": place / f"dpo-{name}"}
        train(recipe(place, found[name]["sft"], name, **short))
        train(recipe(place, found[name]["dpo"], name, adapter=found[name]["sft"], **short))
    return found


def rows_of(place: Path, family: str, prompt: str, method: str = "sft") -> tuple[list[samples.Encoded], object]:
    processor = tiny.build_processor(FAMILIES[family])
    changes = {"adapter": "x"} if method == "dpo" else {}
    wanted = recipe(place, place / "none", family, prompt=prompt, **changes)
    return samples.encode(
        samples.read_samples(wanted, FAMILIES[family], tiny.budget(FAMILIES[family])), processor
    ), processor


def test_each_prompt_has_a_form_with_guides() -> None:
    assert {without_guides(name) for name in PROMPT_IDS if shows_guides(name)} == {"crop/1", "crop-brief/1"}


@BOTH
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_batches_with_guides_equal_those_of_trl(place: Path, family: str, method: str) -> None:
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from crop_reasoning.training.batches import Samples, collator

    rows, processor = rows_of(place, family, GUIDES, method)
    dataset = Samples(rows)
    ours = collator(processor, method)([dataset[index] for index in range(3)])
    build = dpo_sample if method == "dpo" else sft_sample
    items = []
    for row in rows[:3]:
        shown = pictures(load_upright(row.sample.image), row.sample.plan, GUIDES)
        items.append({"images": list(shown), **build(row.sample.messages, *row.sample.answers)})
    stock = DataCollatorForVisionPreference if method == "dpo" else DataCollatorForVisionLanguageModeling
    theirs = stock(processor, **({} if method == "dpo" else {"completion_only_loss": True}))(items)
    assert torch.equal(ours["pixel_values"], theirs["pixel_values"])
    assert torch.equal(ours["image_grid_thw"], theirs["image_grid_thw"])
    assert len(ours["image_grid_thw"]) == 3 * 2 * (2 if method == "dpo" else 1)
    kept = ours["attention_mask"].bool()
    assert torch.equal(ours["input_ids"][kept], theirs["input_ids"][:, : kept.shape[1]][kept])


@BOTH
def test_the_copy_costs_what_the_photo_costs_and_the_audit_knows(place: Path, family: str) -> None:
    (plain, _), (drawn, processor) = rows_of(place, family, "crop-brief/1"), rows_of(place, family, GUIDES)
    words = len(processor.tokenizer(" The second image shows its guides.").input_ids)
    for one, other in zip(plain, drawn, strict=True):
        markers = 2  # vision start and end
        assert other.tokens - one.tokens == one.sample.plan.visual_tokens + markers + words


@BOTH
def test_the_codec_reads_the_photos_own_coordinates(place: Path, family: str) -> None:
    """Both images have one plan: an integer means the same place with and without the copy."""
    (plain, _), (drawn, _) = rows_of(place, family, "crop-brief/1"), rows_of(place, family, GUIDES)
    for one, other in zip(plain, drawn, strict=True):
        assert one.sample.answers == other.sample.answers
        photo = load_upright(other.sample.image)
        shown = pictures(photo, other.sample.plan, GUIDES)
        assert [each.size for each in shown] == [other.sample.plan.seen_wh] * 2
        assert shown[0].tobytes() == pictures(photo, one.sample.plan, "crop-brief/1")[0].tobytes()
        assert shown[1].tobytes() != shown[0].tobytes()


@BOTH
def test_the_checks_name_what_drew_the_guides(runs: Runs, family: str) -> None:
    folder = runs[family]["sft"]
    assert "2 photos measured" in (folder / "preflight.md").read_text()
    assert json.loads((folder / "environment.json").read_text())["guides"].startswith("guides/")
    assert len(list((folder / "samples").glob("*.guides.png"))) == 1
    sample = next((folder / "samples").glob("*.txt")).read_text()
    assert sample.count("<|image_pad|>") == 2


@BOTH
def test_training_evaluation_and_serving_show_the_same(place: Path, runs: Runs, family: str) -> None:
    engine = HFEngine(str(runs[family]["dpo"]), dtype="float32")
    assert engine.prompt_id == GUIDES
    record = read_records(place / "data")[0]
    evaluated = request_for(record, place / "data", engine)
    served = prepare(engine, place / "data" / record.image.path, CropRequest()).request
    rows, _ = rows_of(place, family, GUIDES)
    trained = rows[0].sample
    assert evaluated.messages == served.messages == trained.messages
    assert [one.tobytes() for one in evaluated.images] == [one.tobytes() for one in served.images]
    ids = engine.inputs([evaluated])["input_ids"][0].tolist()
    assert ids == rows[0].prompt_ids


@BOTH
def test_dpo_with_guides_scores_like_the_engine(place: Path, runs: Runs, family: str) -> None:
    first = json.loads((runs[family]["dpo"] / "metrics.jsonl").read_text().splitlines()[0])
    engine = HFEngine(str(runs[family]["sft"]), dtype="float32")
    wanted = recipe(place, place / "none", family, adapter="x", prompt=GUIDES, data__limit=2)
    rows = samples.encode(samples.read_samples(wanted, engine.family, engine.budget), engine.processor)
    records = {record.id: record for record in read_records(place / "data")}
    requests = [request_for(records[row.sample.id.partition("#")[0]], place / "data", engine) for row in rows]
    answers = [[engine.processor.tokenizer.decode(ids) for ids in row.answer_ids] for row in rows]
    scores = engine.score_continuations(requests, answers)
    assert first["logps/chosen"] == pytest.approx(sum(chosen for chosen, _ in scores) / 2, abs=1e-2)
    assert first["logps/rejected"] == pytest.approx(sum(rejected for _, rejected in scores) / 2, abs=1e-2)


def test_predictions_and_preference_run_with_guides(place: Path, runs: Runs, tmp_path: Path) -> None:
    engine = HFEngine(str(runs["qwen3_vl"]["dpo"]), dtype="float32")
    assert predict(engine, place / "data", "train", tmp_path / "p.jsonl", limit=2) == 2
    header = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[0])
    assert (header["prompt_id"], header["guides"]) == (GUIDES, drawn_by())
    assert preference_accuracy(engine, place / "data", "train", limit=2).n_photos == 2


def test_a_server_draws_the_guides_itself(place: Path) -> None:
    local = FakeEngine()
    local.prompt_id = "crop/1+guides"
    photo = place / "data" / "images" / "0.png"
    with server(local) as url:
        remote = OpenAIEngine(url, "fake")
        assert remote.prompt_id == "crop/1"
        here, there = (answer(engine, photo, CropRequest(aspect=(4, 5))) for engine in (local, remote))
    assert (there.text, there.box_px, there.prompt_tokens) == (here.text, here.box_px, here.prompt_tokens)
    plan = plan_image((96, 64), local.budget)
    assert here.prompt_tokens > 2 * plan.visual_tokens


def test_a_run_whose_guides_were_drawn_by_others_says_so(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs["qwen2_5_vl"]["sft"]
    path = folder / "environment.json"
    before = path.read_text()
    HFEngine(str(folder), dtype="float32")
    assert "guides drawn by" not in capsys.readouterr().err
    path.write_text(json.dumps(json.loads(before) | {"guides": "composition/0 (nobody)"}))
    try:
        HFEngine(str(folder), dtype="float32")
    finally:
        path.write_text(before)
    assert "was trained on guides drawn by composition/0 (nobody)" in capsys.readouterr().err


def test_an_export_holds_both_pictures(place: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    family = FAMILIES["qwen3_vl"]
    export_trl(place / "data", tmp_path / "out", family, tiny.budget(family), GUIDES)
    rows = load_dataset(str(tmp_path / "out"), "sft", split="train", cache_dir=str(tmp_path / "cache"))
    photo, drawn = rows[0]["images"]
    assert photo.size == drawn.size
    assert photo.convert("RGB").tobytes() != drawn.convert("RGB").tobytes()
    assert [block["type"] for block in rows[0]["prompt"][0]["content"]] == ["image", "image", "text"]
