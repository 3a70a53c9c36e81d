"""Guides: where they were measured, in a color of their own, legible on any photo, and never in each other's way."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor

from crop_reasoning.composition.analysis import Analysis, Evidence
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.labels import placed_tags
from crop_reasoning.composition.render import (
    GUIDE_COLORS,
    MODEL,
    PEOPLE,
    Style,
    guide_legend,
    guide_strokes,
    label_size,
    render,
)
from crop_reasoning.composition.strokes import font_of, luminance
from tests.drawn_analyses import EVERYTHING, ON_STROKE, analyses, analysis_of
from tests.golden_images import FOLDER, GOLDEN

GREY = (119, 119, 119)
SIZES = [(240, 160), (512, 341), (700, 1000)]


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def near(drawn: np.ndarray, kind: str, tolerance: int = 40) -> np.ndarray:
    """Where pixels (h, w, 3) have the color of a kind, (h, w)."""
    return (np.abs(drawn - np.array(ImageColor.getrgb(GUIDE_COLORS[kind].hex))) <= tolerance).all(axis=2)


def around(drawn: np.ndarray, kind: str, reach: int = 9) -> np.ndarray:
    """The pixels about a point on the stroke of a kind."""
    x, y = round(ON_STROKE[kind][0] * drawn.shape[1]), round(ON_STROKE[kind][1] * drawn.shape[0])
    return drawn[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]


def contrast(drawn: np.ndarray) -> float:
    """The largest contrast between two pixels, as WCAG 2 measures it: 1 to 21."""
    shades = [luminance(tuple(int(part) for part in color)) for color in drawn.reshape(-1, 3)]
    return (max(shades) + 0.05) / (min(shades) + 0.05)


# colors


def seen_by(colors: np.ndarray, receptors: list[list[float]]) -> np.ndarray:
    """Colors (n, 3) in [0,1] of sRGB as CIELAB, after what a color deficiency leaves of them."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    left = np.clip(linear @ np.array(receptors).T, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = left @ np.array(to_xyz).T / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize(
    ("receptors", "least"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 36),
        (
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
            26,
        ),
        (
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
            26,
        ),
    ],
    ids=["all receptors", "deuteranopia", "protanopia"],
)
def test_every_two_colors_can_be_told_apart(receptors: list[list[float]], least: float) -> None:
    """Matrices of Machado, Oliveira and Fernandes 2009; the distance is that of CIE 1976."""
    colors = np.array([ImageColor.getrgb(color.hex) for color in GUIDE_COLORS.values()]) / 255
    lab = dict(zip(GUIDE_COLORS, seen_by(colors, receptors), strict=True))
    close = {(a, b): float(np.linalg.norm(lab[a] - lab[b])) for a, b in combinations(lab, 2)}
    assert min(close.values()) >= least, min(close, key=lambda pair: close[pair])


def test_there_is_a_color_and_a_word_for_each_kind() -> None:
    assert set(GUIDE_COLORS) == {"thirds", "subject", "face"} | (set(ELEMENTS) - {"rule of thirds"})
    assert len({color.hex for color in GUIDE_COLORS.values()}) == len(GUIDE_COLORS)
    assert len({color.word for color in GUIDE_COLORS.values()}) == len(GUIDE_COLORS)


def test_the_legend_in_words_is_one_short_line_with_every_kind() -> None:
    legend = guide_legend()
    assert "\n" not in legend
    assert len(legend.split()) <= 40
    assert all(f"{color.word} " in legend and f": {kind}" in legend for kind, color in GUIDE_COLORS.items())
    assert "yellow box: subject" in legend


# where strokes are


@pytest.mark.parametrize("kind", GUIDE_COLORS)
@pytest.mark.parametrize("wh", SIZES, ids=str)
def test_a_guide_is_drawn_where_it_was_measured_in_its_own_color(kind: str, wh: tuple[int, int]) -> None:
    drawn = pixels(render(Image.new("RGB", wh, GREY), analysis_of(kind), MODEL))
    assert near(around(drawn, kind, 3), kind).any()
    counted = {other: near(around(drawn, kind), other).sum() for other in GUIDE_COLORS}
    halos = {"thirds", "center"} - {kind}  # white and black
    assert max(counted, key=lambda other: 0 if other in halos else counted[other]) == kind


def test_what_was_not_seen_is_not_drawn() -> None:
    drawn = pixels(render(Image.new("RGB", (300, 200), GREY), Analysis((300, 200)), MODEL))
    changed = (drawn != GREY).any(axis=2)
    assert changed[:, [100, 200]].all()
    assert changed[[67, 133]].all()
    assert not changed[3:62, 3:95].any()
    assert not changed[72:128, 105:195].any()


