"""Base training: it never sees a crop, its losses are what they say, and a stopped run goes on to the same losses."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from crop_reasoning.codecs import thousandths
from crop_reasoning.errors import CropReasoningError, DataError, EnvironmentProblem, Interrupted, RecipeError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.models import nano
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.models.processors import load_processor, vision_budget
from crop_reasoning.records import CropRecord, ScoredCrop, read_records, write_jsonl
from crop_reasoning.training import base, run_folder
from crop_reasoning.training.base_batches import collate, draw_batch, load_photos
from crop_reasoning.training.base_losses import answer_loss, grounding_loss, integer_tokens, overlap
from crop_reasoning.training.base_tasks import TASKS, base_task, corpus, mirrored
from crop_reasoning.training.batches import IGNORED
from crop_reasoning.training.recipe import Recipe
from crop_reasoning.training.run import train
from data_builders import toy
from tests import tiny
from tests.tiny_runs import losses

FAMILY = FAMILIES["qwen3_vl"]
PLAN = ImagePlan((64, 64), (64, 64), 4, "qwen3_vl")
STEPS, LOOKS = 6, 2


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Some scenes (`data`), an untrained nano (`nano`) and a whole base run on them (`straight`)."""
    root = tmp_path_factory.mktemp("base")
    toy.build(None, root / "data", train=12, val=0, test=0, workers=1)
    nano.build(root / "nano", corpus(read_records(root / "data")))
    train(base_recipe(root, root / "straight"))
    return root


def base_recipe(place: Path, output: Path, data: Path | None = None) -> Recipe:
    return Recipe.model_validate(
        {
            "method": "base",
            "model": {"base": str(place / "nano")},
            "data": {"folder": str(data or place / "data")},
            "optim": {"learning_rate": 0.002, "batch_size": 2, "steps": STEPS, "warmup_steps": 2},
            "base": {"look_steps": LOOKS},
            "output": str(output),
            "save_steps": 2,
            "log_steps": 1,
        }
    )


def other_crops(record: CropRecord) -> CropRecord:
    """The same photo with crops that nobody would choose."""
    return replace(record, crops=(ScoredCrop(Box(0.0, 0.9, 0.1, 1.0), 9.0, "test"),))


# --- the crop rule is never taught


@pytest.mark.parametrize("name", TASKS)
def test_no_task_knows_the_crops(place, name):
    for index, record in enumerate(read_records(place / "data")):
        tasks = [
            base_task(name, seen, thousandths, PLAN, np.random.default_rng(index))
            for seen in (record, other_crops(record), replace(record, crops=()))
        ]
        assert tasks[0] == tasks[1] == tasks[2]


def test_tasks_do_depend_on_what_is_in_the_photo(place):
    [record, *_] = [record for record in read_records(place / "data") if record.subject]
    moved = replace(record, subject=Box(0.1, 0.2, 0.3, 0.4))
    for name in ("subject", "analysis", "answer"):
        first, second = (base_task(name, seen, thousandths, PLAN, np.random.default_rng(0)) for seen in (record, moved))
        assert first.words == second.words
        assert first.answer != second.answer
        assert "[100,200,300,400]" in second.answer


def test_a_whole_run_is_the_same_whatever_the_crops(place, tmp_path):
    """From the tokenizer's corpus to the last weight."""
    records = [other_crops(record) for record in read_records(place / "data")]
    assert list(corpus(records)) == list(corpus(read_records(place / "data")))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").symlink_to(place / "data" / "images")
    write_jsonl(tmp_path / "data" / "records.jsonl", records)
    train(base_recipe(place, tmp_path / "run", tmp_path / "data"))
    assert losses(tmp_path / "run") == losses(place / "straight")
    assert same_weights(tmp_path / "run", place / "straight")


def same_weights(*runs: Path) -> bool:
    first, second = (load_file(run / "model" / "model.safetensors") for run in runs)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


# --- mirrors and batches


