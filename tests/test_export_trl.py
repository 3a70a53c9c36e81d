"""`data export trl`: stock TRL trains on it as it is, and sees what our own training sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from crop_reasoning.cli.data import app
from crop_reasoning.errors import CropReasoningError
from crop_reasoning.images import load_upright, resize_to_plan
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.rationale import Parsed, parse
from crop_reasoning.records import read_pairs, read_records
from crop_reasoning.training import samples
from data_builders.export_trl import export_trl
from tests import tiny
from tests.tiny_runs import FAMILY_NAMES, make_place, recipe

BOTH = pytest.mark.parametrize("family", FAMILY_NAMES)


def run(*args: str | Path | int) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, args)])


def refused(*args: str | Path | int) -> str:
    problem = run(*args).exception
    assert isinstance(problem, CropReasoningError), repr(problem)
    return str(problem)


def loaded(out: Path, name: str) -> Any:
    from datasets import load_dataset

    return load_dataset(str(out), name, split="train", cache_dir=str(out.parent / "cache"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small data set, a tiny model of each family, and `trl-<family>`: the export for each."""
    root = make_place(tmp_path_factory.mktemp("trl"))
    for name in FAMILY_NAMES:
        result = run("trl", root / "data", "--model", root / name, "--out", root / f"trl-{name}")
        assert result.exit_code == 0, result.exception
    return root


@BOTH
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_stock_trl_batches_of_the_export_equal_those_of_our_training(place: Path, family: str, method: str) -> None:
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from crop_reasoning.training.batches import Samples, collator

    processor = tiny.build_processor(FAMILIES[family])
    rows = list(loaded(place / f"trl-{family}", method).select(range(3)))
    theirs: Any = DataCollatorForVisionPreference(processor)
    if method == "sft":
        theirs = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    theirs = theirs(rows)
    wanted = recipe(place, place / "none", family, **({"adapter": "x"} if method == "dpo" else {}))
    read = samples.read_samples(wanted, FAMILIES[family], tiny.budget(FAMILIES[family]))
    dataset = Samples(samples.encode(read, processor))
    ours = collator(processor, method)([dataset[index] for index in range(3)])
    assert [row["id"] for row in rows] == [one.id for one in read[:3]]
    assert torch.equal(theirs["pixel_values"], ours["pixel_values"])
    assert torch.equal(theirs["image_grid_thw"], ours["image_grid_thw"])
    kept = ours["attention_mask"].bool()  # our rejected answers end with the box, whole ones go on
    assert torch.equal(theirs["input_ids"][:, : kept.shape[1]][kept], ours["input_ids"][kept])
    if method == "sft":
        assert torch.equal(theirs["labels"], ours["labels"])


@BOTH
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_step_of_the_stock_trainer_runs_on_it(place: Path, tmp_path: Path, family: str, method: str) -> None:
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    trainers: dict[str, tuple[Any, Any]] = {"sft": (SFTTrainer, SFTConfig), "dpo": (DPOTrainer, DPOConfig)}
    trainer_class, config_class = trainers[method]
    options = {"max_length": None, "max_steps": 1, "per_device_train_batch_size": 2, "report_to": []}
    cpu = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "disable_tqdm": True}
    trainer = trainer_class(
        model=str(place / family) if method == "dpo" else tiny.build_model(FAMILIES[family]),
        args=config_class(output_dir=str(tmp_path), save_strategy="no", **options, **cpu),
        train_dataset=loaded(place / f"trl-{family}", method),
        processing_class=tiny.build_processor(FAMILIES[family]),
    )
    assert method == "dpo" or trainer.data_collator.completion_only_loss  # by default, because of the columns
    loss = trainer.train().training_loss
    assert loss == pytest.approx(0.6931, abs=1e-3) if method == "dpo" else 3 < loss < 9


