"""`doctor`: is this machine ready, and for what."""

from __future__ import annotations

import json

import typer


def doctor(
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Say which versions, devices and disk this machine offers, and what that is enough for.

    Exit code 4 if something that training needs is missing.

    Example: crop-reasoning doctor
    """
    from dataclasses import asdict

    from crop_reasoning.environment import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("", "what", "found", "do")
        for finding in findings:
            table.add_row("[green]ok" if finding.ok else "[red]--", finding.what, finding.found, finding.remedy)
        Console().print(table)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(4)
