"""Scenes with known geometry: what is said of a picture can be measured in its pixels."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from benchmarks.elements import NAMES
from benchmarks.scenes.degradations import DEGRADATIONS
from benchmarks.scenes.element_scenes import FRAMES, STYLES, ElementScene, element_scene, paint_scene
from benchmarks.scenes.element_truth import Line, Truth, angle_of, cut, mirror_correlation, placements
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.errors import DataError

PLACEMENTS = ("rule of thirds", "center", "golden ratio")


@cache
def scene_of(name: str | None, seed: int) -> ElementScene:
    return element_scene(name, seed)


def grey_of(scene: ElementScene) -> np.ndarray:
    return np.asarray(scene.image.convert("L"), np.float64)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_scene_and_another_seed_another(name: str | None) -> None:
    one, same, other = (element_scene(name, seed) for seed in (3, 3, 3 + len(STYLES[name])))
    assert one.image.tobytes() == same.image.tobytes()
    assert (one.truths, one.ambiguous, one.subject) == (same.truths, same.ambiguous, same.subject)
    assert one.style == other.style
    assert one.image.size != other.image.size or one.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_has_its_element_and_says_nothing_twice(name: str | None) -> None:
    for seed in range(16):
        scene = scene_of(name, seed)
        assert scene.image.mode == "RGB"
        assert scene.image.size in FRAMES
        assert not scene.elements & scene.ambiguous
        assert scene.elements | scene.ambiguous <= ELEMENTS.keys()
        assert name in scene.elements if name else not scene.elements


def test_all_styles_come_in_turn() -> None:
    for name, styles in STYLES.items():
        seen = [element_scene(name, seed, (96, 72)).style for seed in range(2 * len(styles))]
        assert len(set(seen)) == len(styles)
        assert seen[: len(styles)] == seen[len(styles) :]


def test_an_unknown_element_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="'spiral'; expected one of rule of thirds"):
        element_scene("spiral", 0)


def numbers_of(truth: Truth) -> list[float]:
    """All coordinates in the frame; the steps of a grid are none."""
    points = [*truth.polygon, *truth.curve, *([truth.vanishing] if truth.vanishing else [])]
    points += [truth.point] if truth.point else []
    boxes = [*truth.lines, *([truth.axis] if truth.axis else []), *([truth.box] if truth.box else [])]
    return [value for item in (*points, *boxes, *([truth.grid[0]] if truth.grid else [])) for value in item]


@pytest.mark.parametrize("name", ELEMENTS)
def test_each_element_has_its_geometry_inside_the_frame(name: str) -> None:
    fields = {"symmetric": "axis", "curved": "curve", "triangle": "polygon", "pattern": "grid"}
    fields |= dict.fromkeys(PLACEMENTS, "point") | dict.fromkeys(("horizontal", "vertical", "diagonal"), "lines")
    for seed in range(16):
        truth = scene_of(name, seed).truths[name]
        assert getattr(truth, fields[name])
        assert all(-1e-9 <= value <= 1 + 1e-9 for value in numbers_of(truth))


@pytest.mark.parametrize(
    ("name", "around", "within"), [("horizontal", 0, 2), ("vertical", 90, 2), ("diagonal", 45, 35)]
)
def test_lines_run_as_their_element_says(name: str, around: float, within: float) -> None:
    for seed in range(16):
        scene = scene_of(name, seed)
        for line in scene.truths[name].lines:
            turn = angle_of(line, scene.image.size) - around
            if name == "diagonal":  # neither level nor upright, either way, but a road's middle may rise steeply
                turn = min(abs(turn), abs(turn - 90)) if scene.style != "road" else 0
            assert min(abs(turn), 180 - abs(turn)) <= within


def step_across(grey: np.ndarray, line: Line, wh: tuple[int, int]) -> float:
    """The mean difference of brightness between the two sides of a line in the frame, 3 px away from it."""
    x1, y1, x2, y2 = (value * wh[k % 2] for k, value in enumerate(line))
    x1, y1, x2, y2 = cut((x1, y1, x2, y2), wh)
    length = math.hypot(x2 - x1, y2 - y1)
    nx, ny = (y1 - y2) / length, (x2 - x1) / length
    t = np.linspace(0.02, 0.98, 200)
    sides = []
    for offset in (-3, 3):
        x, y = x1 + t * (x2 - x1) + offset * nx - 0.5, y1 + t * (y2 - y1) + offset * ny - 0.5
        sides.append(map_coordinates(grey, [y, x], order=1, mode="nearest"))
    return abs(float((sides[1] - sides[0]).mean()))


@pytest.mark.parametrize("name", ["horizontal", "diagonal"])
def test_nothing_parallel_or_slightly_turned_is_as_strong_as_a_true_edge(name: str) -> None:
    for seed in range(16):
        scene = scene_of(name, seed)
        if scene.style not in ("sea", "table", "field_edge", "long_wall", "ridge"):
            continue
        grey, wh = grey_of(scene), scene.image.size
        lines = scene.truths[name].lines
        x1, y1, x2, y2 = lines[0]
        own = step_across(grey, lines[0], wh)
        taken = [line[1] for line in lines]
        moved = [y for y in np.arange(-0.2, 0.21, 0.02) if min(abs(y1 + y - other) for other in taken) > 0.015]
        assert own > max(step_across(grey, (x1, y1 + y, x2, y2 + y), wh) for y in moved), (scene.style, seed)
        rise = math.tan(math.radians(3)) * wh[0] / wh[1] / 2
        assert own > max(step_across(grey, (x1, y1 - r, x2, y2 + r), wh) for r in (-rise, rise)), (scene.style, seed)


def test_a_symmetric_scene_mirrors_about_its_axis_and_not_beside_it() -> None:
    for seed in range(16):
        scene = scene_of("symmetric", seed)
        axis, grey, (width, height) = scene.truths["symmetric"].axis, grey_of(scene), scene.image.size
        assert axis is not None
        upright = axis[0] == axis[2]
        turned, column = (grey, axis[0] * width) if upright else (grey.T, axis[1] * height)
        assert column == pytest.approx(round(column))
        own = mirror_correlation(turned, round(column))
        assert own > 0.85, (scene.style, seed)
        assert own > max(mirror_correlation(turned, round(column) + shift) for shift in (-2, 2)), (scene.style, seed)


def test_a_pattern_repeats_after_its_period_and_not_after_half_of_it() -> None:
    def likeness(grey: np.ndarray, dx: float, dy: float) -> float:
        y, x = np.mgrid[40 : grey.shape[0] - 60 : 3, 60 : grey.shape[1] - 80 : 3].astype(float)
        here, there = grey[y.astype(int), x.astype(int)], map_coordinates(grey, [y + dy, x + dx], order=1)
        return float(np.corrcoef(here.ravel(), there.ravel())[0, 1])

    for seed in range(16):
        scene = scene_of("pattern", seed)
        grid, grey, (width, height) = scene.truths["pattern"].grid, grey_of(scene), scene.image.size
        assert grid is not None
        for dx, dy in grid[1:]:
            if dx or dy:
                step = (dx * width, dy * height)
                whole, half = likeness(grey, *step), likeness(grey, step[0] / 2, step[1] / 2)
                assert whole > half + 0.03, (scene.style, seed)


def test_the_center_of_a_motif_of_the_grid_is_where_a_window_is() -> None:
    scene = element_scene("pattern", 0)
    assert scene.style == "windows"
    grid, grey, (width, height) = scene.truths["pattern"].grid, grey_of(scene), scene.image.size
    assert grid is not None
    (x, y), (dx, _), _ = grid
    inside = grey[round(y * height), round((x + dx) * width)]
    between = grey[round(y * height), round((x + dx * 1.5) * width)]
    assert abs(inside - between) > 40


@pytest.mark.parametrize("name", [*PLACEMENTS, "horizontal", None])
def test_what_a_subject_changes_lies_in_its_box_and_fills_it(name: str | None) -> None:
    seen = 0
    for seed in range(12):
        scene, bare = paint_scene(name, seed), paint_scene(name, seed, with_subject=False)
        if scene.subject is None:
            continue
        seen += 1
        change = np.abs(np.asarray(scene.image, int) - np.asarray(bare.image, int)).max(axis=2) > 12
        rows, columns = np.flatnonzero(change.any(axis=1)), np.flatnonzero(change.any(axis=0))
        width, height = scene.image.size
        box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
        away = [
            abs(a - b) * (width, height)[k % 2] for k, (a, b) in enumerate(zip(box, scene.subject.xyxy, strict=True))
        ]
        assert max(away) <= 3, (scene.style, seed, away)
    assert seen >= 2


@given(st.floats(0, 1), st.floats(0, 1))
def test_placement_is_true_ambiguous_or_absent(x: float, y: float) -> None:
    true, ambiguous = placements((x, y))
    assert not true & ambiguous
    assert (true, ambiguous) == placements((1 - x, y)) == placements((y, x)) or min(x, y) < 1e-6
    assert ("center" in true) == (max(abs(x - 0.5), abs(y - 0.5)) <= 0.03)


def test_placements_that_a_photographer_would_name() -> None:
    assert placements((1 / 3, 2 / 3)) == ({"rule of thirds"}, {"golden ratio"})
    assert placements((0.382, 0.618)) == ({"golden ratio"}, {"rule of thirds"})
    assert placements((0.5, 0.5)) == ({"center"}, set())
    assert placements((0.358, 0.5)) == ({"rule of thirds"}, {"golden ratio"})
    assert placements((0.42, 0.42)) == (set(), {"rule of thirds", "golden ratio", "center"})
    assert placements((0.1, 0.1)) == (set(), set())
    assert placements((1 / 3, 0.1))[0] == set()


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_degradation_changes_pixels_alone_and_always_the_same_way(kind: str) -> None:
    image = element_scene("curved", 1).image
    before = image.tobytes()
    once, again = DEGRADATIONS[kind](image), DEGRADATIONS[kind](image)
    assert (once.size, once.mode) == (image.size, "RGB")
    assert once.tobytes() == again.tobytes() != before == image.tobytes()
    assert np.abs(np.asarray(once, float) - np.asarray(image, float)).mean() < 60
