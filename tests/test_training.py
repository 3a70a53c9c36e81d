"""Training runs on tiny real models of both families: what a run leaves behind, and how it stops and goes on."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from crop_reasoning.engines.base import Request
from crop_reasoning.engines.hf import HFEngine
from crop_reasoning.errors import CropReasoningError, DataError, Interrupted, RecipeError
from crop_reasoning.images import load_upright, resize_to_plan
from crop_reasoning.training import run_folder, samples
from crop_reasoning.training.recipe import Recipe, as_yaml
from crop_reasoning.training.run import train
from data_builders.rationales import write_rationales
from tests.tiny_runs import FAMILY_NAMES, losses, make_place, recipe, tune

BOTH = pytest.mark.parametrize("family", FAMILY_NAMES)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return make_place(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def tuned(place) -> dict[str, Path]:
    return tune(place)


def in_child(wanted: Recipe, *, kill: int, at_step: int) -> int:
    """Train in a forked process that a signal hits once a step is in its journal; how the process ended."""
    child = os.fork()
    if child == 0:
        from crop_reasoning.training import callbacks

        class Hit(callbacks.Journal):
            def on_log(self, args, state, control, logs=None, **kw):
                super().on_log(args, state, control, logs, **kw)
                if state.global_step == at_step:
                    os.kill(os.getpid(), kill)

        callbacks.Journal = Hit
        torch.set_num_threads(1)
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        try:
            train(wanted)
            os._exit(0)
        except CropReasoningError as problem:
            os._exit(problem.exit_code)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- what a run leaves behind


@BOTH
def test_sft_leaves_a_whole_run_and_an_adapter_that_changes_the_logits(place, tuned, family):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    folder = tuned[family]
    expected = "README.md adapter checkpoints data.lock environment.json metrics.jsonl preflight.md recipe.yaml samples"
    assert sorted(path.name for path in folder.iterdir()) == expected.split()
    assert len(losses(folder)) == 6
    assert losses(folder)[-1] < losses(folder)[0]
    base = AutoModelForImageTextToText.from_pretrained(place / family).eval()
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        before = base(input_ids=ids).logits
        after = PeftModel.from_pretrained(base, folder / "adapter").eval()(input_ids=ids).logits
    assert (after - before).abs().max() > 1e-3
    saved = load_file(folder / "adapter" / "adapter_model.safetensors")
    assert saved
    assert all("visual" not in key for key in saved)
    last = load_file(folder / "checkpoints" / "checkpoint-6" / "adapter_model.safetensors")
    assert saved.keys() == last.keys()
    assert all(torch.equal(saved[key], last[key]) for key in saved)
    card = (folder / "README.md").read_text()
    assert "CC0-1.0 (6)" in card
    assert "What is reconstructed" in card
    text = next((folder / "samples").glob("*.txt")).read_text()
    assert text.rstrip().endswith("</decision><|im_end|>")


def test_the_pixel_budget_travels_with_the_adapter(place, tmp_path):
    from crop_reasoning.models.loading import load_model

    small = recipe(place, tmp_path / "sft", model__max_pixels=10_000, optim__steps=1)
    train(small)
    train(recipe(place, tmp_path / "dpo", adapter=tmp_path / "sft", optim__steps=1))  # says nothing of pixels
    for run in ("sft", "dpo"):
        _, processor, _ = load_model(str(place / "qwen3_vl"), str(tmp_path / run / "adapter"))
        assert processor.image_processor.size["longest_edge"] == 10_000


@BOTH
def test_dpo_starts_at_ln_2_from_the_sft_adapter_and_saves_no_reference(place, tuned, family):
    folder = place / f"dpo-{family}"
    train(recipe(place, folder, family, adapter=tuned[family], optim__steps=2))
    assert abs(losses(folder)[0] - math.log(2)) < 1e-6
    assert "| first DPO loss | 0.693147 (ln 2 = 0.693147) |" in (folder / "preflight.md").read_text()
    assert not list(folder.rglob("ref"))
    start, end = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (tuned[family], folder))
    assert start.keys() == end.keys()
    moved = max(float((start[key] - end[key]).abs().max()) for key in start)
    assert 0 < moved < 0.05  # it went on from the SFT adapter, two small steps


@BOTH
def test_the_trainers_log_probabilities_are_the_engines(place, tuned, tmp_path, family):
    """Training and evaluation must mean the same tokens after the same prompt and photo."""
    short = {"data__limit": 2, "optim__steps": 1, "optim__batch_size": 2}
    wanted = recipe(place, tmp_path / "dpo", family, adapter=tuned[family], **short)
    train(wanted)
    first = json.loads((tmp_path / "dpo" / "metrics.jsonl").read_text().splitlines()[0])
    engine = HFEngine(str(tuned[family]), dtype="float32")
    rows = samples.encode(samples.read_samples(wanted, engine.family, engine.budget), engine.processor)
    requests, answers = [], []
    for row in rows:
        image = resize_to_plan(load_upright(row.sample.image), row.sample.plan)
        requests.append(Request(row.sample.id, (image,), row.sample.messages))
        answers.append([engine.processor.tokenizer.decode(ids) for ids in row.answer_ids])
    scores = engine.score_continuations(requests, answers)
    assert first["logps/chosen"] == pytest.approx(sum(chosen for chosen, _ in scores) / 2, abs=1e-2)
    assert first["logps/rejected"] == pytest.approx(sum(rejected for _, rejected in scores) / 2, abs=1e-2)


def test_a_first_dpo_loss_that_is_not_ln_2_ends_the_run(tmp_path):
    from crop_reasoning.training.callbacks import FirstDpoLoss

    state = SimpleNamespace(global_step=1, is_world_process_zero=True)
    logs = {"rewards/margins": -0.04, "rewards/chosen": 0.3, "rewards/rejected": 0.34}
    with pytest.raises(CropReasoningError, match=r"got 0\.7133 .* expected ln 2 = 0\.6931"):
        FirstDpoLoss(tmp_path).on_log(None, state, None, logs)


# --- stopping and going on


def test_a_run_killed_and_resumed_has_the_losses_of_a_straight_one(place, tuned):
    wanted = recipe(place, place / "killed")
    assert in_child(wanted, kill=signal.SIGKILL, at_step=5) == -signal.SIGKILL
    torn = shutil.copytree(place / "killed/checkpoints/checkpoint-3", place / "killed/checkpoints/checkpoint-4")
    (torn / "optimizer.pt").write_bytes(b"torn")  # killed while it wrote this one
    with (place / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    with pytest.raises(RecipeError, match="holds a run that was stopped; continue it with --resume"):
        train(wanted)
    assert train(wanted, resume=True).steps == 6
    assert losses(place / "killed") == pytest.approx(losses(tuned["qwen3_vl"]), abs=1e-5)


def test_ctrl_c_in_dpo_saves_a_checkpoint_and_resumes_to_the_same_losses(place, tuned):
    straight, stopped = (
        recipe(place, place / name, "qwen2_5_vl", adapter=tuned["qwen2_5_vl"]) for name in ("straight", "stopped")
    )
    train(straight)
    assert in_child(stopped, kill=signal.SIGINT, at_step=1) == 130
    last = run_folder.last_good_checkpoint(place / "stopped")
    assert last is not None
    assert run_folder.step_of(last) == 2
    train(stopped, resume=True)
    assert losses(place / "stopped") == pytest.approx(losses(place / "straight"), abs=1e-5)
    assert not list((place / "stopped").rglob("ref"))


def test_a_run_that_was_killed_between_its_adapter_and_its_card_gets_the_card(place, tuned, tmp_path):
    folder = Path(shutil.copytree(tuned["qwen3_vl"], tmp_path / "run"))
    wanted = recipe(place, folder)
    (folder / run_folder.CARD).unlink()
    assert train(wanted, resume=True).steps == 6
    assert (folder / run_folder.CARD).is_file()
    with pytest.raises(RecipeError, match="this run is finished"):
        train(wanted, resume=True)


def test_a_card_writes_its_methods_name_as_it_is_spelled(place, tuned, tmp_path):
    from crop_reasoning.training.card import write_card

    folder = Path(shutil.copytree(tuned["qwen3_vl"], tmp_path / "run"))
    assert "\n\nLoRA supervised fine-tuning on composition rationales.\n" in write_card(folder).read_text()
    (folder / "recipe.yaml").write_text(as_yaml(recipe(place, folder, adapter=tuned["qwen3_vl"])))
    assert "\n\nDPO on ranked pairs of crops; the reference" in write_card(folder).read_text()


def test_ctrl_c_before_training_says_so(place, tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "encode", interrupted)
    with pytest.raises(Interrupted, match="nothing was trained yet") as stopped:
        train(recipe(place, tmp_path / "run"))
    assert stopped.value.exit_code == 130


def test_a_resume_with_another_recipe_or_other_data_is_refused_by_name(place, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    wanted = recipe(place, tmp_path / "run", data__folder=str(tmp_path / "data"))
    train(wanted, dry_run=True)
    changed = wanted.model_copy(update={"seed": 1})
    with pytest.raises(RecipeError, match=r"the recipe changed since this run began \(seed was 0, is 1\)"):
        train(changed, resume=True)
    write_rationales(tmp_path / "data", seed=1)
    with pytest.raises(DataError, match=r"changed since this run began: .*rationales\.jsonl"):
        train(wanted, resume=True)
    with pytest.raises(RecipeError, match="holds no run to resume"):
        train(recipe(place, tmp_path / "other"), resume=True)


# --- several processes


@pytest.mark.slow
def test_two_processes_on_the_cpu_train_like_one(place, tuned, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(as_yaml(recipe(place, tmp_path / "one", lora__dropout=0.0, data__limit=4)))
    command = [sys.executable, "-m", "crop_reasoning", "train", str(path)]
    subprocess.run(command, check=True)
    subprocess.run([*command, "--accelerate", "cpu", "--output", str(tmp_path / "two")], check=True)
    assert len(list((tmp_path / "two/checkpoints/checkpoint-6").glob("rng_state_*.pth"))) == 2
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=2e-3)
