"""The verb `data pairs`: thin; what it does lives in `data_builders.pairs` and `data_builders.pair_folder`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def pairs(
    folder: Annotated[Path, typer.Argument(help="A built data set with pairs.jsonl or scored crops.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write: records, pairs, rationales, pairs.html.")],
    least_margin: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Drop train pairs below it: votes or scores, over their span.")
    ] = 0.075,
    per_photo: Annotated[
        int, typer.Option(min=1, help="Train pairs a photo at most, over all crops and difficulties.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Which pairs are drawn; seeds rationales, too.")] = 0,
    keep_shortcuts: Annotated[
        bool, typer.Option("--keep-shortcuts", help="Do not balance: bigger and wider crops may win more often.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Select preference pairs to learn from: ranked pairs (fcdb), or pairs of scored crops (gaicd, cpc).

    Train pairs are capped a photo and balanced, so that which crop is bigger or wider says nothing about the winner.
    What rules that see no picture score before and after is printed; it also stands in manifest.json and pairs.html.
    Ranked pairs of val and test photos stay as they are; of their scored crops, pairs are drawn blindly.

    Example: crop-reasoning data pairs data/fcdb --out data/fcdb_pairs
    """
    from data_builders.pair_folder import write_pairs
    from data_builders.pairs import Rules

    manifest = write_pairs(folder, out, Rules(least_margin, per_photo, seed, keep_shortcuts))
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False))
    else:
        _print(out, manifest)


def _print(out: Path, manifest: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    for split, counts in manifest["pairs"].items():
        if counts["given"]:
            kept = ", ".join(f"{bucket} {count:,}" for bucket, count in counts["kept"].items())
            dropped = "".join(f"; {count:,} {reason}" for reason, count in counts["dropped"].items() if count)
            total = sum(counts["kept"].values())
            typer.echo(f"{split}: {total:,} of {counts['given']:,} pairs ({kept}){dropped}")
    shortcuts = manifest["shortcuts"]
    table = Table(title="How often a rule that sees no picture is right", title_justify="left")
    table.add_column("")
    columns = [(shown, stage) for shown in shortcuts["after"] for stage in ("before", "after")]
    for shown, stage in columns:
        table.add_column(f"{shown}\n{stage}", justify="right")
    for rule in shortcuts["after"]["train"]:
        table.add_row(rule, *(_cell(shortcuts[stage][shown][rule]) for shown, stage in columns))
    Console().print(table)
    typer.echo(f"{out / 'pairs.html'}: margins, sizes, shapes, positions and examples")


def _cell(share: dict[str, float]) -> str:
    return f"{share['right']:.3f} of {share['n']:,}" if "right" in share else "–"
