"""The examination of what finds the ten elements: who knows scores one, who guesses scores like a guess."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.element_scores import judge_scene, share
from benchmarks.element_tables import document
from benchmarks.elements import NAMES, Job, examine, jobs_of, judged
from benchmarks.scenes.degradations import DEGRADATIONS
from benchmarks.scenes.element_scenes import ElementScene, element_scene
from benchmarks.scenes.element_truth import Truth, angle_of
from crop_reasoning.composition.elements import ELEMENTS

NOWHERE = Truth()


@cache
def scene_of(name: str | None, seed: int) -> ElementScene:
    return element_scene(name, seed)


def evidence(name: str, truth: Truth = NOWHERE) -> SimpleNamespace:
    line = truth.axis or (truth.lines[-1] if truth.lines else None)
    return SimpleNamespace(name=name, strength=1.0, line=line, vanishing=truth.vanishing)


Answers = Callable[[ElementScene], Sequence[SimpleNamespace]]


def examined(answers: Answers, scenes: int = 6) -> dict[str, Any]:
    """The examination of something that knows which scene a picture is of."""
    cases = [(job.name, scene_of(job.name, job.seed)) for job in jobs_of(scenes, 0, seed=0)]
    return examine(judge_scene(name, "", scene, answers(scene)) for name, scene in cases)["none"]


def the_truth(scene: ElementScene) -> list[SimpleNamespace]:
    return [evidence(name, truth) for name, truth in scene.truths.items()]


def test_who_tells_the_truth_scores_one_whatever_it_says_of_the_ambiguous() -> None:
    for answers in (the_truth, lambda scene: [*the_truth(scene), *map(evidence, sorted(scene.ambiguous))]):
        figures = examined(answers)
        for name in ELEMENTS:
            assert figures["recall"][name]["value"] == figures["precision"][name]["value"] == 1
            assert figures["recall"][name]["n"] >= 6
        for row, cells in figures["confusion"].items():
            assert all(cell in ({1} if column == row else {0, None}) for column, cell in cells.items())
        assert {error["median"] for error in figures["errors"].values()} == {0}
        assert {error["q90"] for error in figures["errors"].values()} == {0}
        assert {error["without"] for error in figures["errors"].values()} == {0}
        assert len(figures["errors"]) == 5


def test_analysing_the_pictures_is_what_is_judged() -> None:
    """The whole way of the program: paint, degrade, analyse, judge."""
    scenes = {scene_of(name, 0).image.tobytes(): scene_of(name, 0) for name in NAMES}

    def analyse(image: Image.Image) -> SimpleNamespace:
        scene = scenes.get(image.tobytes())
        return SimpleNamespace(elements=tuple(the_truth(scene)) if scene else ())

    results = examine(judged(analyse, Job(name, 0, kind)) for name in NAMES for kind in ("", "blur 2"))
    assert {results["none"]["recall"][name]["value"] for name in ELEMENTS} == {1}
    assert {results["blur 2"]["recall"][name]["value"] for name in ELEMENTS} == {0}


def test_who_names_all_has_full_recall_and_poor_precision() -> None:
    figures = examined(lambda _: [evidence(name) for name in ELEMENTS])
    assert {figures["recall"][name]["value"] for name in ELEMENTS} == {1}
    assert max(figures["precision"][name]["value"] for name in ELEMENTS) < 0.5
    assert {cell for cells in figures["confusion"].values() for cell in cells.values()} <= {1, None}
    assert all(error["n"] == 0 and error["without"] > 0 for error in figures["errors"].values())


def test_who_names_none_has_no_recall_and_no_precision_to_speak_of() -> None:
    figures = examined(lambda _: [])
    assert {figures["recall"][name]["value"] for name in ELEMENTS} == {0}
    assert set(figures["precision"].values()) == {None}
    assert {cell for cells in figures["confusion"].values() for cell in cells.values()} <= {0, None}


def test_who_guesses_scores_like_a_guess() -> None:
    rng = np.random.default_rng(0)
    figures = examined(lambda _: [evidence(name) for name in ELEMENTS if rng.random() < 0.5], 8)
    recalls = [figures["recall"][name]["value"] for name in ELEMENTS]
    assert 0.35 < float(np.mean(recalls)) < 0.65
    assert max(figures["precision"][name]["value"] for name in ELEMENTS) < 0.7


def test_errors_of_geometry_are_measured_in_degrees_and_percent() -> None:
    def askew(scene: ElementScene) -> list[SimpleNamespace]:
        pieces = the_truth(scene)
        width, height = scene.image.size
        aside = 0.05 * math.hypot(width, height)
        for piece in pieces:
            if piece.name == "horizontal":
                slope = math.tan(math.radians(angle_of(piece.line, scene.image.size) + 3))
                piece.line = (0.0, 0.5, 1.0, 0.5 + slope * width / height)
            elif piece.name == "symmetric":
                x1, y1, x2, y2 = piece.line
                step = (aside / width, 0) if x1 == x2 else (0, aside / height)
                piece.line = (x1 + step[0], y1 + step[1], x2 + step[0], y2 + step[1])
            elif piece.vanishing:
                piece.vanishing = (piece.vanishing[0] + aside / width, piece.vanishing[1])
        return pieces

    errors = examined(askew, 4)["errors"]
    assert errors["horizontal angle"]["q90"] == pytest.approx(3, abs=1e-3)
    assert errors["symmetric axis"]["median"] == pytest.approx(5, abs=1e-3)
    assert errors["vanishing point"]["median"] == pytest.approx(5, abs=1e-3)


def test_the_strongest_of_several_pieces_counts() -> None:
    def twice(scene: ElementScene) -> list[SimpleNamespace]:
        weak = [evidence(name) for name in scene.truths]
        for piece in weak:
            piece.strength, piece.line = 0.1, (0.1, 0.1, 0.2, 0.17)
        return [*the_truth(scene), *weak]

    assert {error["q90"] for error in examined(twice, 4)["errors"].values()} == {0}


def test_an_element_that_is_none_of_the_ten_is_an_error() -> None:
    with pytest.raises(ValueError, match="reports 'spiral'"):
        examined(lambda _: [evidence("spiral")], 1)


def test_jobs_cover_every_element_and_degradation_and_seeds_do_not_meet() -> None:
    jobs = jobs_of(5, 2, seed=1)
    assert len(jobs) == len(set(jobs)) == 11 * (5 + 2 * len(DEGRADATIONS))
    assert not {job.seed for job in jobs} & {job.seed for job in jobs_of(5, 2, seed=0)}
    assert Job("center", 1_000_001, "grey") in jobs


def test_the_document_holds_every_element_and_every_state() -> None:
    def blind(image: Image.Image) -> SimpleNamespace:
        return SimpleNamespace(elements=())

    results = examine(judged(blind, job) for job in jobs_of(1, 1, seed=0))
    assert set(results) == {"none", *DEGRADATIONS}
    text = document(results, {"scenes": 1, "degraded": 1, "seed": 0})
    assert all(f"\n| {name} | 0.000 [0.000, " in text for name in ELEMENTS)
    assert all(f"\n| {kind} | 0.00 / – |" in text for kind in DEGRADATIONS)


def test_the_interval_of_a_share_is_one_at_its_ends_too() -> None:
    nothing, everything = share(0, 60), share(60, 60)
    assert nothing is not None
    assert everything is not None
    assert nothing["low"] == 0 < nothing["high"] < 0.07
    assert 0.93 < everything["low"] < everything["high"] == 1
    assert share(0, 0) is None
