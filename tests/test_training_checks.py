"""Before training: batches and labels as they must be, and every way in which a run is refused."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from crop_reasoning.errors import CropReasoningError, DataError, EnvironmentProblem, ModelError, RecipeError
from crop_reasoning.images import load_upright, resize_to_plan
from crop_reasoning.models.adapters import attach
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.chat import dpo_sample, sft_sample
from crop_reasoning.training import run_folder, samples
from crop_reasoning.training.run import train
from tests import tiny
from tests.tiny_runs import FAMILY_NAMES, make_place, recipe, tune

BOTH = pytest.mark.parametrize("family", FAMILY_NAMES)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return make_place(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def tuned(place) -> dict[str, Path]:
    return tune(place, optim__steps=2)


# --- samples and batches


@BOTH
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_batches_equal_those_of_trl_with_the_stock_processor(place, family, method):
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from crop_reasoning.training.batches import Samples, collator

    processor = tiny.build_processor(FAMILIES[family])
    wanted = recipe(place, place / "none", family, **({"adapter": "x"} if method == "dpo" else {}))
    read = samples.read_samples(wanted, FAMILIES[family], tiny.budget(FAMILIES[family]))
    rows = samples.encode(read, processor)
    dataset = Samples(rows)
    ours = collator(processor, method)([dataset[index] for index in range(3)])
    photos = [resize_to_plan(load_upright(sample.image), sample.plan) for sample in read[:3]]
    build = dpo_sample if method == "dpo" else sft_sample
    items = [{"images": [p], **build(s.messages, *s.answers)} for p, s in zip(photos, read, strict=False)]
    if method == "dpo":
        theirs = DataCollatorForVisionPreference(processor)(items)
    else:
        theirs = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)(items)
    assert set(ours) == set(theirs)
    kept = ours["attention_mask"].bool()  # our rejected answers end with the box, TRL's go on with the words about it
    for key in ours:
        if key in ("pixel_values", "image_grid_thw"):
            assert torch.equal(ours[key], theirs[key])
        else:
            assert torch.equal(ours[key][kept], theirs[key][:, : kept.shape[1]][kept]), key
    if method == "sft":
        assert ours["input_ids"].shape == theirs["input_ids"].shape
    else:
        ends = [r'"why":"[^"]*"\}\n</decision><\|im_end\|>\n'] * 3 + [""] * 3  # chosen answers, then rejected ones
        for row, mask, end in zip(ours["input_ids"], kept, ends, strict=True):
            written = processor.tokenizer.decode(row[mask]).split("<decision>")[-1]
            assert re.fullmatch(r'\n\{"box":\[\d+,\d+,\d+,\d+\](,"?)?' + end, written), written
    assert max(row.tokens for row in rows[:3]) == ours["input_ids"].shape[1]


@BOTH
def test_the_tokens_of_the_decisions_box_spell_it_and_carry_labels(place, family):
    from crop_reasoning.training.preflight import check_batch

    processor = tiny.build_processor(FAMILIES[family])
    wanted = recipe(place, place / "none", family)
    rows = samples.encode(samples.read_samples(wanted, FAMILIES[family], tiny.budget(FAMILIES[family])), processor)
    text = samples.conversation(rows[0].sample, processor)[1][0]
    positions = samples.box_tokens(text, processor)
    spelled = processor.tokenizer.decode([rows[0].answer_ids[0][position] for position in positions])
    assert f'<decision>\n{{"box":[{spelled}],"why"' in text
    assert "4 of 4 sequences" in check_batch(rows, processor, FAMILIES[family], "sft")
    cut = samples.Encoded(rows[0].sample, rows[0].prompt_ids, (rows[0].answer_ids[0][: positions[-1]],))
    with pytest.raises(CropReasoningError, match="the box would not be learnt"):  # what a truncating trainer would do
        check_batch([cut], processor, FAMILIES[family], "sft")


def test_a_kept_photo_does_not_outgrow_its_room(place):
    from crop_reasoning.training.batches import Photos

    wanted = recipe(place, place / "none")
    read = samples.read_samples(wanted, FAMILIES["qwen3_vl"], tiny.budget(FAMILIES["qwen3_vl"]))
    photos = Photos(kept_bytes=40_000)
    for sample in read:
        assert photos.load(sample).shape == (1, *sample.plan.seen_wh[::-1], 3)
    assert 0 < sum(kept.nbytes for kept in photos._kept.values()) <= 40_000


@BOTH
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_our_head_gives_trls_loss_metrics_and_gradients(place, tuned, tmp_path, monkeypatch, family, method):
    from crop_reasoning.models.loading import load_model
    from crop_reasoning.training import trl_backend
    from crop_reasoning.training.batches import Samples, collator

    wanted = recipe(place, tmp_path, family, lora__dropout=0.0)
    if method == "dpo":
        wanted = recipe(place, tmp_path, family, adapter=tuned[family])
    processor = tiny.build_processor(FAMILIES[family])
    rows = samples.encode(samples.read_samples(wanted, FAMILIES[family], tiny.budget(FAMILIES[family])), processor)
    dataset, found = Samples(rows), []
    for head in (trl_backend.lean_head, lambda model: None):
        monkeypatch.setattr(trl_backend, "lean_head", head)
        adapter = str(tuned[family] / "adapter") if method == "dpo" else None
        model, _, _ = load_model(str(place / family), adapter, trainable=True)
        trainer = trl_backend.build_trainer(wanted, model, processor, FAMILIES[family], rows, tmp_path, [])
        loss = trainer.compute_loss(trainer.model, collator(processor, method)([dataset[i] for i in range(3)]))
        loss.backward()
        gradients = {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}
        found.append((loss.item(), gradients, {name: values[-1] for name, values in trainer._metrics["train"].items()}))
    (ours, our_gradients, our_metrics), (theirs, their_gradients, their_metrics) = found
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert our_metrics == pytest.approx(their_metrics, rel=1e-5, abs=1e-4)
    assert our_gradients.keys() == their_gradients.keys()
    assert all(torch.allclose(our_gradients[name], their_gradients[name], atol=1e-6) for name in our_gradients)


# --- refusals


def test_two_runs_into_one_folder_the_second_is_refused(place, tmp_path, capsys):
    wanted = recipe(place, tmp_path / "run")
    with (
        run_folder.locked(tmp_path / "run"),
        pytest.raises(EnvironmentProblem, match=f"in use by process {os.getpid()}"),
    ):
        train(wanted)
    assert not (tmp_path / "run").exists()  # nothing came of either
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").write_text("process 999999999 on here")  # its holder was killed
    train(wanted, dry_run=True)
    assert "which is gone; taken over" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.lock").exists()


def test_a_finished_or_foreign_folder_is_never_written_into(place, tuned, tmp_path):
    wanted = recipe(place, tuned["qwen3_vl"])
    with pytest.raises(RecipeError, match="holds a finished run"):
        train(wanted)
    with pytest.raises(RecipeError, match="this run is finished, there is nothing to resume"):
        train(wanted, resume=True)
    (tmp_path / "photos.zip").touch()
    with pytest.raises(RecipeError, match=r"it holds 'photos\.zip'"):
        train(recipe(place, tmp_path))


def test_a_sample_that_is_too_long_is_refused_by_name(place, tmp_path):
    with pytest.raises(DataError, match=r"6 of 6 samples are longer than 50 tokens: noise-0 \(\d+\)"):
        train(recipe(place, tmp_path / "run", data__max_tokens=50))


def test_photos_that_are_gone_or_changed_are_named(place, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    (tmp_path / "data/images/1.png").unlink()
    (tmp_path / "data/images/2.png").write_bytes(b"cut")
    with pytest.raises(DataError, match=r"2 of 6 photos .*1\.png \(missing\), .*2\.png \(changed\)"):
        train(recipe(place, tmp_path / "run", data__folder=str(tmp_path / "data")))


def test_a_record_without_its_answer_and_an_empty_split_are_refused(place, tmp_path):
    shutil.copytree(place / "data", tmp_path / "data")
    path = tmp_path / "data/rationales.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(DataError, match="1 of 6 records of split train have no rationale: noise-0"):
        train(recipe(place, tmp_path / "run", data__folder=str(tmp_path / "data")))
    with pytest.raises(DataError, match="split val holds nothing to train sft on"):
        train(recipe(place, tmp_path / "run", data__split="val"))


def test_an_adapter_of_another_base_is_refused(place, tuned, tmp_path):
    with pytest.raises(ModelError, match=r"was trained on .*qwen3_vl, the recipe's base is .*qwen2_5_vl"):
        train(recipe(place, tmp_path / "run", "qwen2_5_vl", adapter=tuned["qwen3_vl"]))


@pytest.mark.parametrize("fault", ["renamed", "reshaped", "without effect", "torn"])
def test_an_adapter_that_would_have_no_effect_is_refused(place, tuned, tmp_path, fault):
    adapter = shutil.copytree(tuned["qwen3_vl"] / "adapter", tmp_path / "adapter")
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    if fault == "renamed":
        weights = {key.replace("language_model", "text"): value for key, value in weights.items()}
    elif fault == "reshaped":
        weights = {key: value[:, :-1].contiguous() if "lora_A" in key else value for key, value in weights.items()}
    elif fault == "without effect":
        weights = {key: value * (0 if "lora_B" in key else 1) for key, value in weights.items()}
    save_file(weights, path)
    if fault == "torn":
        path.write_bytes(path.read_bytes()[:100])
    said = {"without effect": "no effect", "torn": "cannot be read"}.get(fault, "do not fit")
    with pytest.raises(ModelError, match=said):
        train(recipe(place, tmp_path / "run", adapter=adapter))


def test_a_checkpoint_of_another_family_is_refused(place, tmp_path):
    model = shutil.copytree(place / "qwen3_vl", tmp_path / "other")
    config = json.loads((model / "config.json").read_text()) | {"model_type": "llama"}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="model_type 'llama' is not known; expected one of qwen2_5_vl, qwen3_vl"):
        train(recipe(place, tmp_path / "run", model__base=str(model)))


def test_lora_targets_the_language_model_alone(place):
    from crop_reasoning.training.preflight import check_adapter, language_linears

    for family in FAMILIES.values():
        linears = language_linears(str(place / family.model_type))
        count, found = check_adapter(recipe(place, place / "none", family.model_type), None, linears, family)
        assert found.startswith("14 layers, rank 4")  # 2 layers x 7, none of the tower
        assert count == 4 * sum(sum(size) for name, size in linears.items() if ".language_model." in name)
    with pytest.raises(ModelError, match="LoRA finds no layer"):
        check_adapter(recipe(place, place / "none"), None, {"model.visual.q_proj": (4, 4)}, FAMILIES["qwen3_vl"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("writer", ["python", "torch", "safetensors"])
def test_a_full_disk_is_one_sentence(tmp_path, writer):
    def write() -> None:
        if writer == "python":
            Path("/dev/full").write_text("x")
        elif writer == "torch":
            torch.save(torch.zeros(100_000), "/dev/full")
        else:  # it renames a finished file over its target: never give it a device
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(EnvironmentProblem, match="no space left on the disk"), run_folder.full_disk_told(tmp_path):
        write()
    with pytest.raises(PermissionError), run_folder.full_disk_told(tmp_path):
        raise PermissionError(errno.EACCES, "other troubles stay what they are")


def test_too_little_room_for_the_checkpoints_is_told_before_training(tmp_path):
    from crop_reasoning.training.preflight import check_disk

    with pytest.raises(EnvironmentProblem, match="3 checkpoints need about"):
        check_disk(tmp_path / "not" / "yet", trainable=10**15)


def test_an_option_whose_package_is_missing_is_told(place, tmp_path):
    with pytest.raises(EnvironmentProblem, match="flash_attention_2 needs the package flash_attn"):
        train(recipe(place, tmp_path / "run", model__attention="flash_attention_2"))


def test_a_batch_that_does_not_divide_among_processes_is_refused():
    from crop_reasoning.training.trl_backend import accumulation

    optim = SimpleNamespace(batch_size=4, micro_batch_size=None)
    assert accumulation(SimpleNamespace(optim=optim), 2) == (2, 1)
    with pytest.raises(RecipeError, match="expected a multiple of 3 processes"):
        accumulation(SimpleNamespace(optim=optim), 3)


def test_a_model_without_adapter_is_no_adapter_and_a_run_is_no_base(place, tuned, tmp_path):
    with pytest.raises(ModelError, match="holds no adapter; expected an SFT run"):
        train(recipe(place, tmp_path / "run", adapter=place / "qwen3_vl"))
    with pytest.raises(ModelError, match="is an adapter's run; name its base"):
        train(recipe(place, tmp_path / "run", model__base=str(tuned["qwen3_vl"])))


def test_attach_refuses_what_preflight_cannot_see(place, tuned):
    with pytest.raises(ModelError, match="not fit"):
        attach(tiny.build_model(FAMILIES["qwen3_vl"], hidden=128), tuned["qwen3_vl"] / "adapter")
