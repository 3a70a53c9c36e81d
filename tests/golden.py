"""Run the evaluator over a folder of golden cases (schema `crop-golden/1`) and say, a file, what agreed.

    python -m tests.golden ../shared/golden

Prints for each file its cases, the values compared, the mismatches and the reference columns that nothing of ours
reproduces, each of them by name. Leaves with 1 on a mismatch, on an uncovered column, and if nothing was compared.
Only the kind of a recorded exception is compared, not its words; where a reference crashes, our canonical evaluator
must have an answer.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.golden_canonical import undefined
from tests.golden_columns import reproduce
from tests.golden_inputs import Uncovered, kind_of

SCHEMA, FIGURES = "crop-golden/1", "crop-anchors/1"
TIGHT = 1e-9
LOOSER = {"MIO": 2e-6, "ProCrop": 1e-5}
"""Columns of float32 references in files whose own tolerance is meant for float64 (see the golden files' README)."""
MOST_SHOWN = 10
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass
class Result:
    """What became of one file; `note` says why nothing in it was to be compared."""

    name: str
    cases: int = 0
    values: int = 0
    mismatches: list[str] = field(default_factory=list)
    uncovered: dict[str, int] = field(default_factory=dict)
    note: str = ""

    def miss(self, column: str) -> None:
        self.uncovered[column] = self.uncovered.get(column, 0) + 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a folder of *.json files of golden cases")
    folder = parser.parse_args(arguments).folder
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        print(f"{folder}: no *.json file there; expected a folder of golden cases")
        return 1
    results = [check(path) for path in files]
    print("\n".join(line for result in results for line in lines(result)))
    bad = sum(len(result.mismatches) for result in results)
    missing = sum(len(result.uncovered) for result in results)
    values = sum(result.values for result in results)
    cases = sum(result.cases for result in results)
    print(f"\n{len(files)} files, {cases} cases, {values} values, {bad} mismatches, {missing} uncovered columns")
    return int(bad > 0 or missing > 0 or values == 0)


def lines(result: Result) -> list[str]:
    """A line of the table and, below it, what to look at."""
    counts = f"{result.cases:>4} cases {result.values:>6} values {len(result.mismatches):>4} mismatches"
    found = [f"{result.name:<26}{counts} {len(result.uncovered):>3} uncovered columns"]
    found += [f"    {result.note}"] if result.note else []
    found += [f"    mismatch: {text}" for text in result.mismatches[:MOST_SHOWN]]
    if len(result.mismatches) > MOST_SHOWN:
        found.append(f"    and {len(result.mismatches) - MOST_SHOWN} mismatches more")
    return found + [f"    uncovered: {name} (in {count} cases)" for name, count in result.uncovered.items()]


def check(path: Path) -> Result:
    """Everything a file expects, compared with what our evaluator answers."""
    result = Result(path.name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        result.mismatches.append(f"cannot be read: {problem}")
        return result
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema == FIGURES:
        result.note = "no cases: figures of real data, recomputed by benchmarks/published_baselines.py"
        return result
    cases = content.get("cases") if isinstance(content, dict) else None
    if schema != SCHEMA or not isinstance(cases, list):
        result.miss(f"schema {schema!r}, expected {SCHEMA!r} with a list of cases")
        return result
    tolerance = _tolerance(content.get("tolerance"))
    for number, case in enumerate(cases):
        result.cases += 1
        parts = [case.get(name) if isinstance(case, dict) else None for name in ("input", "expected")]
        if not all(isinstance(part, dict) for part in parts):
            result.mismatches.append(f"case {number}: no object of an input and expected values")
            continue
        name = str(case.get("id", number))
        with np.errstate(all="ignore"):  # references divide by zero, too; what comes of it is compared
            _check_case(name, decoded(parts[0]), decoded(parts[1]), tolerance, result)
    return result


def decoded(value: Any) -> Any:
    """The tree with its strings for numbers that JSON has none for turned into those; a text to parse stays."""
    if isinstance(value, dict):
        return {key: part if key == "text" else decoded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [decoded(part) for part in value]
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _check_case(
    name: str, given: Mapping[str, Any], expected: Mapping[str, Any], tolerance: float, into: Result
) -> None:
    if not expected:
        into.mismatches.append(f"{name}: no column to compare")
    for column, values in expected.items():
        try:
            ours = reproduce(given, column, values)
        except Uncovered as missing:
            into.miss(column if str(missing) == column else f"{column} ({missing})")
            continue
        except Exception as problem:  # an input that is none must not end the run
            into.mismatches.append(f"{name}: {column}: the evaluator fails: {type(problem).__name__}: {problem}")
            continue
        looser = max((LOOSER[key] for key in LOOSER if column.startswith(key)), default=0.0)
        _compare(f"{name}: {column}", column, values, ours, max(tolerance, looser), into)
        if _crashed(values):
            _check_defined(name, given, into)


def _check_defined(name: str, given: Mapping[str, Any], into: Result) -> None:
    try:
        reason = undefined(kind_of(given), given)
    except Exception as problem:  # as above: whatever it is, it is a figure that we do not have
        reason = f"the canonical evaluator fails: {type(problem).__name__}: {problem}"
    if reason:
        into.mismatches.append(f"{name}: {reason}")


def _crashed(values: Any) -> bool:
    """Whether a crash of the reference stands anywhere in its column."""
    if isinstance(values, dict):
        return "error" in values or any(map(_crashed, values.values()))
    return isinstance(values, list) and any(map(_crashed, values))


def _compare(where: str, column: str, expected: Any, ours: Any, tolerance: float, into: Result) -> None:
    """Count every expected leaf and list those that differ; a field that we do not have is an uncovered column."""
    if isinstance(expected, dict) and isinstance(ours, dict):
        for key, value in expected.items():
            if key == "message" and "error" in expected:
                continue
            if key in ours:
                _compare(f"{where}/{key}", f"{column}/{key}", value, ours[key], tolerance, into)
            elif "error" in ours or "error" in expected:
                _differ(f"{where}/{key}", value, ours, into)
            else:
                into.miss(f"{column}/{key}")
    elif isinstance(expected, list) and isinstance(ours, list) and len(expected) == len(ours) > 0:
        for place, (value, own) in enumerate(zip(expected, ours, strict=True)):
            _compare(f"{where}[{place}]", column, value, own, tolerance, into)
    elif _same(expected, ours, tolerance):
        into.values += 1
    else:
        _differ(where, expected, ours, into)


def _differ(where: str, expected: Any, ours: Any, into: Result) -> None:
    into.values += 1
    into.mismatches.append(f"{where}: expected {_short(expected)}, ours {_short(ours)}")


def _same(expected: Any, ours: Any, tolerance: float) -> bool:
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in (expected, ours)]
    if not all(numbers):
        return bool(expected == ours)
    if math.isnan(expected) or math.isnan(ours):
        return math.isnan(expected) and math.isnan(ours)
    return bool(expected == ours or abs(expected - ours) <= tolerance)


def _tolerance(given: Any) -> float:
    value = given.get("abs") if isinstance(given, dict) else None
    return max(float(value), TIGHT) if isinstance(value, int | float) and math.isfinite(value) else TIGHT


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


if __name__ == "__main__":
    raise SystemExit(main())
