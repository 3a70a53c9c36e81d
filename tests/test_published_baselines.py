"""The figures that others published for croppers which see no picture, recomputed from real annotations."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.published_baselines import all_rows, main
from benchmarks.published_rows import Row
from tests.shared import SHARED, needs_shared


@needs_shared
def test_every_published_baseline_is_reproduced() -> None:
    rows = all_rows(SHARED / "data")
    assert [f"{row.data}: {row.what}: {row.published}, found {row.found}" for row in rows if not row.agrees] == []
    assert len(rows) == 98
    numbers = {row.data: row.n for row in rows}
    assert {numbers[name] for name in ("FCDB 334", "FCDB 319 (HCIC)", "FCDB 345, sizes inferred")} == {334, 319, 345}


@pytest.mark.parametrize(("found", "agrees"), [(0.6404, True), (0.64044, True), (0.64046, False), (0.6403, False)])
def test_a_figure_agrees_to_its_printed_digits(found: float, agrees: bool) -> None:
    assert Row("FCDB", "IoU", 1, "0.6404", found).agrees == agrees


def test_a_missing_copy_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 3
    assert "no such folder" in capsys.readouterr().err
