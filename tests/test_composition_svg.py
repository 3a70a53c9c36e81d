"""SVG for people: valid XML, the strokes of `render` as vectors, titles that say what they are."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crop_reasoning.composition.analysis import Analysis
from crop_reasoning.composition.render import GUIDE_COLORS, PEOPLE, guide_strokes
from crop_reasoning.composition.svg import data_uri, render_svg
from tests.drawn_analyses import EVERYTHING, analyses, analysis_of

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    return root


def test_every_stroke_has_a_title_and_its_color() -> None:
    root = parsed(render_svg((600, 400), EVERYTHING, None))
    titled = [line for line in root.iter(f"{SVG}polyline") if line.find(f"{SVG}title") is not None]
    strokes = guide_strokes(EVERYTHING, (600, 400), PEOPLE)
    assert [line.get("stroke") for line in titled] == [stroke.color for stroke in strokes]
    titles = [line.findtext(f"{SVG}title") for line in titled]
    assert "thirds" in titles
    assert "horizontal: horizontal & more" in titles  # escaped, and read back
    x, y = titled[-1].get("points", "").split()[0].split(",")
    assert (float(x), float(y)) == pytest.approx(strokes[-1].points[0], abs=0.01)


def test_the_legend_and_the_labels_name_what_is_drawn() -> None:
    words = [text.text for text in parsed(render_svg((600, 400), analysis_of("curved"), None)).iter(f"{SVG}text")]
    assert words == ["curved", "thirds", "curved"]
    everything = [text.text for text in parsed(render_svg((900, 600), EVERYTHING, None)).iter(f"{SVG}text")]
    assert set(everything) == {*GUIDE_COLORS, "vanishing point"}


def test_the_photo_is_linked_or_inside() -> None:
    linked = parsed(render_svg((600, 400), EVERYTHING, 'a "b" & <c>.jpg')).find(f".//{SVG}image")
    assert linked is not None
    assert linked.get("href") == 'a "b" & <c>.jpg'
    uri = data_uri(Image.new("RGB", (60, 40), "teal"))
    inside = parsed(render_svg((60, 40), EVERYTHING, uri)).find(f".//{SVG}image")
    assert inside is not None
    with Image.open(io.BytesIO(base64.b64decode(str(inside.get("href")).split(",")[1]))) as photo:
        assert (photo.format, photo.size) == ("JPEG", (60, 40))
    assert parsed(render_svg((60, 40), EVERYTHING, None)).find(f".//{SVG}image") is None


@settings(max_examples=40, deadline=None)
@given(analyses, st.sampled_from([(1, 1), (1, 5000), (300, 200)]))
def test_any_analysis_gives_valid_xml(analysis: Analysis, wh: tuple[int, int]) -> None:
    root = parsed(render_svg(wh, analysis, None))
    assert float(root.get("width", "0")) >= wh[0]
    assert "nan" not in ElementTree.tostring(root, "unicode")
