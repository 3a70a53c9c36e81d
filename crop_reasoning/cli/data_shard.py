"""The verb `data shard`: one machine's share of the photos of a big data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def shard(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set that is read (see `data build --help`).")],
    part: Annotated[str, typer.Argument(metavar="K/N", help="The share of this machine, for instance 3/8.")],
    root: Annotated[Path, typer.Option(help="Your copy of the data set, under one path on all machines.")],
    out: Annotated[Path | None, typer.Option(help="The folder to build; by default data/NAME.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Photos worked on at once.")] = 2,
    join: Annotated[list[str] | None, typer.Option("--join", metavar="NAME=DIR", help="As of `data build`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Read, hash and decode one machine's share of the photos; `data build` then finds them read.

    Shares that are missing, because a machine was lost, are read by `data build` itself.

    Example: crop-reasoning data shard fcdb 3/8 --root FCDB --out data/fcdb
    """
    from data_builders.shards import read_shard

    folder = out or Path("data") / name
    files = read_shard(name, root, folder, part, workers=workers, **({"join": join} if join else {}))
    unusable = sum(bool(file.reason) for file in files)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "shard": part, "photos": len(files), "unusable": unusable}))
    else:
        typer.echo(f"{folder}: shard {part}, {len(files):,} photos read, {unusable:,} of them of no use")
