"""The command line as a whole: light help, one sentence for what goes wrong, exit codes, JSON for programs."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from crop_reasoning import __version__
from crop_reasoning.cli import main as command_line
from tests.servers import photo
from tests.tiny_runs import make_data

HEAVY = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "fastapi",
    "uvicorn",
    "openai",
    "PIL",
    "numpy",
    "cv2",
)
RECIPE = """\
method: sft
model: {{base: {root}/model}}
data: {{folder: {root}/data}}
lora: {{rank: 4}}
optim: {{learning_rate: 1e-3, batch_size: 2, steps: 2}}
output: {root}/run
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, a photo, a recipe, and a folder that holds no model."""
    root = tmp_path_factory.mktemp("cli")
    make_data(root / "data")
    (root / "a.jpg").write_bytes(photo())
    (root / "good.yaml").write_text(RECIPE.format(root=root))
    (root / "typo.yaml").write_text(RECIPE.format(root=root).replace("learning_rate", "learning_rte"))
    (root / "model").mkdir()
    (root / "torn").mkdir()
    (root / "torn" / "config.json").write_text('{"model_type": "qwen3_vl"')
    return root


def call(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the installed command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["crop-reasoning", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            command_line.main()
    return int(left.value.code or 0), out.getvalue(), err.getvalue()


def verbs(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every verb with those it stands under."""
    command = command or get_command(command_line.app)
    if not hasattr(command, "commands"):
        yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


def refused(code: int, *arguments: object) -> str:
    """The sentence a refusal comes with, without a traceback and with nothing on stdout."""
    left, out, err = call(*arguments)
    assert left == code, err
    assert out == ""
    assert "Traceback" not in err
    return err


