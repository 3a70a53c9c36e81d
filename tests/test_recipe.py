"""Recipes: strict, with every error at once and in its place; and the files that ship validate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from crop_reasoning.cli.train import recipe_app
from crop_reasoning.errors import RecipeError
from crop_reasoning.reasoning.prompts import PROMPT_IDS
from crop_reasoning.training.recipe import Recipe, as_yaml, differences, find_recipes, load_recipe, purpose

ROOT = Path(__file__).resolve().parents[1]
GOOD = """\
# Tunes a model for a test. Second sentence.
method: sft
model: {base: models/tiny}
data: {folder: data/toy}
lora: {rank: 8}
optim:
  learning_rate: 1e-4
  batch_size: 8
  steps: 10
output: runs/x
"""


@pytest.fixture
def write(tmp_path: Path):
    def writer(text: str, name: str = "recipe.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return writer


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(RecipeError) as refused:
        load_recipe(path, overrides)
    return str(refused.value)


def test_a_good_recipe_loads_with_its_defaults(write):
    recipe = load_recipe(write(GOOD))
    assert (recipe.method, recipe.optim.learning_rate, recipe.lora.alpha, recipe.prompt) == (
        "sft",
        1e-4,
        32,
        "crop-brief/1",
    )


def test_all_errors_come_at_once_each_with_line_key_got_expected_and_suggestion(write):
    text = GOOD.replace("rank: 8", "rank: 8.5").replace("learning_rate: 1e-4", "learnin_rate: 1e-4")
    text = text.replace("steps: 10", "steps: many") + "report_to: tensorbord\nbatch_size: 3\n"
    path = write(text)
    found = refusal(path)
    assert f"{path}: 6 errors" in found
    assert f"{path}:5  lora.rank: got 8.5, expected a whole number" in found
    assert f"{path}:7  optim.learnin_rate: unknown key; did you mean learning_rate?" in found
    assert f"{path}:6  optim.learning_rate: is missing" in found
    assert f"{path}:9  optim.steps: got 'many' (text), expected a whole number" in found
    assert (
        f"{path}:11  report_to: got 'tensorbord' (text), expected one of none, tensorboard, trackio; did you mean"
        in found
    )
    assert f"{path}:12  batch_size: unknown key; did you mean optim.batch_size?" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("optim.epochs=2", "expected either steps or epochs, both are given"),
        ("optim.steps=null", "expected either steps or epochs, neither is given"),
        ("optim.warmup_steps=10", "got 10, expected fewer than optim.steps (10)"),
        ("optim.micro_batch_size=3", "got 3, expected a divisor of optim.batch_size (8)"),
        ("dpo.beta=0.1", "only method dpo takes this section, the method is sft"),
        ("base.grounding_weight=1", "only method base takes this section"),
        ("model.adapter=runs/sft", "model.adapter is continued with its own rank"),
        ("lora=null", "is missing; add it, or name an adapter"),
        ("method=base", "method base trains every weight"),
        ("optim.learning_rate=.inf", "expected a"),
        ("lora.dropout=1", "got 1, expected a number < 1"),
        ("data.limit=true", "got true, expected a whole number"),
        ("data.limit=0", "got 0, expected a number >= 1"),
        ("output=''", "got '' (text), expected text that is not empty"),
        ("model=big", "got 'big' (text), expected a section"),
    ],
)
def test_impossible_combinations_and_values_are_refused(write, change, said):
    assert said in refusal(write(GOOD), change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("dpo.weights=[1, 2]", "expected one weight for each of the 1 losses"),
        ("dpo.losses=[sft]", "expected at least one loss that compares the two answers"),
        ("dpo.losses=[]", "expected a list that is not empty"),
        ("model.min_pixels=9", "got 9, expected at most model.max_pixels (4)"),
    ],
)
def test_dpo_combinations_are_refused(write, change, said):
    path = write(GOOD.replace("sft", "dpo").replace("tiny}", "tiny, max_pixels: 4}") + "dpo: {losses: [sigmoid]}\n")
    assert load_recipe(path).dpo.losses == ["sigmoid"]
    assert said in refusal(path, change)


BASE = """\
method: base
model: {base: nano, max_pixels: 10000}
data: {folder: data/toy, limit: 5}
optim: {learning_rate: 1e-3, batch_size: 8, steps: 10, schedule: cosine}
prompt: crop-brief/1
output: runs/x
"""


def test_every_key_that_base_training_would_not_follow_is_refused_at_once(write):
    path = write(BASE)
    assert load_recipe(path).method == "base"
    changes = {
        "model.attention": "eager",
        "model.dtype": "bfloat16",
        "model.quantize": "nf4",
        "prompt": "crop/1",
        "data.max_tokens": "100",
        "optim.micro_batch_size": "4",
        "optim.schedule": "linear",
        "report_to": "tensorboard",
    }
    found = refusal(path, *(f"{key}={value}" for key, value in changes.items()))
    assert "8 errors" in found
    for key, value in changes.items():
        assert f"--set {key}={value}  {key}: got " in found
    assert "optim.schedule: got 'linear' (text), expected cosine: method base does not follow this key" in found
    assert f"{path}:3  data.max_tokens: got 9, expected 4096" in refusal(
        write(BASE.replace("limit: 5", "max_tokens: 9"))
    )


def test_every_base_recipe_that_a_run_wrote_down_is_read_again(write):
    recipe = load_recipe(write(BASE))
    assert load_recipe(write(as_yaml(recipe), "resolved.yaml")) == recipe


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed: !foo 3", "seed: got the tag !foo, expected a plain value"),
        ("seed: !!int abc", "seed: got the tag !!int, expected a plain value"),
        ("seed: " + "9" * 5000, "seed: got a number of 5000 digits, expected one of at most 4300"),
        ("seed: 4294967296", "seed: got 4294967296, expected a number < 4294967296"),
        ("dpo: &a [*a]", "dpo[0]: got the alias *a, expected a plain value"),
        ("base: &b {look_steps: *b}", "base.look_steps: got the alias *b, expected a plain value"),
        ("base: !!set {look_steps}", "base: got the tag !!set, expected a plain value"),
        ("extends: !foo x", "extends: got the tag !foo, expected a plain value"),
        ("log_steps: [[[", "not YAML"),
        ("log_steps: " + "[" * 5000, "not YAML"),
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_is_not_plain_is_a_sentence_with_its_line(write, line, said):
    path = write(GOOD + line + "\n")
    found = refusal(path)
    assert said in found
    if "not YAML" not in said:
        assert f"{path}:11  {said}" in found
    assert len(found) < 2000


def test_a_key_that_is_no_word_is_a_sentence_with_its_line(write):
    for key in ("? [a, b]\n: 3", "? *a\n: 3", "!foo seed: 3"):
        assert "line 11 has a key that is no plain word" in refusal(write(GOOD + key + "\n"))


def test_a_value_that_could_not_be_read_is_named_once(write):
    found = refusal(write(GOOD), "optim.steps=!foo 3", "seed=*a")
    assert "2 errors" in found
    assert "--set seed=*a  seed: got the alias *a" in found


def test_extends_is_relative_merges_deeply_and_keeps_places(write):
    base = write(GOOD.replace("rank: 8", "rnk: 8"), "shared/base.yaml")
    child = write("extends: shared/base.yaml\noptim: {steps: 20, epochs: 1}\n", "child.yaml")
    found = refusal(child)
    assert f"{base}:5  lora.rnk: unknown key; did you mean rank?" in found
    assert f"{child}:2  optim.steps: expected either" in found
    write(GOOD, "shared/base.yaml")
    recipe = load_recipe(write("extends: shared/base.yaml\noptim: {steps: 20}\n", "child.yaml"))
    assert (recipe.optim.steps, recipe.optim.batch_size) == (20, 8)


def test_extends_of_nothing_and_of_itself_are_refused(write):
    assert "cannot be read (No such file" in refusal(write("extends: gone.yaml\n"))
    write("extends: b.yaml\n", "a.yaml")
    assert "extends itself" in refusal(write("extends: a.yaml\n", "b.yaml"))


def test_set_is_typed_like_yaml_and_as_strict(write):
    path = write(GOOD)
    assert load_recipe(path, ["optim.learning_rate=3e-3", "data.limit=5"]).optim.learning_rate == 3e-3
    found = refusal(path, "optim.learning_rate=fast", "optm.steps=3", "lora.targets=vision")
    assert "--set optim.learning_rate=fast  optim.learning_rate: got 'fast' (text), expected a number" in found
    assert "--set optm.steps=3  optm: unknown key; did you mean optim?" in found
    assert "--set lora.targets=vision  lora.targets: got 'vision' (text), expected one of language_model" in found
    assert "expected key=value" in refusal(path, "optim.steps")


def test_yaml_traps_are_no_traps(write):
    assert load_recipe(write(GOOD), ["optim.learning_rate=1e-4"]).optim.learning_rate == 1e-4  # YAML 1.1: text
    assert "got 'no' (text)" in refusal(write(GOOD), "data.limit=no")  # YAML 1.1: false
    assert "got '1:30' (text)" in refusal(write(GOOD), "data.limit=1:30")  # YAML 1.1: ninety
    path = write(GOOD + "method: dpo\n")
    assert "method: stands twice (again in line 11)" in refusal(path)
    assert "not YAML" in refusal(write("method: [sft\n"))
    assert "expected `key: value` lines" in refusal(write("- a\n"))


def test_the_resolved_copy_reads_back_as_the_same_recipe(write):
    recipe = load_recipe(write(GOOD), ["optim.learning_rate=0.00001"])
    assert load_recipe(write(as_yaml(recipe), "resolved.yaml")) == recipe


def test_differences_name_what_changed_but_not_where_it_goes(write):
    old, new = load_recipe(write(GOOD)), load_recipe(write(GOOD), ["optim.steps=11", "output=runs/y"])
    assert differences(old, new) == ["optim.steps was 10, is 11"]


def test_prompts_of_the_schema_are_those_that_exist():
    assert set(Recipe.model_json_schema()["properties"]["prompt"]["enum"]) == set(PROMPT_IDS)


@pytest.mark.parametrize("path", find_recipes(ROOT / "recipes"), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_recipe_in_the_tree_validates_and_says_what_it_is_for(path):
    load_recipe(path)
    assert purpose(path), f"{path}: begin it with a comment that says what it is for"


def test_recipe_verbs(write, monkeypatch, tmp_path):
    write(GOOD, "recipes/a/good.yaml")
    write("not: mine\n", "recipes/eval/other.yaml")
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    assert "Tunes a model" in run(recipe_app, ["ls"]).stdout
    assert run(recipe_app, ["check"]).stdout == "1 recipes, all well\n"
    shown = run(recipe_app, ["show", "recipes/a/good.yaml", "--set", "optim.steps=11"]).stdout
    assert yaml.safe_load(shown)["optim"]["steps"] == 11
    write(GOOD + "x: 1\n", "recipes/a/bad.yaml")
    refused = run(recipe_app, ["check", "--json"])
    assert isinstance(refused.exception, RecipeError)
    assert list(json.loads(refused.stdout)["refused"]) == ["recipes/a/bad.yaml"]
    assert "did you mean recipes/a/good.yaml?" in str(run(recipe_app, ["show", "recipes/a/goood.yaml"]).exception)


@pytest.mark.parametrize("path", sorted((ROOT / "accelerate_configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_configs_hold_only_keys_that_are_read(path):
    """Accelerate ignores an unknown key inside `fsdp_config` or `deepspeed_config`; a typo would train otherwise."""
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    load_config_from_file(str(path))  # refuses unknown keys at the top
    options = {action.dest for action in launch_command_parser()._actions}
    config = yaml.safe_load(path.read_text())
    for section in ("fsdp_config", "deepspeed_config"):
        unknown = set(config.get(section, {})) - options
        assert not unknown, f"{path}: {section} holds {unknown}"
