"""The verbs `data build`, `data check`, `data show` and `data stats`: thin; what they do lives in `data_builders`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from crop_reasoning.cli import data_exchange, data_pairs, data_rationales, data_shard, data_split, data_tasks

app = typer.Typer(help="Build, check, show and measure data sets.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A built data set (the folder that holds records.jsonl).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command("build")
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="toy, or a data set you have a copy of (see --help).")],
    root: Annotated[Path | None, typer.Option(help="Your copy of the data set, for those that are read.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to build; by default data/NAME.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Photos worked on at once.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the photos, so that the folder can move.")] = False,
    join: Annotated[
        list[str] | None, typer.Option("--join", metavar="NAME=DIR", help="hcic: a copy whose photos it has boxes for.")
    ] = None,
    train: Annotated[int | None, typer.Option(min=1, help="toy: training scenes.")] = None,
    val: Annotated[int | None, typer.Option(min=0, help="toy: validation scenes.")] = None,
    test: Annotated[int | None, typer.Option(min=0, help="toy: test scenes.")] = None,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="toy: subjects anywhere in the frame, for base training.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seeds scenes and rationales.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Build records, ranked pairs and rationales from your copy of a data set, or from procedural scenes.

    Data sets: cpc, fcdb, flms, gaicd_v1, gaicd_v2, gnmc, hcic, kupcp, label_studio, sacd, as their authors ship them.

    Photos that cannot be used are listed with the reason in manifest.json. The same command gives the same bytes.

    Example: crop-reasoning data build fcdb --root FCDB --out data/fcdb
    """
    from data_builders.build import build_dataset

    options: dict[str, Any] = {
        "workers": workers,
        "copy": copy or None,
        "train": train,
        "val": val,
        "test": test,
        "seed": seed,
    }
    options |= {"anywhere": anywhere or None, "join": join or None}
    given = {key: value for key, value in options.items() if value is not None}
    folder = out or Path("data") / name
    manifest = build_dataset(name, root, folder, given)
    typer.echo(json.dumps(manifest, ensure_ascii=False) if as_json else _summary(folder, manifest))


@app.command("check")
def check(
    folder: Folder,
    deep: Annotated[bool, typer.Option("--deep", help="Also hash and decode every photo.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find every fault of a built data set: broken lines, missing photos, pairs of unknown records, leaks.

    Without --deep no photo is opened: one that was changed is seen by its size alone.

    Example: crop-reasoning data check data/fcdb --deep
    """
    from dataclasses import asdict

    from crop_reasoning.errors import DataError
    from data_builders.check import check_folder, summary

    findings = check_folder(folder, deep=deep)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **asdict(findings)}, ensure_ascii=False))
    elif not findings.problems:
        typer.echo(f"{folder}: {summary(findings)}")
    if findings.problems:
        lines = [f"{problem.where}: {problem.what}" for problem in findings.problems]
        raise DataError("\n".join([*lines, f"{folder}: {summary(findings)}"]))


@app.command("show")
def show(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="The contact sheet: a .png or an .html file.")],
    n: Annotated[int, typer.Option("--n", help="How many records.")] = 24,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 0,
    worst: Annotated[
        bool, typer.Option("--worst", help="Those most likely to be wrong, each with the reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Draw some photos with their best crops into one picture or one web page, to be looked at before training.

    Example: crop-reasoning data show data/fcdb --out sheet.png --worst
    """
    from data_builders.show import write_sheet

    shown = write_sheet(folder, out, n=n, seed=seed, worst=worst)
    if as_json:
        reasons = [caption.partition("\n")[2] for _, caption in shown] if worst else None
        document = {"sheet": str(out), "records": [record.id for record, _ in shown]}
        typer.echo(json.dumps(document | ({"reasons": reasons} if reasons else {}), ensure_ascii=False))
    else:
        typer.echo(f"{out}: {len(shown)} records")


@app.command("stats")
def stats(folder: Folder, as_json: AsJson = False) -> None:
    """Counts, crop sizes and shapes, vote margins, what trivial rules score, and what the rationales name.

    Example: crop-reasoning data stats data/fcdb
    """
    from data_builders.stats import dataset_stats

    figures = dataset_stats(folder)
    if as_json:
        typer.echo(json.dumps(figures, ensure_ascii=False))
    else:
        _print_table(str(folder), figures)


def _summary(folder: Path, manifest: dict[str, Any]) -> str:
    import re
    from collections import Counter

    def counted(name: str) -> str:
        splits = manifest["counts"][name]
        return f"{sum(splits.values()):,} {name} ({', '.join(f'{split} {count:,}' for split, count in splits.items())})"

    lines = [f"{folder}: {counted('records')}, {counted('pairs')}"]
    if "official" in manifest:
        official = manifest["official"]
        listed = {**dict.fromkeys(official, 0), **manifest["listed"]}
        known = (f"{split} {count:,} ({_official(official.get(split))})" for split, count in listed.items())
        lines.append(f"listed: {', '.join(known)}")
    if manifest.get("clipped"):
        furthest = max(item["overflow_px"] for item in manifest["clipped"])
        lines.append(
            f"clipped: {len(manifest['clipped'])} × a box that stands out of its photo, by {furthest:g} px at most"
        )
    dropped = manifest.get("dropped", [])
    reasons = Counter(re.split(r": | \(", entry["reason"])[0] for entry in dropped)
    lines += [f"dropped: {count} × {reason}" for reason, count in reasons.most_common()]
    if dropped:
        lines.append(f"each dropped item is listed in {folder / 'manifest.json'}")
    return "\n".join(lines)


def _official(count: int | None) -> str:
    return "official count unknown" if count is None else f"official {count:,}"


def _print_table(title: str, figures: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("")
    for split in figures:
        table.add_column(split, justify="right")
    rows = dict.fromkeys(name for of_split in figures.values() for name in of_split)
    for name in rows:
        values = [of_split.get(name) for of_split in figures.values()]
        inner = dict.fromkeys(key for value in values if isinstance(value, dict) for key in value)
        if not any(isinstance(value, dict) for value in values):
            table.add_row(name, *map(_cell, values))
            continue
        table.add_row(f"[bold]{name}[/bold]", *([] if inner else ["none"] * len(values)))
        for key in inner:
            table.add_row(f"  {key}", *(_cell((value or {}).get(key)) for value in values))
    Console().print(table)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


app.command("pairs")(data_pairs.pairs)
app.command("rationales")(data_rationales.rationales)
app.command("tasks")(data_tasks.tasks)
app.command("shard")(data_shard.shard)
app.command("decontaminate")(data_split.decontaminate)
app.command("split")(data_split.split)
app.command("export")(data_exchange.export_data)
app.command("import")(data_exchange.import_data)
