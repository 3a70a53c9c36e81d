"""The verbs `crop`, `chat` and `serve`: thin; what they do lives in `crop_reasoning.serving`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crop_reasoning.cli.options import BaseUrl, Model, Name, Run, model_source

if TYPE_CHECKING:
    from crop_reasoning.serving.batch import Outcome

Ratio = Annotated[str | None, typer.Option("--aspect", help="Exact ratio of the crop, width:height, such as 4:5.")]


def crop(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photos, or folders of photos.")],
    run: Run = None,
    model: Model = None,
    base_url: BaseUrl = None,
    name: Name = None,
    aspect: Ratio = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the crops; by default beside each photo.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace crops that exist already, never a photo.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Crop photos: writes NAME.crop.jpg and says why, and who produced the box.

    A photo that fails is named with its reason, the others are done; the exit code is then 3. A crop that is not the
    model's, because its answer could not be read, counts as ok and is told apart.

    Example: crop-reasoning crop photo.jpg --run runs/nano/dpo --aspect 4:5
    """
    from crop_reasoning.engines.open import open_engine
    from crop_reasoning.errors import EXIT_DATA
    from crop_reasoning.log import progress
    from crop_reasoning.serving.answer import FALLBACK
    from crop_reasoning.serving.batch import crop_photos, find_photos
    from crop_reasoning.serving.wishes import parse_aspect

    source = model_source(run, model)
    ratio = parse_aspect(aspect) if aspect else None
    found = find_photos(photos)
    engine = open_engine(source, base_url, name)
    outcomes = []
    for outcome in progress(crop_photos(engine, found, ratio, out, force=force), "crop", len(found)):
        outcomes.append(outcome)
        if not as_json:
            typer.echo(_told(outcome))
    failed = [outcome for outcome in outcomes if outcome.problem]
    unread = sum(outcome.answer.status == FALLBACK for outcome in outcomes if outcome.answer)
    if as_json:
        photos_json = [_json(outcome) for outcome in outcomes]
        counts = {"ok": len(outcomes) - len(failed), FALLBACK: unread, "failed": len(failed)}
        typer.echo(json.dumps({"photos": photos_json, **counts}, ensure_ascii=False))
    else:
        without = f"{unread} of them without a readable answer of the model, " if unread else ""
        typer.echo(f"{len(outcomes) - len(failed)} ok, {without}{len(failed)} failed")
        for outcome in failed:
            typer.echo(f"  {outcome.photo}: {outcome.problem}")
    if failed:
        raise typer.Exit(EXIT_DATA)


def chat(
    photo: Annotated[Path, typer.Argument(help="The photo to talk about.")],
    run: Run = None,
    model: Model = None,
    base_url: BaseUrl = None,
    name: Name = None,
    aspect: Ratio = None,
) -> None:
    """Crop one photo in conversation: "tighter", "4:5", "move left", /save FILE.jpg, /quit.

    Works with piped input, too, a line a turn; the exit code is then 3 if a line could not be followed.

    Example: crop-reasoning chat photo.jpg --run runs/nano/dpo
    """
    from rich.console import Console
    from rich.text import Text

    from crop_reasoning.engines.open import open_engine
    from crop_reasoning.errors import EXIT_DATA
    from crop_reasoning.serving.terminal import HELP, converse
    from crop_reasoning.serving.wishes import parse_aspect

    console = Console()
    styles = {"reasoning": "dim", "crop": "bold", "problem": "red"}
    writing = False

    def show(text: str, style: str) -> None:
        nonlocal writing
        pieces = style == "reasoning"
        if writing and not pieces:
            console.print()
        writing = pieces
        console.print(Text(text, styles[style]), end="" if pieces else "\n", soft_wrap=True)

    source = model_source(run, model)
    ratio = parse_aspect(aspect) if aspect else None
    engine = open_engine(source, base_url, name)
    interactive = sys.stdin.isatty()
    if interactive:
        console.print(HELP, style="italic")
    failed = converse(engine, photo, ratio, _typed() if interactive else sys.stdin, show)
    if failed and not interactive:
        raise typer.Exit(EXIT_DATA)


def serve(
    run: Run = None,
    model: Model = None,
    base_url: BaseUrl = None,
    name: Name = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on. There is no key: keep it local.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
) -> None:
    """Serve a model through the OpenAI chat API: photo in, reasoning and crop out (docs/serving.md).

    Example: crop-reasoning serve --run runs/nano/dpo --port 8000
    """
    import socket

    from crop_reasoning.engines.open import open_engine
    from crop_reasoning.errors import EnvironmentProblem
    from crop_reasoning.log import say

    source = model_source(run, model)
    try:
        import uvicorn

        from crop_reasoning.serving.gateway import create_app
    except ImportError as missing:
        raise EnvironmentProblem(f"serve needs {missing.name}: pip install 'crop-reasoning[serve]'") from None
    try:
        listener = socket.create_server((host, port))
    except OSError as problem:
        raise EnvironmentProblem(
            f"{host}:{port}: cannot listen there ({problem.strerror}); choose another --port"
        ) from None
    with listener:
        engine = open_engine(source, base_url, name)
        if host not in ("127.0.0.1", "localhost"):
            say(f"{host}: the server has no key; whoever reaches this address can use it")
        say(f"{engine.name}: http://{host}:{listener.getsockname()[1]}/v1 (Ctrl-C stops)")
        config = uvicorn.Config(create_app(engine), log_level="warning", timeout_graceful_shutdown=10)
        with suppress(KeyboardInterrupt):  # which uvicorn raises again after it has stopped in good order
            uvicorn.Server(config).run(sockets=[listener])


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input("> ")
        except EOFError:
            return


def _told(outcome: Outcome) -> str:
    from crop_reasoning.serving.present import printable, summary

    if outcome.answer is None:
        return f"{outcome.photo}: failed"
    lines = [f"{outcome.photo} -> {outcome.output}", printable(summary(outcome.answer))]
    return "\n  ".join("\n".join([*lines, *(f"Left out: {part}." for part in outcome.lost)]).split("\n"))


def _json(outcome: Outcome) -> dict[str, Any]:
    from crop_reasoning.serving.present import crop_json

    if outcome.answer is None:
        return {"photo": str(outcome.photo), "error": outcome.problem}
    made = crop_json(outcome.answer)
    return {"photo": str(outcome.photo), "output": str(outcome.output), "crop": made, "left_out": list(outcome.lost)}
