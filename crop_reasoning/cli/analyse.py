"""The verb `analyse`: thin; what it does lives in `crop_reasoning.serving.analyses`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from crop_reasoning.serving.analyses import Analysed


def analyse(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photos, or folders of photos.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the pictures, or one picture's name; by default beside each photo."),
    ] = None,
    svg: Annotated[bool, typer.Option("--svg", help="Write SVG, not PNG: strokes that say what they are.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace pictures that exist already, never a photo.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Measure the composition of photos, say it in words, and draw it: writes NAME.analysis.png.

    No model is needed. A photo that fails is named with its reason, the others are done; the exit code is then 3.

    Example: crop-reasoning analyse photo.jpg --out drawn.png
    """
    from crop_reasoning.composition.subject import detectors
    from crop_reasoning.errors import EXIT_DATA
    from crop_reasoning.log import progress, say
    from crop_reasoning.serving.analyses import analyse_photos, check_out
    from crop_reasoning.serving.batch import find_photos

    found = find_photos(photos)
    check_out(out, len(found), svg)
    outcomes = []
    for outcome in progress(analyse_photos(found, out, svg=svg, force=force), "analyse", len(found)):
        outcomes.append(outcome)
        if not as_json:
            typer.echo(_told(outcome))
    failed = [outcome for outcome in outcomes if outcome.problem]
    if as_json:
        counts = {"ok": len(outcomes) - len(failed), "failed": len(failed)}
        document = {"photos": [_json(outcome) for outcome in outcomes], **counts, "detectors": detectors()}
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        typer.echo(f"{len(outcomes) - len(failed)} ok, {len(failed)} failed; subjects and faces by: {detectors()}")
        for outcome in failed:
            typer.echo(f"  {outcome.photo}: {outcome.problem}")
    if detectors() != "u2netp, yunet":
        say("subjects are found far better with two small networks: pip install 'crop-reasoning[subjects]'")
    if failed:
        raise typer.Exit(EXIT_DATA)


def _told(outcome: Analysed) -> str:
    from crop_reasoning.serving.analyses import in_words

    if outcome.analysis is None:
        return f"{outcome.photo}: failed"
    return "\n  ".join([f"{outcome.photo} -> {outcome.picture}", *in_words(outcome.analysis)])


def _json(outcome: Analysed) -> dict[str, Any]:
    from crop_reasoning.composition.batch import to_json

    if outcome.analysis is None:
        return {"photo": str(outcome.photo), "error": outcome.problem}
    return {"photo": str(outcome.photo), "picture": str(outcome.picture), "analysis": to_json(outcome.analysis)}
