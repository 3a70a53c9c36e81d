"""Command line of the training room: `train`, and `recipe ls | check | show`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

recipe_app = typer.Typer(help="List, check and print training recipes.", no_args_is_help=True)

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. optim.steps=20. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


class Accelerate(StrEnum):
    """The files of accelerate_configs/."""

    cpu = "cpu"
    single = "single"
    ddp = "ddp"
    fsdp2 = "fsdp2"
    zero2 = "zero2"
    zero3 = "zero3"


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe file; see `crop-reasoning recipe ls`.")],
    accelerate: Annotated[
        Accelerate | None, typer.Option(help="Run through `accelerate launch`; without it, in this process.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the output folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, train nothing.")] = False,
    output: Annotated[Path | None, typer.Option(help="Run folder, instead of the recipe's.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Train a recipe: base training, LoRA SFT or DPO.

    Everything that can be wrong is checked before the weights are loaded. Ctrl-C writes a checkpoint; --resume goes on.

    Example: crop-reasoning train recipes/nano/sft.yaml --set optim.steps=20 --output runs/try
    """
    from dataclasses import asdict

    from crop_reasoning.training import launch, run
    from crop_reasoning.training.recipe import load_recipe, resolve_path

    overrides = [*(settings or []), *([f"output={output}"] if output else [])]
    path = resolve_path(recipe)
    loaded = load_recipe(path, overrides)
    if accelerate:
        run.require_one_process(loaded, several=accelerate is not Accelerate.single)
        flags = [flag for flag, given in (("--resume", resume), ("--dry-run", dry_run), ("--json", as_json)) if given]
        changes = [part for override in overrides for part in ("--set", override)]
        launch.launch(accelerate.value, ["train", str(path), *flags, *changes])
        return
    outcome = run.train(loaded, resume=resume, dry_run=dry_run)
    if as_json and run.is_main_process():
        typer.echo(json.dumps(asdict(outcome)))


@recipe_app.command("ls")
def ls(as_json: AsJson = False) -> None:
    """List the training recipes with their purpose.

    Example: crop-reasoning recipe ls
    """
    from crop_reasoning.training.recipe import find_recipes, purpose

    found = {str(path): purpose(path) for path in find_recipes()}
    if as_json:
        typer.echo(json.dumps([{"recipe": path, "purpose": text} for path, text in found.items()]))
        return
    width = max(map(len, found), default=0)
    for path, text in found.items():
        typer.echo(f"{path:<{width}}  {text}")


@recipe_app.command("check")
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Recipe files; all training recipes by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check recipes: every unknown key, wrong type and impossible combination, with its line.

    Example: crop-reasoning recipe check recipes/nano/sft.yaml
    """
    from crop_reasoning.errors import RecipeError
    from crop_reasoning.training.recipe import find_recipes, load_recipe

    refused: dict[str, str] = {}
    checked = paths or find_recipes()
    for path in checked:
        try:
            load_recipe(path)
        except RecipeError as problem:
            refused[str(path)] = str(problem)
    if as_json:
        typer.echo(json.dumps({"checked": [str(path) for path in checked], "refused": refused}))
    elif not refused:
        typer.echo(f"{len(checked)} recipes, all well")
    if refused:
        raise RecipeError("\n".join(refused.values()))


@recipe_app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(help="A recipe file.")],
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Print a recipe with its `extends`, overrides and defaults filled in.

    Example: crop-reasoning recipe show recipes/nano/sft.yaml --set optim.steps=20
    """
    from crop_reasoning.training.recipe import as_yaml, load_recipe, resolve_path

    loaded = load_recipe(resolve_path(recipe), settings or [])
    typer.echo(loaded.model_dump_json(indent=2) if as_json else as_yaml(loaded).rstrip())
