"""The options by which several verbs name a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path | None, typer.Option("--run", help="A run folder written by `train`.")]
Model = Annotated[str | None, typer.Option("--model", help="A model folder.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="An OpenAI-compatible engine, with --name.")]
Name = Annotated[str | None, typer.Option("--name", help="The model's name at --base-url.")]
