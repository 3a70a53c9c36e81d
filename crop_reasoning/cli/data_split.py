"""The verbs `data decontaminate` and `data split`: which photos may be trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="A built data set (the folder that holds records.jsonl).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def decontaminate(
    folder: Folder,
    against: Annotated[
        list[Path],
        typer.Option(help="A benchmark, may be repeated: a built folder (its test photos count) or any with photos."),
    ],
    out: Annotated[Path | None, typer.Option(help="Write a copy without what was found; else only report.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find train and val photos that a benchmark holds, too, by what they show: resized, recompressed, grey, mirrored.

    With --out, a copy of the data set without their records, pairs and rationales is written, and exclusions.json in
    it names each with the benchmark's photo and both distances. Photos stay in place. Rotated copies and copies cropped
    by more than a few percent are not found. What was read is kept in FOLDER/thumbnails.journal for the next run.

    Example: crop-reasoning data decontaminate data/fcdb --against data/flms --against data/fcdb --out data/fcdb-clean
    """
    from collections import Counter

    from data_builders.decontaminate import decontaminate as find

    report = find(folder, against, out)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    for entry in report["excluded"]:
        first = entry["copies"][0]
        typer.echo(
            f"{entry['id']} ({entry['split']}): {first['benchmark']}/{first['benchmark_photo']}, bits that differ "
            f"{first['gradient_bits']} and {first['frequency_bits']}, correlation {first['correlation']:.3f}"
            + (", mirrored" if first["mirrored"] else ", the same file" if first["same_file"] else "")
        )
    compared = ", ".join(f"{name} {count:,}" for name, count in report["compared"].items())
    records = sum(report["counts"]["records"].values())
    typer.echo(f"compared {compared}: {report['counts']['photos']} photos of {records} records are in a benchmark")
    unreadable = sum(len(one["unreadable"]) for one in report["against"])
    if unreadable:
        typer.echo(f"{unreadable} photos or folders of the benchmarks cannot be read; --json lists them")
    not_photos = [Path(path) for one in report["against"] for path in one["not_photos"]]
    if not_photos:
        counts = Counter(path.suffix.lower() or "no ending" for path in not_photos)
        endings = ", ".join(f"{ending} {count:,}" for ending, count in sorted(counts.items()))
        typer.echo(f"not compared: {len(not_photos):,} files of the benchmarks that end as no photo does ({endings})")
    if shared := report["shared_by_benchmarks"]:
        typer.echo(f"{len(shared)} photos are shared by two of the benchmarks; --json lists them")
    typer.echo(f"{out}: written, exclusions.json in it" if out else "nothing written; --out DIR makes a clean copy")


def split(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The folder to write: the same records with new splits.")],
    val: Annotated[float, typer.Option(help="Share of photos for val.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of photos for test.")] = 0.0,
    everything: Annotated[bool, typer.Option("--all", help="Split the official test records anew, too.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw train and val (and test) anew, by photo: a photo's split follows from its bytes and the seed alone.

    All records of a photo, and of photos that look alike, stand in one split; photos that are added or removed move no
    other (but a look-alike, which may move its group). A test split stays as it is; photos that look like one of its
    photos are left out and listed. --all with --test draws it anew, too; the scores are then no benchmark's any more.

    Example: crop-reasoning data split data/cpc --out data/cpc-split --val 0.1 --test 0.1
    """
    from data_builders.split import split_folder

    manifest = split_folder(folder, out, val=val, test=test, seed=seed, everything=everything)
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False))
        return
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest["counts"]["records"].items())
    typer.echo(f"{out}: records {counts}; {len(manifest['look_alikes'])} pairs of photos look alike")
    for entry in manifest["excluded"]:
        typer.echo(f"left out: {entry['item']} {entry['reason']}")
