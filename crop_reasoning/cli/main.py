"""The `crop-reasoning` command: collects the verbs and turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from crop_reasoning import __version__
from crop_reasoning.cli import analyse, data, doctor, evaluate, quickstart, serve, train
from crop_reasoning.errors import EXIT_ENVIRONMENT, CropReasoningError

EXIT_INTERRUPTED = 130

app = typer.Typer(
    help="Teach a vision-language model to crop photographs step by step, measure it, and serve it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(quickstart.quickstart)
app.command()(doctor.doctor)
app.command()(analyse.analyse)
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
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # brief: without any, an idle machine is half as fast
    try:
        app()
    except CropReasoningError as problem:
        print(f"crop-reasoning: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    except (KeyboardInterrupt, SystemExit) as end:  # typer turns Ctrl-C in a verb into a silent exit with 130
        if isinstance(end, SystemExit) and end.code != EXIT_INTERRUPTED:
            raise
        print("crop-reasoning: stopped by hand; run the same command again", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, for instance `head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as problem:  # a path that is no folder, a right that is missing, a full disk, wherever it was met
        where = f"{problem.filename}: " if problem.filename else ""
        reason = problem.strerror or problem
        print(f"crop-reasoning: {where}{reason}; check the path, your rights and the disk's space", file=sys.stderr)
        sys.exit(EXIT_ENVIRONMENT)