# --- help


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["train", "--help"], ["analyse", "--help"], ["data", "build", "--help"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys\nfrom crop_reasoning.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("verb", list(verbs()), ids=" ".join)
def test_every_verb_has_help_with_an_example(verb: tuple[str, ...]) -> None:
    code, out, _ = call(*verb, "--help")
    assert code == 0
    assert f"Example: crop-reasoning {' '.join(verb)}" in " ".join(out.split())


def test_the_verbs_are_those_that_are_promised() -> None:
    promised = "quickstart doctor train predict score evaluate analyse crop chat serve"
    of_data = "build check decontaminate export import pairs rationales show shard split stats tasks"
    grouped = {("data", verb) for verb in of_data.split()}
    grouped |= {("recipe", verb) for verb in ("ls", "check", "show")}
    assert set(verbs()) == {(verb,) for verb in promised.split()} | grouped


def test_version() -> None:
    assert call("--version") == (0, f"{__version__}\n", "")


def test_ctrl_c_has_a_sentence_where_a_verb_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("data_builders.stats.dataset_stats", stop)
    assert call("data", "stats", "x") == (130, "", "crop-reasoning: stopped by hand; run the same command again\n")


# --- what goes wrong


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("crop", "a.jpg", "--ratio", "4:5"), "No such option: --ratio"),
        (("corp", "a.jpg"), "No such command 'corp'"),
        (("train",), "Missing argument 'recipe'"),
        (("train", "{}/good.yaml", "--accelerate", "fsdp3"), "'fsdp3' is not one of"),
        (("data", "build", "toy", "--out", "{}/toy", "--train", "0"), "should be greater than or equal to 1"),
        (("data", "build", "gaicd", "--out", "{}/x"), "expected one of cpc, fcdb, flms"),
        (("data", "build", "toy", "--out", "{}/x", "--copy"), "takes no --copy"),
        (("train", "recipes/nano/stf.yaml"), "did you mean recipes/nano/sft.yaml?"),
        (("train", "{}/typo.yaml"), "did you mean learning_rate?"),
        (("train", "{}/good.yaml", "--set", "optim.steps=many"), "expected a whole number"),
        (("recipe", "show", "{}/none.yaml"), "no such recipe"),
        (("recipe", "check", "{}/typo.yaml"), "did you mean learning_rate?"),
        (("crop", "{}/a.jpg"), "say which model"),
        (("crop", "{}/a.jpg", "--model", "{}/model", "--aspect", "wide"), "expected width:height"),
        (("evaluate", "--data", "{}/data", "--baseline", "whole_image"), "say where the report shall go"),
        (("predict", "--data", "{}/data", "--out", "{}/p.jsonl"), "expected exactly one of"),
        (("predict", "--data", "{}/data", "--model", "a/b", "--out", "{}/p", "--split", "foo"), "'foo' is not one of"),
        (("evaluate", "--data", "{}/data", "--model", "a/b", "--out", "{}/e", "--split", "foo"), "'foo' is not one of"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_that_cannot_be_meant_ends_with_2_and_a_sentence(
    place: Path, words: tuple[str, ...], said: str
) -> None:
    err = refused(2, *(word.format(place) for word in words))
    assert said in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data", "check", "{}/none"), "none/records.jsonl: no such file; build it first"),
        (("data", "stats", "{}/none"), "none/records.jsonl: no such file; build it first"),
        (("data", "build", "fcdb", "--root", "{}/none", "--out", "{}/x"), "no such folder; expected your copy of FCDB"),
        (
            ("score", "--data", "{}/data", "--predictions", "{}/none.jsonl"),
            "none.jsonl: no such file; write it with `crop-reasoning predict`",
        ),
        (("predict", "--data", "{}/data", "--run", "nope/dpo", "--out", "{}/p"), "nope/dpo: no such run folder"),
        (("evaluate", "--data", "{}/data", "--run", "nope/dpo"), "nope/dpo: no such run folder"),
        (("crop", "{}/a.jpg", "--run", "nope/dpo"), "nope/dpo: no such run folder"),
        (("chat", "{}/a.jpg", "--run", "nope/dpo"), "nope/dpo: no such run folder"),
        (("serve", "--run", "nope/dpo"), "nope/dpo: no such run folder"),
        (
            ("predict", "--data", "{}/data", "--baseline", "whole_image", "--out", "{}/p.jsonl"),
            "no record of split 'test'",
        ),
        (("crop", "{}/a.jpg", "--model", "{}/none"), "no such folder; expected a run, a model"),
        (("crop", "{}/a.jpg", "--model", "{}/model"), "expected a run or a model"),
        (("crop", "{}/a.jpg", "--model", "{}/torn"), "torn/config.json: cannot be read"),
        (("crop", "{}/a.jpg", "--run", "{}/model"), "expected a run or a model"),
        (("train", "{}/good.yaml"), "expected a run or a model"),
        (("train", "{}/good.yaml", "--set", "model.base={}/torn"), "torn/config.json: cannot be read"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_data_and_models_that_cannot_be_used_end_with_3_and_a_sentence(
    place: Path, words: tuple[str, ...], said: str
) -> None:
    err = refused(3, *(word.format(place) for word in words))
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_port_in_use_ends_with_4_and_a_sentence(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        err = refused(4, "serve", "--model", place / "model", "--port", taken.getsockname()[1])
    assert "cannot listen there (Address already in use" in err
    assert err.endswith("choose another --port\n")


def test_a_refused_recipe_leaves_no_folder_behind(place: Path) -> None:
    refused(3, "train", place / "good.yaml", "--output", place / "fresh")
    assert not (place / "fresh").exists()


# --- for programs


@pytest.mark.parametrize(
    "words",
    [
        ("doctor",),
        ("recipe", "ls"),
        ("recipe", "check"),
        ("recipe", "show", "recipes/nano/sft.yaml"),
        ("data", "check", "{}/data"),
        ("data", "stats", "{}/data"),
        ("data", "show", "{}/data", "--out", "{}/sheet.png", "--n", "2"),
    ],
    ids=" ".join,
)
def test_json_is_one_document(place: Path, words: tuple[str, ...]) -> None:
    code, out, _ = call(*(word.format(place) for word in words), "--json")
    assert json.loads(out)
    assert code in ((0, 4) if words == ("doctor",) else (0,))


def test_json_is_one_document_even_where_faults_are_found(place: Path) -> None:
    (place / "broken").mkdir()
    (place / "broken" / "records.jsonl").write_text("{}\n")
    code, out, err = call("data", "check", place / "broken", "--json")
    assert code == 3
    assert json.loads(out)["problems"]
    assert "Traceback" not in err
    code, out, _ = call("recipe", "check", place / "good.yaml", place / "typo.yaml", "--json")
    assert code == 2
    assert list(json.loads(out)["refused"]) == [str(place / "typo.yaml")]
