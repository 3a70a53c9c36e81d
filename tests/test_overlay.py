"""Overlays: geometry where it belongs, in its kind's color, legible on dark and light, and nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from crop_reasoning.composition.overlay import COLORS, legend, overlay
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.reasoning.rationale import Element

GREY = (120, 120, 120)
CROP = Box(0.25, 0.25, 0.75, 0.75)


def plain(color: tuple[int, int, int] = GREY, wh: tuple[int, int] = (240, 160)) -> Image.Image:
    return Image.new("RGB", wh, color)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def near(image: Image.Image, kind: str, tolerance: int = 24) -> np.ndarray:
    """Where the pixels have the color of a kind, (height, width)."""
    return (np.abs(pixels(image) - np.array(ImageColor.getrgb(COLORS[kind]))) <= tolerance).all(axis=2)


def test_the_photo_itself_and_its_size_are_left_alone() -> None:
    image = plain()
    drawn = overlay(image, thirds=True, decision=CROP, shade=True)
    assert drawn.size == image.size
    assert drawn.mode == "RGB"
    assert (pixels(image) == GREY).all()


def test_nothing_to_draw_changes_nothing() -> None:
    assert (pixels(overlay(plain())) == GREY).all()


@pytest.mark.parametrize("kind", ["subject", "proposal", "expert", "decision"])
def test_a_box_is_drawn_on_its_edges_in_its_own_color(kind: str) -> None:
    named = {"subject": {"subject": CROP}, "proposal": {"proposals": [CROP]}}
    drawn = overlay(plain(), **named.get(kind, {"experts": [CROP]} if kind == "expert" else {"decision": CROP}))
    hit = near(drawn, kind)
    assert hit[80, 58:63].any()  # left edge at x = 60
    assert hit[80, 178:183].any()  # right edge at x = 180
    assert hit[118:123, 70:170].any()  # bottom edge at y = 120
    assert not hit[80, 90:150].any()  # the middle stays free
    assert (pixels(drawn)[80, 100:140] == GREY).all()


def test_elements_draw_points_lines_and_boxes_and_skip_those_without_geometry() -> None:
    line = overlay(plain(), elements=[Element("horizontal", "", line=(0.0, 0.5, 1.0, 0.5))])
    assert near(line, "element")[78:83, 100:230].any(axis=0).all()
    point = overlay(plain(), elements=[Element("center", "", point=(0.5, 0.5))])
    assert near(point, "element")[80, 120]
    box = overlay(plain(), elements=[Element("pattern", "", box=CROP)])
    assert near(box, "element")[80, 58:63].any()
    assert (pixels(overlay(plain(), elements=[Element("pattern", "a motif repeats")])) == GREY).all()


def test_thirds_lie_on_the_thirds() -> None:
    changed = (pixels(overlay(plain(), thirds=True)) != GREY).any(axis=2)
    rows = changed[:, 5:70].any(axis=1).nonzero()[0]
    assert changed[5:50, 78:83].any()
    assert changed[5:50, 158:163].any()
    assert rows.size
    assert all(min(abs(row - 160 / 3), abs(row - 320 / 3)) < 4 for row in rows)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (74, 222, 128)], ids=["dark", "light", "own color"])
def test_a_stroke_is_legible_on_any_background(background: tuple[int, int, int]) -> None:
    row = pixels(overlay(plain(background), decision=CROP))[80, 50:72].sum(axis=1)
    assert row.max() - row.min() > 120


def test_the_whole_frame_stays_in_sight() -> None:
    hit = near(overlay(plain(), decision=WHOLE), "decision")
    assert hit[80, :6].any()
    assert hit[80, -6:].any()
    assert hit[:6, 120].any()
    assert hit[-6:, 120].any()


def test_slanted_lines_are_anti_aliased() -> None:
    drawn = overlay(plain((0, 0, 0)), elements=[Element("diagonal", "", line=(0.1, 0.9, 0.9, 0.2))])
    shades = np.unique(pixels(drawn)[:, 150:, 2])
    assert len(shades) > 6


def test_shade_darkens_what_is_cut_away_and_only_that() -> None:
    drawn = pixels(overlay(plain(), decision=CROP, shade=True))
    assert (drawn[80, 100:140] == GREY).all()
    assert (drawn[10, 10:200] < 90).all()


def test_proposals_are_numbered_apart_even_when_they_share_a_corner() -> None:
    one = overlay(plain(), proposals=[CROP])
    two = overlay(plain(), proposals=[CROP, CROP])
    assert near(two, "proposal").sum() > near(one, "proposal").sum() + 60  # a second tag


def test_the_same_input_gives_the_same_picture() -> None:
    made = [overlay(plain(), thirds=True, subject=CROP, proposals=[CROP, WHOLE]).tobytes() for _ in range(2)]
    assert made[0] == made[1]


def test_tiny_photos_can_be_drawn_on() -> None:
    assert overlay(plain(wh=(12, 9)), subject=CROP, proposals=[CROP], decision=WHOLE).size == (12, 9)


def test_the_legend_shows_each_kind_and_wraps() -> None:
    wide, narrow = legend(list(COLORS), 700), legend(list(COLORS), 180)
    assert wide.width == 700
    assert narrow.width == 180
    assert narrow.height > 2 * wide.height
    for kind in COLORS:
        assert near(wide, kind).any(), kind
    assert not near(legend(["subject"]), "decision").any()