def test_a_mirror_of_a_mirror_is_the_record_without_its_crops(place):
    kinds = set()
    for record in read_records(place / "data"):
        twice = mirrored(mirrored(record))
        kinds.add(record.scene["kind"])
        assert twice.crops == ()
        assert (twice.id, twice.image, twice.scene["kind"]) == (record.id, record.image, record.scene["kind"])
        assert (twice.subject is None) == (record.subject is None)
        if record.subject and twice.subject:
            assert twice.subject.xyxy == pytest.approx(record.subject.xyxy)
        for ours, theirs in zip(twice.scene["elements"], record.scene["elements"], strict=True):
            assert ours["name"] == theirs["name"]
            assert ours.get("line") == pytest.approx(theirs.get("line"))
    assert len(kinds) > 1


def test_a_mirror_changes_sides_and_level_lines_still_run_from_left_to_right(place):
    record = replace(
        read_records(place / "data")[0],
        subject=Box(0.1, 0.2, 0.4, 0.5),
        scene={
            "elements": [
                {"name": "horizontal", "line": [0.0, 0.6, 0.75, 0.6]},
                {"name": "diagonal", "line": [0.25, 1.0, 0.5, 0.25]},
                {"name": "center", "point": [0.25, 0.5]},
                {"name": "pattern", "box": [0.25, 0.0, 0.5, 0.5]},
            ]
        },
    )
    seen = mirrored(record)
    assert seen.scene["elements"][0]["box"] == [0.5, 0.0, 0.75, 0.5]
    assert seen.subject is not None
    assert seen.subject.xyxy == pytest.approx((0.6, 0.2, 0.9, 0.5))
    lines = {element["name"]: element.get("line", element.get("point")) for element in seen.scene["elements"]}
    assert lines["horizontal"] == [0.25, 0.6, 1.0, 0.6]
    assert lines["diagonal"] == [0.75, 1.0, 0.5, 0.25]
    assert lines["center"] == [0.75, 0.5]


def test_photos_are_mirrored_with_their_records(place):
    processor = load_processor(place / "nano", FAMILY)
    records = read_records(place / "data")
    buckets = load_photos(records, place / "data", processor, FAMILY)
    by_id = {photo.record.id: photo for bucket in buckets for photo in bucket}
    assert set(by_id) == {record.id for record in records}
    rng, sides = np.random.default_rng(0), set()
    for _ in range(20):
        drawn = draw_batch(buckets, 4, rng)
        assert len({photo.plan.seen_wh for photo in drawn}) == 1
        for photo in drawn:
            own = by_id[photo.record.id]
            side = photo.record.crops == ()
            expected = own.pixels[:, ::-1] if side else own.pixels
            assert (photo.pixels == expected).all()
            assert photo.record == (mirrored(own.record) if side else own.record)
            sides.add(side)
    assert sides == {True, False}


ENDS = {
    # an answer that ends early lacks the end of the turn, and a token that reaches over its end
    "subject": r'"subject":(null|\[\d+,\d+,\d+,\d+)?\]?$',
    "analysis": r"</analysis>?$",
    "answer": r"</decision><\|im_end\|>$",
    "sketch": r"</proposals><\|im_end\|>$",
}


def test_every_integer_of_a_task_is_a_coordinate(place):
    """Soft targets spread an integer over its neighbors: an ordinal among them was learnt as "1 1 1 1 ..."."""
    for record in read_records(place / "data"):
        for name in TASKS:
            answer = base_task(name, record, thousandths, PLAN, np.random.default_rng(0)).answer
            assert not re.search(r"\d", re.sub(r"\[[\d,]+\]", "", answer))


def test_batches_label_the_answers_alone_and_count_the_plans_tokens(place):
    processor = load_processor(place / "nano", FAMILY)
    buckets = load_photos(read_records(place / "data"), place / "data", processor, FAMILY)
    assert vision_budget(processor, FAMILY).max_pixels == nano.MAX_PIXELS
    rng, kinds = np.random.default_rng(0), set()
    for name in TASKS:
        photos = draw_batch(buckets, 3, rng)
        batch, labels = collate(name, photos, processor, FAMILY, rng)
        seen = "pixel_values" in batch
        kinds.add(seen)
        for ids, mask, wanted in zip(batch["input_ids"], batch["attention_mask"], labels, strict=True):
            assert int((ids == processor.image_token_id).sum()) == (photos[0].plan.visual_tokens if seen else 0)
            answer = processor.tokenizer.decode(wanted[wanted != IGNORED])
            prompt = processor.tokenizer.decode(ids[(mask == 1) & (wanted == IGNORED)])
            assert re.search(ENDS[name], answer)
            assert answer.startswith("<analysis>\n") == seen
            assert prompt.endswith("<|im_start|>assistant\n")
            assert bool((ids[wanted != IGNORED] == wanted[wanted != IGNORED]).all())
    assert kinds == {True, False}  # sketches have no photo