def test_a_golden_line_is_drawn_only_where_the_subject_stands_on_it() -> None:
    drawn = pixels(render(Image.new("RGB", (300, 200), GREY), analysis_of("golden ratio"), MODEL))
    hit = near(drawn, "golden ratio")
    assert hit[100, 184:188].any()  # x = .618
    assert not hit[:, :180].any()
    assert not hit[:, 190:].any()


@pytest.mark.parametrize(("vanishing", "rings"), [((0.5, 0.2), True), ((1.01, 0.2), False), ((1.4, 0.2), False)])
def test_leading_lines_are_all_drawn_and_have_a_ring_where_they_meet_in_the_frame(
    vanishing: tuple[float, float], rings: bool
) -> None:
    lines = ((0.1, 0.9, 0.3, 0.6), (0.8, 0.95, 0.9, 0.7))
    evidence = Evidence("diagonal", 1, "", line=lines[0], leading=lines, vanishing=vanishing)
    drawn = pixels(render(Image.new("RGB", (300, 200), GREY), Analysis((300, 200), (evidence,)), MODEL))
    hit = near(drawn, "diagonal")
    assert hit[115:185, 25:95].any()
    assert hit[135:195, 235:275].any()
    assert hit[20:60].any() == rings


def test_a_symmetry_axis_is_dashed_and_a_level_line_is_not() -> None:
    axis = near(pixels(render(Image.new("RGB", (300, 200), GREY), analysis_of("symmetric"), MODEL)), "symmetric")
    level = near(pixels(render(Image.new("RGB", (300, 200), GREY), analysis_of("horizontal"), MODEL)), "horizontal")
    assert 0.25 < axis[:, 147:154].any(axis=1).mean() < 0.75
    assert level[108:118, 12:96].any(axis=0).all()


def test_boxes_on_the_frames_border_stay_in_sight() -> None:
    analysis = analysis_of("subject")
    whole = Analysis(analysis.wh, subject=type(analysis.subject)(0, 0, 1, 1))  # type: ignore[misc]
    hit = near(pixels(render(Image.new("RGB", (300, 200), GREY), whole, MODEL)), "subject")
    assert hit[50, :5].any()
    assert hit[50, -5:].any()
    assert hit[:5, 50].any()
    assert hit[-5:, 50].any()


# legibility


@pytest.mark.parametrize("kind", GUIDE_COLORS)
@pytest.mark.parametrize("ground", ["black", "white", "grey", "own color"])
def test_a_guide_stands_out_from_any_ground(kind: str, ground: str) -> None:
    """Contrast of at least 3 : 1, which WCAG 2 asks of graphical objects, at the smallest size."""
    colors = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": GREY}
    color = colors.get(ground, ImageColor.getrgb(GUIDE_COLORS[kind].hex))
    drawn = pixels(render(Image.new("RGB", SIZES[0], color), analysis_of(kind), MODEL))
    assert contrast(around(drawn, kind, 5)) >= 3


@pytest.mark.parametrize("wh", SIZES, ids=str)
def test_guides_hide_little_of_the_photo(wh: tuple[int, int]) -> None:
    usual = pixels(render(Image.new("RGB", wh, GREY), analysis_of("horizontal", "subject"), MODEL))
    assert (usual != GREY).any(axis=2).mean() < 0.14
    everything = pixels(render(Image.new("RGB", wh, GREY), EVERYTHING, MODEL))
    assert (everything != GREY).any(axis=2).mean() < 0.35


# the picture


@pytest.mark.parametrize("wh", [(1, 1), (1, 5000), (5000, 1), (15, 400), (16, 16), (240, 160), (3001, 40)], ids=str)
def test_a_model_picture_keeps_the_size_and_the_photo_itself_is_left_alone(wh: tuple[int, int]) -> None:
    image = Image.new("RGB", wh, GREY)
    drawn = render(image, EVERYTHING, MODEL)
    assert (drawn.size, drawn.mode) == (wh, "RGB")
    assert (pixels(image) == GREY).all()
    assert ((pixels(drawn) == GREY).all()) == (min(wh) < 16)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "LA", "I;16"])
def test_a_photo_of_any_mode_can_be_drawn_on(mode: str) -> None:
    image = Image.new("I;16", (60, 40), 30000) if mode == "I;16" else Image.new("RGB", (60, 40), GREY).convert(mode)
    assert render(image, EVERYTHING, MODEL).mode == "RGB"


