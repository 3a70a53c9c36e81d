"""The `crop-reasoning` command: collects the verbs and turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys

import typer

from crop_reasoning import __version__
from crop_reasoning.cli import data, doctor, evaluate, quickstart, serve, train
from crop_reasoning.errors import CropReasoningError

app = typer.Typer(
    help="Teach a vision-language model to crop photographs step by step, measure it, and serve it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(quickstart.quickstart)
app.command()(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(train.recipe_app, name="recipe")
for verb in (train.train, evaluate.predict, evaluate.score, evaluate.evaluate, serve.crop, serve.chat, serve.serve):
    app.command()(verb)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Run a verb; errors a user can cure are printed without a traceback."""
    try:
        app()
    except CropReasoningError as problem:
        print(f"crop-reasoning: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except BrokenPipeError:  # the reader of our output has gone, for instance `head`
        sys.stderr.close()
        sys.exit(0)
