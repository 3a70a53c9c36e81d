"""What the tests of the ground draw their examples from: boxes, rationales on a codec's grid, production budgets."""

from __future__ import annotations

from hypothesis import strategies as st

from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan, VisionBudget, plan_image
from crop_reasoning.models.families import FAMILIES, Family
from crop_reasoning.reasoning.rationale import MIN_SIDE, Decision, Element, Proposal, Rationale, quantize

PRODUCTION = {
    "qwen2_5_vl": VisionBudget("qwen2_5_vl", 28, 56 * 56, 28 * 28 * 1280),
    "qwen3_vl": VisionBudget("qwen3_vl", 32, 256 * 256, 4096 * 4096),
}
"""The pixel budgets that the published processors come with."""

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
"""Any text at all but half surrogates: quotes, newlines, tags, emoji, line separators."""
nasty_words = st.sampled_from(
    [
        '"',
        "\\",
        "\n",
        "</decision>",
        '<decision>{"box":[0,0,9,9]}</decision>',
        "<think>",
        "\u2028",
        "🌄",
        "裁剪",
        "\x00",
    ]
)
texts = st.one_of(words, nasty_words, st.lists(nasty_words, max_size=4).map("".join))
unit = st.floats(0, 1)


@st.composite
def boxes(draw: st.DrawFn, least: float = 1e-3) -> Box:
    """Boxes whose sides are at least `least`."""
    x1, y1 = draw(st.floats(0, 1 - least)), draw(st.floats(0, 1 - least))
    return Box(x1, y1, draw(st.floats(min(x1 + least, 1), 1)), draw(st.floats(min(y1 + least, 1), 1)))


@st.composite
def elements(draw: st.DrawFn) -> Element:
    """Elements with one geometry or none; names need not be of the ten."""
    geometry = draw(
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"point": st.tuples(unit, unit)}),
            st.fixed_dictionaries({"line": st.tuples(unit, unit, unit, unit)}),
            st.fixed_dictionaries({"box": boxes()}),
        )
    )
    return Element(draw(st.one_of(st.sampled_from(list(ELEMENTS)), texts)), draw(texts), **geometry)


proposals = st.builds(Proposal, boxes(), st.lists(texts, max_size=3).map(tuple), texts)
free_rationales = st.builds(
    Rationale,
    st.none() | boxes(),
    st.lists(elements(), max_size=3).map(tuple),
    st.lists(proposals, max_size=4).map(tuple),
    st.builds(Decision, boxes(2 * MIN_SIDE + 0.02), texts),
)


@st.composite
def written(draw: st.DrawFn) -> tuple[Rationale, Family, ImagePlan]:
    """A rationale on the grid of a family's codec for some photo, with the family and the photo's plan."""
    family = draw(st.sampled_from(list(FAMILIES.values())))
    wh = draw(st.tuples(st.integers(100, 4000), st.integers(100, 4000)))
    plan = plan_image(wh, PRODUCTION[family.model_type])
    return quantize(draw(free_rationales), family.codec, plan), family, plan