# --- the losses


def test_answer_loss_without_integer_tokens_is_plain_cross_entropy():
    hidden = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    labels = torch.tensor([[IGNORED, 0, IGNORED]])
    found = answer_loss(torch.nn.Identity(), hidden, labels, None, sigma=3.0)
    assert float(found) == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 2)))


def test_answer_loss_spreads_an_integers_target_over_its_neighbors():
    """Five tokens: two words, then the integers 0, 1, 2, in shuffled order."""
    integers = torch.tensor([4, 2, 3])
    hidden = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[IGNORED, 2, 0]])  # the integer 1, then a word
    sigma = 0.8
    scores = hidden[0, :2].log_softmax(-1)
    weights = [math.exp(-0.5 * (value - 1) ** 2 / sigma**2) for value in range(3)]
    soft = -sum(weight * float(scores[0, token]) for weight, token in zip(weights, integers, strict=True)) / sum(
        weights
    )
    expected = (soft - float(scores[1, 0])) / 2
    assert float(answer_loss(torch.nn.Identity(), hidden, labels, integers, sigma)) == pytest.approx(expected, rel=1e-5)
    plain = answer_loss(torch.nn.Identity(), hidden, labels, None, sigma)
    assert float(answer_loss(torch.nn.Identity(), hidden, labels, integers, 1e-3)) == pytest.approx(float(plain))


def test_integer_tokens_are_those_of_nano_and_none_where_digits_are_spelled(place):
    tokenizer = load_processor(place / "nano", FAMILY).tokenizer
    found = integer_tokens(tokenizer)
    assert tokenizer.convert_ids_to_tokens(found[[0, 17, 1000]].tolist()) == ["0", "17", "1000"]
    assert len(set(found.tolist())) == 1001
    assert integer_tokens(tiny.build_tokenizer()) is None


def photo_of(subject: Box | None) -> SimpleNamespace:
    """A photo of 2 x 2 visual tokens."""
    return SimpleNamespace(record=SimpleNamespace(subject=subject), plan=PLAN)


def test_grounding_loss_by_hand():
    """A subject inside the first of four tokens: that one is weighted 4 and tells the box."""
    subject = Box(0.1, 0.2, 0.3, 0.4)
    outputs = torch.zeros(4, 5)
    far = 2 - 0.04 / 0.12  # nothing shared; the hull of the point (0, 0) and the subject is 0.3 x 0.4
    expected = (4 + 3) / 4 * math.log(2) + 4 * (0.1 + 0.2 + 0.3 + 0.4) / 4 + far
    assert float(grounding_loss(outputs, [photo_of(subject)], FAMILY)) == pytest.approx(expected, rel=1e-5)
    nothing = float(grounding_loss(outputs, [photo_of(None)], FAMILY))
    assert nothing == pytest.approx(math.log(2), rel=1e-5)


def test_overlap_of_boxes_is_their_generalized_iou():
    true = torch.tensor([[0.2, 0.2, 0.6, 0.6]] * 3)
    found = torch.tensor(
        [[0.2, 0.2, 0.6, 0.6], [0.4, 0.2, 0.8, 0.6], [0.6, 0.6, 0.2, 0.2]]
    )  # same, shifted, inside out
    assert overlap(found, true).tolist() == pytest.approx([1.0, 1 / 3, 1.0 - 1.0], abs=1e-5)


