"""`quickstart`: the whole path on a laptop, from procedural scenes to crops of real photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quickstart(
    out: Annotated[Path, typer.Option(help="Where everything goes: data, runs, crops, report.html.")] = Path(
        "runs/quickstart"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Seeds scenes, weights and the order of training.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Train, measure and try nano in minutes: scenes, base training, LoRA SFT, DPO, evaluation, crops, a report.

    Needs no download, no GPU and no data; the same commands run one by one are in the README.

    Example: crop-reasoning quickstart --out runs/quickstart
    """
    import json

    from crop_reasoning.quickstart import run

    summary = run(out, seed)
    if as_json:
        typer.echo(json.dumps(summary.figures, indent=2))
    else:
        typer.echo(summary.table)
        for verdict in summary.verdicts:
            typer.echo(verdict)
        typer.echo(f"\nopen {summary.report}")
