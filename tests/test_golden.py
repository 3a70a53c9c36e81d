"""The runner of golden cases: it agrees with the recorded references, says what does not, and never falls over."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning.evaluation.compat.torch_topk import topk
from tests.golden import check, main
from tests.shared import SHARED, needs_shared

GOLDEN = SHARED / "golden"
OWN: dict[str, Any] = {
    "schema": "crop-golden/1",
    "metric": "made by hand",
    "tolerance": {"abs": 1e-9},
    "cases": [
        {
            "id": "half",
            "input": {"items": [{"w": 100, "h": 100, "gt": [[0, 0, 100, 100]], "pred": [0, 0, 50, 100]}]},
            "expected": {
                "VFN.evaluate_FCDB": {"avg_iou": 0.5, "avg_disp": 0.125, "alpha_recall_percent": 0.0, "count": 1},
                "ShutterMuse.max_iou_min_bde": {"avg_iou": 0.5, "per_image": [[0.5, 0.125]]},
            },
        },
        {
            "id": "nothing shared, nothing there",
            "input": {"pred": [0, 0, 0, 0], "gt": [0, 0, 0, 0]},
            "expected": {"VPN_bboxes_jaccard": "NaN", "VLM_R1_iou": {"error": "ZeroDivisionError", "message": "any"}},
        },
    ],
}


def written(folder: Path, content: Any, name: str = "own.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def changed(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    content = copy.deepcopy(OWN)
    change(content)
    return content


def test_a_folder_that_agrees_passes_and_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, OWN)
    assert main([str(tmp_path)]) == 0
    assert "1 files, 2 cases, 9 values, 0 mismatches, 0 uncovered columns" in capsys.readouterr().out


@needs_shared
def test_every_case_of_the_recorded_references_agrees_at_its_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(GOLDEN)]) == 0
    out = capsys.readouterr().out
    assert "0 mismatches, 0 uncovered columns" in out.splitlines()[-1]
    assert int(out.splitlines()[-1].split(" values")[0].split()[-1]) > 25_000


def _value(content: dict[str, Any]) -> None:
    content["cases"][0]["expected"]["VFN.evaluate_FCDB"]["avg_iou"] += 1e-6


def _longer(content: dict[str, Any]) -> None:
    content["cases"][0]["expected"]["ShutterMuse.max_iou_min_bde"]["per_image"].append([0.5, 0.125])


def _no_crash(content: dict[str, Any]) -> None:
    content["cases"][1]["expected"]["VLM_R1_iou"] = 0.0


def _other_crash(content: dict[str, Any]) -> None:
    content["cases"][1]["expected"]["VLM_R1_iou"]["error"] = "ValueError"


def _nan(content: dict[str, Any]) -> None:
    content["cases"][0]["expected"]["VFN.evaluate_FCDB"]["avg_disp"] = "NaN"


def _input(content: dict[str, Any]) -> None:
    content["cases"][0]["input"]["items"][0]["pred"] = []


def _no_input(content: dict[str, Any]) -> None:
    del content["cases"][0]["input"]


def _text_for_a_number(content: dict[str, Any]) -> None:
    content["cases"][0]["input"]["items"][0]["w"] = "wide"


def _nothing_expected(content: dict[str, Any]) -> None:
    content["cases"][0]["expected"] = {}


@pytest.mark.parametrize(
    "change",
    [_value, _longer, _no_crash, _other_crash, _nan, _input, _no_input, _text_for_a_number, _nothing_expected],
    ids=lambda change: change.__name__.strip("_"),
)
def test_what_does_not_agree_is_a_mismatch(
    change: Callable[[dict[str, Any]], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, changed(change))
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "mismatch: " in out
    assert "Traceback" not in out


def _column(content: dict[str, Any]) -> None:
    content["cases"][0]["expected"]["Nobody.evaluate"] = {"avg_iou": 0.5}


def _field(content: dict[str, Any]) -> None:
    content["cases"][0]["expected"]["VFN.evaluate_FCDB"]["f_score"] = 0.5


def _kind(content: dict[str, Any]) -> None:
    content["cases"][0]["input"] = {"polygons": [[0, 0, 1, 1]]}


def _schema(content: dict[str, Any]) -> None:
    content["schema"] = "crop-golden/9"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (_column, "Nobody.evaluate"),
        (_field, "VFN.evaluate_FCDB/f_score"),
        (_kind, "VFN.evaluate_FCDB (input of polygons)"),
        (_schema, "schema 'crop-golden/9'"),
    ],
    ids=["column", "field", "kind of input", "schema"],
)
def test_what_nothing_covers_is_named_and_fails(
    change: Callable[[dict[str, Any]], None], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, changed(change))
    assert main([str(tmp_path)]) == 1
    assert f"uncovered: {name}" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema": "crop-golden/1"}', "[" * 100_000])
def test_a_file_that_is_none_fails_without_a_traceback(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, content)
    assert main([str(tmp_path)]) == 1
    assert "Traceback" not in capsys.readouterr().out


def test_a_folder_without_cases_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert main([str(tmp_path / "nowhere")]) == 1
    written(tmp_path, {"schema": "crop-anchors/1"})
    assert main([str(tmp_path)]) == 1  # nothing was compared
    assert "recomputed by benchmarks/published_baselines.py" in capsys.readouterr().out


# --- perturbed copies ------------------------------------------------------------------------------------------------


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(tree, dict):
        return [leaf for key, part in tree.items() if key != "message" for leaf in leaves(part, (*path, key))]
    if isinstance(tree, list):
        return [leaf for place, part in enumerate(tree) for leaf in leaves(part, (*path, place))]
    return [path]


def put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        tree = tree[step]
    tree[path[-1]] = value


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


@needs_shared
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*_*.json")), ids=lambda path: path.stem)
def test_reordered_cases_agree_and_a_changed_figure_does_not(path: Path, tmp_path: Path) -> None:
    content = json.loads(path.read_text())
    if content["schema"] != "crop-golden/1":
        return
    rng = random.Random(path.name)
    content["cases"] = rng.sample(content["cases"], min(4, len(content["cases"])))
    clean = check(written(tmp_path, content))
    assert not clean.mismatches
    assert not clean.uncovered
    numbers = [leaf for leaf in leaves(content["cases"], ()) if leaf[1] == "expected"]
    numbers = [leaf for leaf in numbers if isinstance(at(content["cases"], leaf), float)]
    for leaf in rng.sample(numbers, min(3, len(numbers))):
        broken = copy.deepcopy(content)
        put(broken["cases"], leaf, at(content["cases"], leaf) + 1e-3)
        assert check(written(tmp_path, broken)).mismatches, leaf


@needs_shared
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*_*.json")), ids=lambda path: path.stem)
def test_broken_inputs_are_reported_and_never_end_the_run(path: Path, tmp_path: Path) -> None:
    content = json.loads(path.read_text())
    if content["schema"] != "crop-golden/1":
        return
    rng = random.Random(path.name)
    content["cases"] = sorted(content["cases"], key=lambda case: len(json.dumps(case)))[:6]
    inputs = [leaf for leaf in leaves(content["cases"], ()) if leaf[1] == "input"]
    for junk in (None, "NaN", "Infinity", [], {}, "text", -1, 1e308):
        broken = copy.deepcopy(content)
        for leaf in rng.sample(inputs, min(3, len(inputs))):
            put(broken["cases"], leaf, junk)
        result = check(written(tmp_path, broken))
        assert result.cases == len(content["cases"])


# --- torch's choice among ties ---------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 5).map(float), min_size=5, max_size=90))
def test_topk_returns_the_largest_values_in_order(values: list[float]) -> None:
    places = topk(values, 5)
    assert len(set(places)) == 5
    assert [values[place] for place in places] == sorted(values, reverse=True)[:5]


def test_topk_of_ties_is_torch_s() -> None:
    """Recorded from torch 2.13 on a CPU; 6,000 random draws of 10 to 90 values agreed when this was written."""
    assert topk([4.0] * 90, 5) == [59, 61, 60, 62, 58]
    assert topk([4.0] * 90, 10) == [62, 57, 58, 59, 60, 61, 65, 67, 66, 56]
    assert topk([math.nan, 1.0], 1) == [0]
