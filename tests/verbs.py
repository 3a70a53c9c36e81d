"""The `data` verbs, run as a user runs them, and a small data set built by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from crop_reasoning.cli.data import app
from crop_reasoning.errors import CropReasoningError
from tests.fcdb_copy import write_fcdb


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def refused(*args: str | Path) -> CropReasoningError:
    problem = run(*args).exception
    assert isinstance(problem, CropReasoningError), repr(problem)
    return problem


def built_fcdb(place: Path) -> Path:
    """Ten photos of FCDB, copied into the built folder."""
    result = run("build", "fcdb", "--root", write_fcdb(place / "FCDB"), "--out", place / "built", "--copy")
    assert result.exit_code == 0, result.exception
    return place / "built"


def alter(path: Path, line: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change one line of a line file in place."""
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    change(lines[line])
    path.write_text("".join(json.dumps(value) + "\n" for value in lines))