def test_grounding_loss_vanishes_for_the_right_tokens_in_the_right_order():
    right, lower = Box(0.6, 0.1, 0.9, 0.4), Box(0.1, 0.6, 0.9, 0.9)
    outputs = torch.full((8, 5), -30.0)
    outputs[1] = torch.tensor([30.0, *right.xyxy])  # rows first: the second token is the upper right one
    outputs[6] = outputs[7] = torch.tensor([30.0, *lower.xyxy])
    photos = [photo_of(right), photo_of(lower)]
    assert float(grounding_loss(outputs, photos, FAMILY)) < 1e-5
    assert float(grounding_loss(outputs, photos[::-1], FAMILY)) > 10


# --- stopping and going on


def test_a_base_run_leaves_a_model_that_learnt_and_no_checkpoint(place):
    folder = place / "straight"
    assert len(losses(folder)) == STEPS
    assert losses(folder)[1] < losses(folder)[0]  # looking
    assert losses(folder)[-1] < losses(folder)[LOOKS]  # speaking
    assert (folder / "README.md").is_file()
    assert not (folder / base.CHECKPOINT).exists()
    frozen = "model.visual.patch_embed.proj.weight"
    before = load_file(place / "nano" / "model.safetensors")
    after = load_file(folder / "model" / "model.safetensors")
    assert torch.equal(before[frozen], after[frozen])
    assert all(not torch.equal(before[key], after[key]) for key in before if "q_proj" in key)


def from_scratch(place: Path, output: Path) -> Recipe:
    """The same run, begun with a nano that it builds itself."""
    wanted = base_recipe(place, output)
    return wanted.model_copy(update={"model": wanted.model.model_copy(update={"base": base.NANO})})


def test_the_name_nano_builds_one_that_speaks_the_datas_words(place, tmp_path):
    wanted = from_scratch(place, tmp_path / "run")
    train(wanted, dry_run=True)
    built = tmp_path / "run" / "untrained" / "model.safetensors"
    assert built.read_bytes() == (place / "nano" / "model.safetensors").read_bytes()
    before = built.stat().st_mtime_ns
    assert train(wanted, resume=True).steps == STEPS
    assert built.stat().st_mtime_ns == before  # a resumed run goes on with the same tokenizer
    assert losses(tmp_path / "run") == losses(place / "straight")


@pytest.mark.parametrize("torn", ["config.json", "tokenizer.json", "complete.json"])
def test_a_run_killed_while_it_wrote_its_untrained_model_builds_it_anew(place, tmp_path, torn):
    wanted = from_scratch(place, tmp_path / "run")
    train(wanted, dry_run=True)
    (tmp_path / "run" / "untrained" / torn).unlink()
    start, _, _ = base.prepare(wanted, tmp_path / "run", resume=True)
    assert run_folder.is_whole(Path(start))
    assert (Path(start) / "model.safetensors").read_bytes() == (place / "nano" / "model.safetensors").read_bytes()


def test_a_run_stopped_and_resumed_is_the_straight_one(place, tmp_path):
    wanted = base_recipe(place, tmp_path)
    steps, _ = base.train_base(
        wanted, tmp_path, str(place / "nano"), stopped=lambda: run_folder.steps_done(tmp_path) >= 3
    )
    assert steps == 3
    assert (tmp_path / base.CHECKPOINT).is_file()
    assert not (tmp_path / "model").exists()
    assert base.train_base(wanted, tmp_path, str(place / "nano"), resume=True)[0] == STEPS
    assert losses(tmp_path) == losses(place / "straight")
    assert same_weights(tmp_path, place / "straight")


def test_a_run_killed_between_checkpoints_goes_on_from_the_last_one(place, tmp_path):
    """Killed after step 5, with a checkpoint of step 4 and a line of the journal cut short."""
    wanted = base_recipe(place, tmp_path)

    def die() -> None:
        if run_folder.steps_done(tmp_path) == 5:
            raise SystemExit

    with pytest.raises(SystemExit):
        base.train_base(wanted, tmp_path, str(place / "nano"), stopped=die)
    with (tmp_path / run_folder.METRICS).open("a") as journal:
        journal.write('{"step": 6, "lo')
    assert base.train_base(wanted, tmp_path, str(place / "nano"), resume=True)[0] == STEPS
    assert losses(tmp_path) == losses(place / "straight")