@BOTH
def test_coordinates_and_photos_are_those_of_the_familys_plan(place: Path, family: str) -> None:
    out, kind = place / f"trl-{family}", FAMILIES[family]
    records = {record.id: record for record in read_records(place / "data")}
    for row in loaded(out, "sft"):
        record = records[row["id"]]
        plan = samples.plan_image(record.image.wh, tiny.budget(kind))
        (image,) = row["images"]
        assert isinstance(image, Image.Image)
        upright = load_upright(place / "data" / record.image.path)
        assert image.tobytes() == resize_to_plan(upright, plan).tobytes()
        found = parse(row["completion"][0]["content"][0]["text"], kind.codec, plan)
        assert isinstance(found, Parsed)
        sides = kind.codec(plan)
        assert found.box.xyxy == pytest.approx(record.best.xyxy, abs=0.5 / min(sides) + 1e-9)
    for row, pair in zip(loaded(out, "dpo"), read_pairs(place / "data"), strict=True):
        plan = samples.plan_image(records[pair.record_id].image.wh, tiny.budget(kind))
        for side, box in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            found = parse(row[side][0]["content"][0]["text"], kind.codec, plan)
            assert isinstance(found, Parsed)
            assert found.box.xyxy == pytest.approx(box.xyxy, abs=0.5 / min(kind.codec(plan)) + 1e-9)


@BOTH
def test_family_budget_and_prompt_stand_in_manifest_and_card(place: Path, family: str) -> None:
    out = place / f"trl-{family}"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["family"] == family
    assert manifest["budget"] == {
        "family": family,
        "factor": FAMILIES[family].resize_factor,
        "min_pixels": tiny.MIN_SIDE**2,
        "max_pixels": tiny.MAX_SIDE**2,
    }
    assert manifest["counts"] == {"sft": {"train": 6}, "dpo": {"train": 6}}
    card = (out / "README.md").read_text()
    assert f"Family: `{family}`" in card
    assert "Licences: CC0-1.0." in card
    assert f"{tiny.MIN_SIDE**2} to {tiny.MAX_SIDE**2}" in card
    assert ("coordinates are wrong" in card) == (family == "qwen2_5_vl")
    assert str(place) not in card + json.dumps(manifest)


def test_a_family_with_its_budget_gives_the_bytes_that_its_model_gives(place: Path, tmp_path: Path) -> None:
    bounds = ("--min-pixels", tiny.MIN_SIDE**2, "--max-pixels", tiny.MAX_SIDE**2)
    assert run("trl", place / "data", "--family", "qwen3_vl", *bounds, "--out", tmp_path / "out").exit_code == 0
    for path in (path for path in (place / "trl-qwen3_vl").rglob("*") if path.is_file()):
        assert (tmp_path / "out" / path.relative_to(place / "trl-qwen3_vl")).read_bytes() == path.read_bytes()


def test_the_two_sets_share_the_photos_on_disk(place: Path) -> None:
    photos = sorted((place / "trl-qwen3_vl" / "sft" / "train").glob("*.png"))
    assert len(photos) == 6
    for path in photos:
        assert path.samefile(place / "trl-qwen3_vl" / "dpo" / "train" / path.name)


def test_without_a_family_or_a_budget_it_stops(place: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "expected one of --run, --model and --family" in refused("trl", place / "data", *out)
    assert "expected --min-pixels and --max-pixels" in refused("trl", place / "data", "--family", "qwen3_vl", *out)
    assert "expected one of qwen2_5_vl, qwen3_vl" in refused(
        "trl", place / "data", "--family", "llava", "--min-pixels", 1, "--max-pixels", 9, *out
    )
    assert "--prompt x: expected one of" in refused(
        "trl", place / "data", "--family", "qwen3_vl", "--prompt", "x", *out
    )
    assert "trl takes no --image-root" in refused("trl", place / "data", "--image-root", tmp_path, *out)
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_of_an_export_that_fails_and_nothing_is_overwritten(place: Path, tmp_path: Path) -> None:
    from tests.tiny_runs import make_data

    make_data(tmp_path / "data")
    family = FAMILIES["qwen3_vl"]
    budget = tiny.budget(family)
    changed = tmp_path / "data" / "images" / "3.png"
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(CropReasoningError, match=r"1 of 6 photos cannot be used: .*3.png \(changed\)"):
        export_trl(tmp_path / "data", tmp_path / "out", family, budget, "crop-brief/1")
    changed.unlink()
    with pytest.raises(CropReasoningError, match=r"1 of 6 photos are missing: images/3.png"):
        export_trl(tmp_path / "data", tmp_path / "out", family, budget, "crop-brief/1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
    with pytest.raises(CropReasoningError, match="is there already; choose another --out"):
        export_trl(place / "data", place / "trl-qwen3_vl", family, budget, "crop-brief/1")
