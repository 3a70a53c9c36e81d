"""The quickstart as a newcomer runs it, small: every stage for real, with few scenes and few steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crop_reasoning import quickstart
from crop_reasoning.errors import Interrupted, RecipeError
from crop_reasoning.training import recipe

FEW = ["optim.steps=2", "optim.warmup_steps=0"]


@pytest.fixture(scope="module")
def small() -> pytest.MonkeyPatch:
    """Few scenes, few steps; the rest is what `make quickstart` runs."""
    load = recipe.load_recipe

    def load_small(path: Path, overrides: Sequence[str] = ()) -> recipe.Recipe:
        if path.name == "recipe.yaml":  # a run's own, read by its card
            return load(path, overrides)
        return load(path, [*overrides, *FEW, *(["base.look_steps=1"] if path.name == "base.yaml" else [])])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "load_recipe", load_small)
        patch.setattr(quickstart, "PHOTOS", ("camera",))
        base = {"train": 16, "val": 0, "test": 0, "anywhere": True}
        patch.setattr(quickstart, "SCENES", {"base": base, "crop": {"train": 16, "val": 1, "test": 4}})
        yield patch


@pytest.fixture(scope="module")
def done(small, tmp_path_factory) -> tuple[Path, quickstart.Summary]:
    out = tmp_path_factory.mktemp("quickstart") / "run"
    return out, quickstart.run(out)


def test_it_ends_with_a_table_a_verdict_a_stage_and_a_page(done) -> None:
    out, summary = done
    for name in ("base (never saw a crop)", "SFT", "SFT + DPO", "whole image", "center crop 0.9", "best constant"):
        assert f"| {name} |" in summary.table
    assert len(summary.verdicts) == 4
    assert summary.report == out / "report.html"
    page = summary.report.read_text()
    assert "Real photographs" in page
    assert 'src="http' not in page
    assert (out / "photos" / "camera.crop.jpg").is_file()


def test_a_stage_of_two_steps_is_said_not_to_help(done) -> None:
    assert any(verdict.startswith("DID NOT HELP") for verdict in done[1].verdicts)


def test_the_card_of_each_stage_quotes_its_figures(done) -> None:
    for stage in quickstart.STAGES:
        assert "Not evaluated yet" not in (done[0] / stage / "README.md").read_text()


def test_again_it_does_nothing_twice_and_says_the_same(done) -> None:
    out, summary = done
    before = {path: path.read_bytes() for path in out.rglob("*.safetensors")}
    again = quickstart.run(out)
    assert again.table == summary.table
    assert {path: path.read_bytes() for path in out.rglob("*.safetensors")} == before


def test_another_seed_in_the_same_folder_is_refused(done) -> None:
    with pytest.raises(RecipeError, match=r"begun with --seed 0, got --seed 1; give another --out"):
        quickstart.run(done[0], seed=1)


def test_ctrl_c_says_that_the_same_command_goes_on(small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("data_builders.toy._write_scene", interrupted)
    monkeypatch.setattr("data_builders.toy.ProcessPoolExecutor", _Serial)
    with pytest.raises(Interrupted, match="the same command goes on where it was"):
        quickstart.run(tmp_path / "run")


class _Serial:
    """Runs jobs here, so that a patched function is the one that is called."""

    def __init__(self, workers: int) -> None: ...

    def __enter__(self) -> _Serial:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function, jobs, chunksize):
        return map(function, jobs)