def test_a_picture_for_people_has_a_legend_of_the_drawn_kinds_below_the_photo() -> None:
    drawn = pixels(render(Image.new("RGB", (400, 300), GREY), analysis_of("curved"), PEOPLE))
    assert drawn.shape[1] == 400
    legend = drawn[300:]
    assert near(legend, "curved").any()
    assert near(legend, "thirds").any()
    assert not near(legend, "subject").any()


def test_a_picture_for_models_has_no_letters() -> None:
    """Every stroke of it is a guide: what differs between the styles in the photo's area are labels and widths."""
    size = (400, 300)
    same = Style(letters=False, width=PEOPLE.width, least=PEOPLE.least)
    bare = pixels(render(Image.new("RGB", size, GREY), analysis_of("center"), same))
    labeled = pixels(render(Image.new("RGB", size, GREY), analysis_of("center"), PEOPLE))[:300]
    assert (bare != labeled).any(axis=2).sum() > 300  # the plate
    assert bare.shape == (300, 400, 3)


def test_the_same_input_gives_the_same_picture() -> None:
    for style in (MODEL, PEOPLE):
        made = [render(Image.new("RGB", (200, 150), GREY), EVERYTHING, style).tobytes() for _ in range(2)]
        assert made[0] == made[1]


def test_a_model_picture_takes_little_time() -> None:
    """About 8 ms of one core; the limit is loose for a busy machine."""
    image = Image.new("RGB", (512, 384), GREY)
    start = time.process_time()
    for _ in range(5):
        render(image, EVERYTHING, MODEL)
    assert (time.process_time() - start) / 5 < 0.1


@settings(max_examples=35, deadline=None)
@given(
    analyses, st.sampled_from([(1, 1), (1, 5000), (240, 160), (64, 300), (17, 16)]), st.sampled_from([MODEL, PEOPLE])
)
def test_any_analysis_can_be_drawn(analysis: Analysis, wh: tuple[int, int], style: Style) -> None:
    drawn = render(Image.new("RGB", wh, GREY), analysis, style)
    assert drawn.size == wh if style is MODEL else drawn.width >= wh[0] and drawn.height > wh[1]


@settings(max_examples=35, deadline=None)
@given(analyses, st.sampled_from([(60, 40), (300, 200), (900, 1200)]))
def test_strokes_and_labels_stay_in_the_frame_and_labels_off_each_other(
    analysis: Analysis, wh: tuple[int, int]
) -> None:
    strokes = guide_strokes(analysis, wh, PEOPLE)
    for stroke in strokes:
        for x, y in stroke.points:
            assert -1e-6 <= x <= wh[0] + 1e-6
            assert -1e-6 <= y <= wh[1] + 1e-6
    tags = [tag.box for tag in placed_tags(strokes, wh, font_of(label_size(wh)))]
    assert all(0 <= x1 < x2 <= wh[0] and 0 <= y1 < y2 <= wh[1] for x1, y1, x2, y2 in tags)
    for a, b in combinations(tags, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_each_kind_but_the_thirds_has_a_label_where_there_is_room() -> None:
    wh = (900, 600)
    strokes = guide_strokes(EVERYTHING, wh, PEOPLE)
    labels = {tag.stroke.label for tag in placed_tags(strokes, wh, font_of(label_size(wh)))}
    assert labels == set(GUIDE_COLORS) - {"thirds"} | {"vanishing point"}


# golden images


def grown(mask: np.ndarray) -> np.ndarray:
    """A mask (h, w) with all neighbors of what is in it."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    return np.any([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)


@pytest.mark.parametrize("name", GOLDEN)
def test_pictures_look_like_those_that_were_looked_at(name: str) -> None:
    """Versions of Pillow round differently: shades may differ a little, strokes may not move by more than a pixel."""
    with Image.open(FOLDER / f"{name}.png") as file:
        expected = pixels(file.convert("RGB"))
    made = pixels(GOLDEN[name]())
    assert made.shape == expected.shape
    assert np.abs(made - expected).mean() < 1.5
    for kind in GUIDE_COLORS:
        was, now = near(expected, kind), near(made, kind)
        assert (was & ~grown(now)).sum() <= 0.03 * was.sum(), kind
        assert (now & ~grown(was)).sum() <= 0.03 * now.sum(), kind


def test_golden_images_are_small() -> None:
    assert {path.stem for path in FOLDER.glob("*")} == set(GOLDEN)
    assert all(path.stat().st_size <= 30_000 for path in FOLDER.glob("*"))