def test_ctrl_c_ends_a_base_run_with_a_checkpoint_and_a_sentence(place, tmp_path, monkeypatch):
    wanted = base_recipe(place, tmp_path / "run")
    step = base._step

    def interrupted(state, *args):
        if state.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(state, *args)

    monkeypatch.setattr(base, "_step", interrupted)
    with pytest.raises(Interrupted, match=r"stopped after step 2, nothing is lost; .* --resume") as stopped:
        train(wanted)
    assert stopped.value.exit_code == 130
    monkeypatch.setattr(base, "_step", step)
    with pytest.raises(RecipeError, match="holds a run that was stopped; continue it with --resume"):
        train(wanted)
    assert train(wanted, resume=True).steps == STEPS
    assert losses(tmp_path / "run") == losses(place / "straight")


def test_a_loss_that_is_no_number_ends_the_run_in_a_sentence(place, tmp_path):
    wanted = base_recipe(place, tmp_path)
    wild = wanted.model_copy(update={"optim": wanted.optim.model_copy(update={"learning_rate": 1e30})})
    with pytest.raises(
        CropReasoningError, match=r"the loss is (nan|inf), expected a number; lower optim\.learning_rate"
    ):
        base.train_base(wild, tmp_path, str(place / "nano"))


# --- before training


def test_a_base_run_keeps_what_was_checked(place):
    found = (place / "straight" / run_folder.PREFLIGHT).read_text()
    assert "| photos | 12 files" in found
    assert "all sha256 agree" in found
    for check in ("versions", "model", "disk", "data"):
        assert f"| {check} | " in found


def test_photos_that_changed_since_their_records_end_a_base_run_before_it_begins(place, tmp_path):
    data = Path(shutil.copytree(place / "data", tmp_path / "data"))
    photos = [data / record.image.path for record in read_records(data)[:2]]
    shutil.copy(photos[1], photos[0])  # a whole photo, and of the same size, but another one
    with pytest.raises(DataError, match=rf"1 of 12 photos cannot be used: {photos[0]} \(changed\)"):
        train(base_recipe(place, tmp_path / "run", data))
    assert not (tmp_path / "run").exists()


def test_a_base_run_on_an_empty_split_is_refused(place, tmp_path):
    wanted = base_recipe(place, tmp_path / "run")
    wanted = wanted.model_copy(update={"data": wanted.data.model_copy(update={"split": "val"})})
    with pytest.raises(DataError, match="split val holds nothing to train base on"):
        train(wanted)


def test_a_base_run_that_would_fill_the_disk_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(EnvironmentProblem, match="3 checkpoints need about"):
        train(base_recipe(place, tmp_path / "run"))


def test_several_processes_are_refused_before_base_training_writes_anything(place, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="method base trains in one process, got several; leave --accelerate out"):
        train(base_recipe(place, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_base_training_follows_the_recipes_pixel_budget(place, tmp_path):
    wanted = base_recipe(place, tmp_path)
    small = wanted.model_copy(update={"model": wanted.model.model_copy(update={"max_pixels": 10_000})})
    base.train_base(small, tmp_path, str(place / "nano"))
    assert vision_budget(load_processor(tmp_path / "model", FAMILY), FAMILY).max_pixels == 10_000


def test_base_training_says_that_it_leaves_the_gpu_idle(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    base.train_base(base_recipe(place, tmp_path), tmp_path, str(place / "nano"), stopped=lambda: True)
    assert "the GPU of this machine stays idle" in capsys.readouterr().err


def test_a_base_run_shorter_than_a_batch_makes_one_step_that_looking_must_not_take(place, tmp_path):
    wanted = base_recipe(place, tmp_path / "run")
    optim = wanted.optim.model_copy(update={"steps": None, "epochs": 0.01})
    short = wanted.model_copy(update={"optim": optim})
    with pytest.raises(
        RecipeError, match=r"look_steps: got 2, expected fewer than all steps, which are 1 for 12 photos"
    ):
        train(short)
    assert train(short.model_copy(update={"base": None})).steps == 1
