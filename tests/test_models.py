"""Models: names resolve, weights that do not fit refuse, the speed-ups are exact, and nano is a standard checkpoint."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from crop_reasoning.errors import ModelError
from crop_reasoning.models import nano
from crop_reasoning.models.adapters import attach, merge
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.models.loading import ModelSource, load_model, resolve
from crop_reasoning.models.pixels import patchify
from crop_reasoning.models.processors import load_processor
from crop_reasoning.models.speedups import speed_up_vision
from crop_reasoning.training.trl_backend import lora_config
from tests import tiny
from tests.test_rationale import GOLDEN_TEXT
from tests.tiny_runs import FAMILY_NAMES

BOTH = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
GRIDS = pytest.mark.parametrize(
    "grids", [[(2, 3)] * 3, [(2, 3), (3, 2), (1, 6)], [(2, 3), (3, 2), (2, 4)]], ids=["equal", "turned", "unequal"]
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> Path:
    """A folder with a tiny model of each family, by its name, and an adapter of each, `<name>-lora`."""
    root = tmp_path_factory.mktemp("models")
    for name in FAMILY_NAMES:
        tiny.save(name, root / name)
        write_adapter(root / name, root / f"{name}-lora")
    return root


def write_adapter(base: Path, folder: Path) -> Path:
    """An adapter with random weights in both factors, saved with the processor as a run saves it."""
    from peft import get_peft_model

    from crop_reasoning.training.recipe import LoraOptions

    model, processor, family = load_model(str(base))
    torch.manual_seed(1)
    tuned = get_peft_model(model, lora_config(LoraOptions(rank=4), family))
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    tuned.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def photos(family, grids: list[tuple[int, int]]) -> list[np.ndarray]:
    """Noise images of so many (rows, columns) of visual tokens."""
    rng, side = np.random.default_rng(0), family.resize_factor
    return [rng.integers(0, 255, (rows * side, columns * side, 3), dtype=np.uint8) for rows, columns in grids]


def inputs_of(family, grids: list[tuple[int, int]]):
    """A left-padded batch of one conversation a photo, as the processor makes it."""
    processor = tiny.build_processor(family)
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Crop this photo."}]}
    text = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
    images = [[Image.fromarray(pixels)] for pixels in photos(family, grids)]
    return processor(text=[text] * len(images), images=images, return_tensors="pt", padding=True, padding_side="left")


# --- exact shortcuts


@BOTH
@GRIDS
def test_the_speed_ups_equal_the_stock_forward_and_its_gradients(family, grids):
    batch = inputs_of(family, grids)
    stock, fast = tiny.build_model(family), tiny.build_model(family)
    speed_up_vision(fast)
    results = []
    for model in (stock, fast):
        logits = model(**batch).logits
        logits.square().mean().backward()
        results.append((logits, {name: weight.grad for name, weight in model.named_parameters()}))
    (expected, gradients), (logits, fast_gradients) = results
    assert (logits - expected).abs().max() < 1e-5
    seen = [name for name in gradients if "visual" in name and gradients[name] is not None]
    assert any("patch_embed" in name for name in seen)
    assert any("qkv" in name for name in seen)
    scale = max(float(gradients[name].abs().max()) for name in seen)
    for name, gradient in gradients.items():
        if gradient is not None:
            assert (fast_gradients[name] - gradient).abs().max() < 1e-5 * scale, name


def test_the_speed_ups_change_neither_the_weights_nor_the_saved_form(tmp_path):
    model = tiny.build_model(FAMILIES["qwen3_vl"])
    model.save_pretrained(tmp_path / "before")
    speed_up_vision(model)
    model.save_pretrained(tmp_path / "after")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("before", "after"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@BOTH
def test_patches_are_exactly_the_processors(family):
    processor = tiny.build_processor(family).image_processor
    for grid in ((3, 3), (3, 5), (7, 2)):
        images = np.stack(photos(family, [grid] * 2))
        pixels, grids = patchify(images, processor)
        theirs = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt")
        assert torch.equal(grids, theirs["image_grid_thw"])
        assert pixels.shape == theirs["pixel_values"].shape
        assert torch.equal(pixels, theirs["pixel_values"])


# --- what is refused


@BOTH
def test_an_adapter_changes_the_logits_and_merges_into_the_same(bases, family):
    batch = inputs_of(family, [(2, 3), (3, 2)])
    base, _, _ = load_model(str(bases / family.model_type))
    tuned, _, _ = load_model(str(bases / family.model_type), str(bases / f"{family.model_type}-lora"))
    with torch.inference_mode():
        plain, adapted = base(**batch).logits, tuned(**batch).logits
        merged = merge(tuned)(**batch).logits
    assert (adapted - plain).abs().max() > 1e-3
    assert (merged - adapted).abs().max() < 1e-4


def changed_adapter(bases: Path, tmp_path: Path, change) -> Path:
    """A copy of the Qwen3-VL adapter whose weights `change` rewrites."""
    folder = shutil.copytree(bases / "qwen3_vl-lora", tmp_path / "changed")
    path = folder / "adapter_model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path)
    return folder


CHANGES = {
    "renamed": lambda weights: {key.replace("language_model", "text"): value for key, value in weights.items()},
    "one renamed": lambda weights: {key.replace("layers.1.mlp.up", "layers.9.mlp.up"): v for key, v in weights.items()},
    "one missing": lambda weights: dict(list(weights.items())[1:]),
    "wider": lambda weights: {k: v.repeat(1, 2) if "lora_A" in k else v for k, v in weights.items()},
    "without effect": lambda weights: {k: v * (0 if "lora_B" in k else 1) for k, v in weights.items()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_adapter_that_does_not_fit_or_does_nothing_is_refused(bases, tmp_path, change):
    folder = changed_adapter(bases, tmp_path, CHANGES[change])
    said = "all lora_B weights are 0" if change == "without effect" else "fit"
    with pytest.raises(ModelError, match=said):
        load_model(str(bases / "qwen3_vl"), str(folder))


@pytest.mark.parametrize("factor", ["lora_A", "lora_B"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_an_adapter_with_weights_that_are_no_numbers_is_refused(bases, tmp_path, number, factor):
    def spoil(weights):
        name = next(key for key in weights if factor in key)
        weights[name][0, 0] = number
        return weights

    folder = changed_adapter(bases, tmp_path, spoil)
    with pytest.raises(
        ModelError, match=rf"1 of \d+ weights hold NaN or infinity, first '.*{factor}.*', expected finite"
    ):
        load_model(str(bases / "qwen3_vl"), str(folder))


@pytest.mark.parametrize(("own", "other"), [FAMILY_NAMES, FAMILY_NAMES[::-1]])
def test_an_adapter_of_another_family_is_refused_though_every_shape_fits(bases, own, other):
    with pytest.raises(ModelError, match=rf"was tuned with a {FAMILIES[own].processor_class}, .*{other} takes a "):
        load_model(str(bases / other), str(bases / f"{own}-lora"))


def test_a_torn_adapter_is_refused(bases, tmp_path):
    folder = shutil.copytree(bases / "qwen3_vl-lora", tmp_path / "torn")
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors: cannot be read .* was the copy cut short\?"):
        load_model(str(bases / "qwen3_vl"), str(folder))
    path.unlink()
    with pytest.raises(ModelError, match="expected a LoRA adapter"):
        attach(tiny.build_model(FAMILIES["qwen3_vl"]), folder)


def drop_weights(folder: Path, count: int) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(dict(list(weights.items())[count:]), folder / "model.safetensors", {"format": "pt"})


FAULTS = {
    "torn": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:9999]),
        r"cannot be loaded \(.*\); was the copy cut short\?",
    ),
    "gone": (lambda folder: (folder / "model.safetensors").unlink(), "cannot be loaded"),
    "incomplete": (lambda folder: drop_weights(folder, 2), "weights of a qwen3_vl are not in its files"),
    "another family's": (
        lambda folder: shutil.copy(folder.parent / "other" / "model.safetensors", folder),
        "weights of a qwen3_vl are not in its files or of another shape",
    ),
    "without tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "holds no tokenizer"),
    "without processor": (lambda folder: (folder / "processor_config.json").unlink(), "its processor cannot be loaded"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_base_that_is_not_whole_is_refused(bases, tmp_path, fault):
    folder = shutil.copytree(bases / "qwen3_vl", tmp_path / "base")
    shutil.copytree(bases / "qwen2_5_vl", tmp_path / "other")
    spoil, said = FAULTS[fault]
    spoil(folder)
    with pytest.raises(ModelError, match=said):
        load_model(str(folder))


# --- names


def a_run(folder: Path, prompt: str | None = "crop-brief/1") -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(f"method: sft\n{f'prompt: {prompt}' if prompt else ''}\n")
    return folder


def test_every_kind_of_folder_resolves(bases, tmp_path):
    base, adapter = str(bases / "qwen3_vl"), bases / "qwen3_vl-lora"
    assert resolve(base) == ModelSource(base, None, None)
    assert resolve(adapter) == ModelSource(base, str(adapter), None)
    tuned = a_run(tmp_path / "tuned")
    shutil.copytree(adapter, tuned / "adapter")
    assert resolve(tuned) == ModelSource(base, str(tuned / "adapter"), "crop-brief/1")
    whole = a_run(tmp_path / "whole", prompt=None)
    shutil.copytree(base, whole / "model")
    assert resolve(whole) == ModelSource(str(whole / "model"), None, None)
    assert resolve("Qwen/Qwen3-VL-8B-Instruct") == ModelSource("Qwen/Qwen3-VL-8B-Instruct", None, None)


def test_what_is_no_model_is_refused_by_name(bases, tmp_path):
    with pytest.raises(ModelError, match="the run has neither adapter/ nor model/ yet; finish it with --resume"):
        resolve(a_run(tmp_path / "unfinished"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="expected a run or a model"):
        resolve(tmp_path / "empty")
    for name in (tmp_path / "gone", tmp_path / "gone" / "deeper", "gone", "a/b/c"):
        with pytest.raises(ModelError, match=f"{name}: no such folder; expected a run, a model or an adapter folder"):
            resolve(name)
    with pytest.raises(ModelError, match="no such folder"):
        resolve(bases / "qwen3_vl" / "config.json")


def test_a_run_that_was_moved_with_its_base_still_finds_it(bases, tmp_path, monkeypatch):
    shutil.copytree(bases / "qwen3_vl", tmp_path / "there" / "runs" / "base" / "model")
    run = a_run(tmp_path / "there" / "runs" / "sft")
    adapter = shutil.copytree(bases / "qwen3_vl-lora", run / "adapter")
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "runs/base/model"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path / "there")
    assert resolve("runs/sft").base == "runs/base/model"
    monkeypatch.chdir(tmp_path)
    assert resolve("there/runs/sft").base == str(tmp_path / "there/runs/base/model")


def a_locked_run(bases: Path, root: Path) -> tuple[Path, Path]:
    """A base and a run on it, with the hashes that training writes."""
    from crop_reasoning.training import run_folder
    from crop_reasoning.training.recipe import Recipe

    base = Path(shutil.copytree(bases / "qwen3_vl", root / "base"))
    run = a_run(root / "run")
    adapter = Path(shutil.copytree(bases / "qwen3_vl-lora", run / "adapter"))
    config = json.loads((adapter / "adapter_config.json").read_text()) | {"base_model_name_or_path": "base"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (root / "records.jsonl").touch()
    wanted = Recipe.model_validate(
        {
            "method": "base",
            "model": {"base": "base"},
            "data": {"folder": str(root)},
            "optim": {"learning_rate": 0.1, "batch_size": 1, "steps": 1},
            "output": "run",
        }
    )
    hashes = run_folder.data_hashes(wanted, base, adapter)
    locked = {name.replace(str(root), "trained/elsewhere"): digest for name, digest in hashes.items()}
    (run / run_folder.DATA).write_text(json.dumps(locked))
    return base, run


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_run_whose_base_changed_since_it_was_trained_is_refused(bases, tmp_path, monkeypatch, file):
    base, run = a_locked_run(bases, tmp_path)
    assert resolve(run).base == str(base)
    changed = bytearray((base / file).read_bytes())
    changed[-2] ^= 1
    (base / file).write_bytes(changed)
    with pytest.raises(ModelError, match=rf"trained on another .*base: {file} is not the one of data\.lock"):
        resolve(run)
    monkeypatch.setattr("crop_reasoning.models.loading.MOST_HASHED_BYTES", 1)
    assert resolve(run).base == str(base)  # too large to be hashed at every load


def test_a_run_without_hashes_of_its_base_is_not_compared_and_torn_ones_are_a_sentence(bases, tmp_path):
    base, run = a_locked_run(bases, tmp_path)
    (run / "data.lock").write_text('{"data/records.jsonl": "0"}')
    assert resolve(run).base == str(base)
    (run / "data.lock").write_text('{"data/rec')
    with pytest.raises(ModelError, match=r"data\.lock: cannot be read .* was the copy cut short"):
        resolve(run)
    (run / "data.lock").unlink()
    assert resolve(run).base == str(base)


# --- nano


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """An untrained nano."""
    return nano.build(tmp_path_factory.mktemp("nano") / "model", [*tiny.CORPUS, GOLDEN_TEXT])


def test_nano_is_a_standard_checkpoint_that_the_stock_class_loads(small):
    from transformers import AutoModelForImageTextToText, Qwen3VLForConditionalGeneration

    stock, found = AutoModelForImageTextToText.from_pretrained(small, output_loading_info=True)
    assert type(stock) is Qwen3VLForConditionalGeneration
    assert not found["missing_keys"]
    assert not found["unexpected_keys"]
    assert 1e6 < sum(parameter.numel() for parameter in stock.parameters()) < 5e6
    ours, processor, family = load_model(str(small))
    assert family is FAMILIES["qwen3_vl"]
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Crop this photo."}]}
    text = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
    image = Image.fromarray(photos(family, [(4, 3)])[0])
    batch = processor(text=[text], images=[[image]], return_tensors="pt")
    assert batch["image_grid_thw"].tolist() == [[1, 8, 6]]
    with torch.inference_mode():
        assert (stock(**batch).logits - ours(**batch).logits).abs().max() < 1e-5


def test_each_integer_of_nano_is_one_token_and_any_text_comes_back(small):
    tokenizer = load_processor(small, FAMILIES["qwen3_vl"]).tokenizer
    ids = [tokenizer(str(value), add_special_tokens=False).input_ids for value in range(1001)]
    assert all(len(one) == 1 for one in ids)
    assert len({one[0] for one in ids}) == 1001
    rng = random.Random(0)
    numbers = re.sub(r"\d+", lambda _: str(rng.randrange(2000)), GOLDEN_TEXT)
    for text in (GOLDEN_TEXT, numbers, "007 1000 1001 12345", "étoile 裁剪 🌄\n\n", " two  spaces ", "[0,1000,999,10]"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_nano_depends_on_its_seed_and_corpus_alone(small, tmp_path):
    again = nano.build(tmp_path / "again", [*tiny.CORPUS, GOLDEN_TEXT])
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (again / name).read_bytes() == (small / name).read_bytes()


STOCK_PROCESSOR = """
import sys, torch
try:
    import torchvision
except RuntimeError:  # its CUDA build beside CPU torch: declare the two operators that it only names
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
import numpy, transformers
processor = transformers.AutoProcessor.from_pretrained(sys.argv[1])
assert type(processor) is transformers.Qwen3VLProcessor
image = numpy.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=numpy.uint8)
numpy.save(sys.argv[2], processor.image_processor(images=[image], return_tensors="pt")["pixel_values"].numpy())
"""


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_the_stock_processor_loads_nano_and_makes_the_same_pixels(small, tmp_path):
    subprocess.run([sys.executable, "-c", STOCK_PROCESSOR, str(small), str(tmp_path / "theirs.npy")], check=True)
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    ours, _ = patchify(image[None], load_processor(small, FAMILIES["qwen3_vl"]).image_processor)
    assert np.abs(np.load(tmp_path / "theirs.npy") - ours.numpy()).max() < 1e-5
