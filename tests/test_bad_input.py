"""What a newcomer does wrong, tried through the real command line: one sentence, the right exit code, nothing lost.

Every case here once ended in a traceback, in a wrong sentence, or well when it should not have.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crop_reasoning.training import run_folder
from crop_reasoning.training.recipe import Recipe, as_yaml
from tests.test_cli import call, refused
from tests.tiny_runs import losses, make_place, recipe


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("bad"))


def written(wanted: Recipe, tmp_path: Path) -> Path:
    path = tmp_path / f"{Path(wanted.output).name}.yaml"
    path.write_text(as_yaml(wanted))
    return path


def base_recipe(place: Path, output: Path, base: str, data: Path | None = None) -> Recipe:
    values: dict[str, Any] = {
        "method": "base",
        "model": {"base": base},
        "data": {"folder": str(data or place / "data")},
        "optim": {"learning_rate": 0.001, "batch_size": 2, "steps": 2},
        "output": str(output),
        "log_steps": 1,
    }
    return Recipe.model_validate(values)


def spoil_photo(data: Path, wh: tuple[int, int]) -> Path:
    """Replace the first photo by one of another size that its record agrees with; its path."""
    lines = [json.loads(line) for line in (data / "records.jsonl").read_text().splitlines()]
    photo = data / lines[0]["image"]["path"]
    Image.new("RGB", wh).save(photo)
    lines[0]["image"] |= {"wh": list(wh), "sha256": hashlib.sha256(photo.read_bytes()).hexdigest()}
    (data / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return photo


def test_a_photo_that_no_model_takes_is_named(place: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(place / "data", tmp_path / "data"))
    photo = spoil_photo(data, (900, 2))
    sft = recipe(place, tmp_path / "sft", data__folder=str(data))
    assert "sample noise-0: an image of 900x2 px" in refused(3, "train", written(sft, tmp_path))
    base = base_recipe(place, tmp_path / "base", str(place / "qwen3_vl"), data)
    assert f"{photo}: an image of 900x2 px" in refused(3, "train", written(base, tmp_path))


def test_a_base_run_that_a_bad_photo_ended_starts_again_once_it_is_mended(place: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(place / "data", tmp_path / "data"))
    photo = data / "images" / "5.png"
    whole = photo.read_bytes()
    photo.write_bytes(whole[:300])
    path = written(base_recipe(place, tmp_path / "run", "nano", data), tmp_path)
    assert f"1 of 6 photos cannot be used: {photo} (changed)" in refused(3, "train", path)
    photo.write_bytes(whole)
    assert call("train", path)[0] == 0
    assert len(losses(tmp_path / "run")) == 2
    assert "holds a finished run" in refused(2, "train", path)


def test_a_base_run_that_is_killed_while_it_saves_has_not_ended(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = base_recipe(place, tmp_path / "run", str(place / "qwen3_vl"))
    path = written(wanted, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert "continue with --resume" in refused(130, "train", path)
    assert call("train", path, "--resume")[0] == 0
    assert (tmp_path / "run" / run_folder.MODEL / "processor_config.json").is_file()


def test_base_training_continues_a_model_not_an_adapter_and_does_not_ask_the_network(
    place: Path, tmp_path: Path
) -> None:
    def begun_from(name: str) -> str:
        return refused(3, "train", written(base_recipe(place, tmp_path / "run", name), tmp_path))

    assert "no such folder" in begun_from("runs/none/model")
    assert call("train", written(recipe(place, tmp_path / "sft", optim__steps=2), tmp_path))[0] == 0
    assert "is an adapter's run; name its base" in begun_from(str(tmp_path / "sft"))


def test_a_loss_that_is_no_number_ends_the_run_and_is_not_saved(place: Path, tmp_path: Path) -> None:
    wanted = recipe(place, tmp_path / "run", optim__learning_rate=1e30, save_steps=1)
    err = refused(1, "train", written(wanted, tmp_path))
    assert "is nan, expected a number; start again with a lower optim.learning_rate" in err
    assert not (tmp_path / "run" / run_folder.ADAPTER).exists()
    assert all(loss == loss for loss in losses(tmp_path / "run"))


def test_an_evaluation_renews_the_model_card(place: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert call("train", written(recipe(place, run, optim__steps=2), tmp_path))[0] == 0
    assert "Not evaluated yet" in (run / run_folder.CARD).read_text()
    assert call("evaluate", "--data", place / "data", "--split", "train", "--limit", "1", "--run", run)[0] == 0
    card = (run / run_folder.CARD).read_text()
    assert "eval/data-train/report.md" in card
    assert "| whole image | 1 |" in card


@pytest.mark.parametrize(
    "words",
    [
        ("data", "build", "toy", "--out", "{}/file/toy", "--train", "1", "--val", "0", "--test", "0"),
        ("data", "show", "{}/data", "--out", "{}/file/sheet.png"),
        ("predict", "--data", "{}/data", "--split", "train", "--baseline", "whole_image", "--out", "{}/file/p.jsonl"),
        ("evaluate", "--data", "{}/data", "--split", "train", "--baseline", "whole_image", "--out", "{}/file"),
        ("train", "{}/good.yaml", "--output", "{}/file/run"),
    ],
    ids=lambda words: words[0],
)
def test_a_file_where_a_folder_is_needed_is_one_sentence(place: Path, words: tuple[str, ...]) -> None:
    (place / "file").write_text("precious")
    (place / "good.yaml").write_text(as_yaml(recipe(place, place / "unused")))
    err = refused(4, *(word.format(place) for word in words))
    assert str(place / "file") in err
    assert "your rights" in err
    assert (place / "file").read_text() == "precious"


def test_a_recipe_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(b"method: sft\xff\xfe")
    assert "not YAML: 'utf-8' codec can't decode" in refused(2, "recipe", "check", tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("adapter/adapter_config.json", "adapter_config.json: cannot be read"),
        ("recipe.yaml", "recipe.yaml: is no recipe"),
    ],
)
def test_a_torn_file_of_a_run_is_one_sentence(place: Path, tmp_path: Path, file: str, said: str) -> None:
    run = tmp_path / "run"
    (run / "adapter").mkdir(parents=True)
    (run / "recipe.yaml").write_text("method: sft\n")
    (run / "adapter" / "adapter_config.json").write_text("{}")
    (run / file).write_text('{"base_model')
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert said in refused(3, "crop", tmp_path / "a.png", "--run", run)


def test_base_training_on_several_processes_is_refused_before_they_start(place: Path, tmp_path: Path) -> None:
    path = written(base_recipe(place, tmp_path / "run", "nano"), tmp_path)
    assert "method base trains in one process" in refused(2, "train", path, "--accelerate", "cpu")
    assert not (tmp_path / "run").exists()


WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None  # as if it were not installed
from crop_reasoning import quickstart
from crop_reasoning.cli.main import main
quickstart.SCENES = {}  # they are drawn first, which takes a while and no model
main()
"""


@pytest.mark.parametrize("package", ["torch", "transformers", "peft"])
@pytest.mark.parametrize(
    "words",
    [
        ("crop", "{0}/a.png", "--run", "{0}/run"),
        ("predict", "--data", "{1}/data", "--split", "train", "--run", "{0}/run", "--out", "{0}/p.jsonl"),
        ("train", "{0}/sft.yaml"),
        ("train", "{0}/sft.yaml", "--accelerate", "cpu"),
        ("quickstart", "--out", "{0}/quickstart"),
    ],
    ids=" ".join,
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    place: Path, tmp_path: Path, words: tuple[str, ...], package: str
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "run").symlink_to(place / "qwen3_vl")
    written(recipe(place, tmp_path / "sft"), tmp_path)
    command = [sys.executable, "-c", WITHOUT, package, *(word.format(tmp_path, place) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert (
        f"needs {package}, not installed here; in the project's folder run: pip install -c constraints" in done.stderr
    )
    assert '-e ".[train]"' in done.stderr
    assert not (tmp_path / "sft").exists()
