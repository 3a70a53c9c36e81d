"""The figures of an examination of the ten elements as one Markdown document."""

from __future__ import annotations

from typing import Any

from crop_reasoning.composition.elements import ELEMENTS


def document(results: dict[str, Any], settings: dict[str, int]) -> str:
    """Markdown: recall and precision, errors of geometry, confusion, and what degradations cost."""
    clean = results["none"]
    parts = [
        "# The ten elements on painted scenes",
        f"{settings['scenes']} scenes of each element and as many without any; seed {settings['seed']}. What a fair "
        "judge may name or not (ambiguous) is neither hit nor error. Intervals: 95 %, Wilson.",
        "## Recall and precision",
        _table(
            ["element", "recall", "n true", "precision", "n reported"],
            [
                [name, *(text(clean[kind][name]) for kind in ("recall", "precision") for text in (_interval, _n))]
                for name in ELEMENTS
            ],
        ),
        "## Errors of geometry",
        "Angles in degrees to the nearest true line; axis (the farther end) and vanishing point in % of the diagonal; "
        "of hits alone. `without` counts hits that came without the geometry.",
        _table(
            ["", "median", "90 %", "n", "without"],
            [
                [kind, _number(error["median"], 2), _number(error["q90"], 2), str(error["n"]), str(error["without"])]
                for kind, error in clean["errors"].items()
            ],
        ),
        "## Confusion",
        "Rows: what a scene is painted for. Columns: share of scenes in which the element is reported. In bold the "
        "hits; elsewhere false alarms, of the scenes where the element is absent; – where it is absent in none.",
        _confusion(clean["confusion"]),
    ]
    if len(results) > 1:
        parts += [
            "## Degradations",
            f"Recall / precision on the first {min(settings['degraded'], settings['scenes'])} scenes of each row; "
            f"`none` is of all {settings['scenes']}.",
            _table(
                ["", *ELEMENTS],
                [
                    [kind, *(f"{_value(of['recall'][name])} / {_value(of['precision'][name])}" for name in ELEMENTS)]
                    for kind, of in results.items()
                ],
            ),
        ]
    return "\n\n".join(parts)


def _confusion(confusion: dict[str, dict[str, float | None]]) -> str:
    rows = []
    for row, cells in confusion.items():
        texts = (f"**{_number(cell, 2)}**" if column == row else _number(cell, 2) for column, cell in cells.items())
        rows.append([row, *texts])
    return _table(["", *ELEMENTS], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(of: dict[str, Any] | None) -> str:
    return f"{of['value']:.3f} [{of['low']:.3f}, {of['high']:.3f}]" if of else "–"


def _value(of: dict[str, Any] | None) -> str:
    return _number(of["value"], 2) if of else "–"


def _n(of: dict[str, Any] | None) -> str:
    return str(of["n"]) if of else "0"
