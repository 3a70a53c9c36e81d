"""The options by which several verbs name a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path | None, typer.Option("--run", help="A run folder written by `train`.")]
Model = Annotated[str | None, typer.Option("--model", help="A model folder.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="An OpenAI-compatible engine, with --name.")]
Name = Annotated[str | None, typer.Option("--name", help="The model's name at --base-url.")]


def model_source(run: Path | None, model: str | None) -> str | None:
    """The model that --run or --model names, None without either. `ModelError` for a run that is not here.

    Only --model may be a hub id: a mistyped run such as `nope/dpo` looks like one, and must not be asked for there.
    """
    from crop_reasoning.errors import ModelError, RecipeError

    if run is not None and model is not None:
        raise RecipeError("got --run and --model, expected one of them")
    if run is not None and not run.is_dir():
        raise ModelError(f"{run}: no such run folder; expected one that `train` wrote, check --run")
    return str(run) if run is not None else model
