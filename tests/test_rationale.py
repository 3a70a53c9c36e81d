"""The answer's grammar: render and parse are inverses, parse never raises, no broken answer gives a wrong box."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crop_reasoning.codecs import resized_pixels, thousandths
from crop_reasoning.errors import DataError
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.rationale import (
    DECISION_OPENING,
    FAILURES,
    MIN_SIDE,
    Decision,
    Element,
    Parsed,
    ParseFailure,
    Proposal,
    Rationale,
    parse,
    quantize,
    render,
    render_box,
)
from crop_reasoning.records import to_json
from tests.strategies import free_rationales, written

PLAN = ImagePlan((1024, 683), (1024, 672), 672, "qwen3_vl")
GOLDEN_BOX = Box(0.105, 0.08, 0.905, 0.88)
GOLDEN = Rationale(
    subject=Box(0.312, 0.24, 0.455, 0.61),
    elements=(
        Element("horizontal", "a horizon", line=(0, 0.402, 1, 0.402)),
        Element("rule of thirds", "a <face>", point=(0.333, 0.25)),
        Element("pattern", 'tiles, "azulejos"\n', box=Box(0, 0, 0.5, 1)),
        Element("center", "nothing measured"),
    ),
    proposals=(
        Proposal(GOLDEN_BOX, ("rule of thirds", "horizontal"), "subject on the left third"),
        Proposal(WHOLE, (), "everything kept"),
    ),
    decision=Decision(GOLDEN_BOX, "tighter than 2"),
)
GOLDEN_TEXT = r"""<analysis>
{"subject":[312,240,455,610],"elements":[{"name":"horizontal","line":[0,402,1000,402],"evidence":"a horizon"},{"name":"rule of thirds","point":[333,250],"evidence":"a \u003cface>"},{"name":"pattern","box":[0,0,500,1000],"evidence":"tiles, \"azulejos\"\n"},{"name":"center","evidence":"nothing measured"}]}
</analysis>
<proposals>
{"reason":"subject on the left third","serves":["rule of thirds","horizontal"],"box":[105,80,905,880]}
{"reason":"everything kept","serves":[],"box":[0,0,1000,1000]}
</proposals>
<decision>
{"box":[105,80,905,880],"why":"tighter than 2"}
</decision>"""  # noqa: E501
BEFORE = GOLDEN_TEXT[: GOLDEN_TEXT.index("<decision>")]


def read(text: str, *, cut: bool = False) -> Parsed | ParseFailure:
    return parse(text, thousandths, PLAN, cut=cut)


def decided(body: str) -> str:
    """The golden answer with another decision body."""
    return f"{BEFORE}<decision>\n{body}\n</decision>"


def test_the_golden_text():
    assert render(GOLDEN, thousandths, PLAN) == GOLDEN_TEXT
    assert read(GOLDEN_TEXT) == Parsed(GOLDEN, ())


def test_the_same_rationale_in_the_other_familys_grid():
    text = render(GOLDEN, resized_pixels, PLAN)
    assert '<decision>\n{"box":[108,54,927,591],' in text
    back = parse(text, resized_pixels, PLAN)
    assert back == Parsed(quantize(GOLDEN, resized_pixels, PLAN))


def test_the_prefix_before_the_decisions_box_is_the_same_for_two_crops():
    other = Rationale(GOLDEN.subject, GOLDEN.elements, GOLDEN.proposals, Decision(WHOLE, "keep"))
    one, two = GOLDEN_TEXT, render(other, thousandths, PLAN)
    end = one.index(DECISION_OPENING) + len(DECISION_OPENING)
    assert one[:end] == two[:end]
    assert one[end:].startswith(render_box(GOLDEN_BOX, thousandths, PLAN))
    assert two[end:].startswith("[0,0,1000,1000]")


def test_the_whole_frame_means_keep():
    kept = read(decided('{"box":[0,0,1000,1000],"why":"best as it is"}'))
    assert kept.rationale.decision.keep
    assert not read(GOLDEN_TEXT).rationale.decision.keep


@settings(max_examples=200)
@given(written())
def test_parse_after_render_is_the_identity(sample):
    rationale, family, plan = sample
    text = render(rationale, family.codec, plan)
    assert parse(text, family.codec, plan) == Parsed(rationale, ())
    assert render(parse(text, family.codec, plan).rationale, family.codec, plan) == text


@given(free_rationales)
def test_what_survives_is_the_rationale_on_the_grid(rationale):
    on_grid = quantize(rationale, thousandths, PLAN)
    assert quantize(on_grid, thousandths, PLAN) == on_grid
    assert read(render(rationale, thousandths, PLAN)) == Parsed(on_grid, ())


@settings(max_examples=300)
@given(
    st.text(st.characters()) | st.lists(st.sampled_from([*GOLDEN_TEXT.split('"'), *"<>{}[]\"'\\,:0\n"])).map("".join),
    st.booleans(),
)
def test_parse_never_raises_on_any_text(text, cut):
    outcome = read(text, cut=cut)
    assert isinstance(outcome, Parsed) or outcome.kind in FAILURES


@settings(max_examples=200)
@given(written(), st.data())
def test_parse_never_raises_on_a_damaged_answer_and_is_strict_on_canonical_text_alone(sample, data):
    rationale, family, plan = sample
    text = render(rationale, family.codec, plan)
    for _ in range(data.draw(st.integers(1, 3))):
        a, b = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        patch = data.draw(st.text(st.characters(), max_size=5) | st.just(text[a:b] * 2) | st.just(""))
        text = text[:a] + patch + text[b:]
    outcome = parse(text, family.codec, plan)
    if isinstance(outcome, ParseFailure):
        assert outcome.kind in FAILURES
        assert len(outcome.detail) < 400
        return
    json.dumps(to_json(outcome.rationale), ensure_ascii=False).encode()  # what was read can be stored and sent
    assert bool(outcome.repairs) == (render(outcome.rationale, family.codec, plan) != text.strip())


def assert_no_cut_gives_a_wrong_box(text: str, right: Box) -> None:
    for end in range(len(text)):
        for cut in (True, False):
            outcome = read(text[:end], cut=cut)
            if isinstance(outcome, Parsed):
                assert outcome.box == right, text[:end]
                assert outcome.repairs
            elif cut and text[:end].strip():
                assert outcome.kind == "truncated", (outcome, text[:end])


def test_an_answer_cut_at_any_character_gives_the_right_box_or_none():
    assert_no_cut_gives_a_wrong_box(GOLDEN_TEXT, GOLDEN_BOX)
    after_box = GOLDEN_TEXT.rindex("]") + 1
    assert read(GOLDEN_TEXT[:after_box]).box == GOLDEN_BOX, "what is lost after the box is words"
    assert read(GOLDEN_TEXT[: after_box - 1]).kind == "truncated"


@settings(max_examples=25)
@given(written())
def test_no_cut_of_any_answer_gives_a_wrong_box(sample):
    rationale, family, plan = sample
    text = render(rationale, family.codec, plan)
    for end in range(len(text)):
        outcome = parse(text[:end], family.codec, plan, cut=True)
        assert isinstance(outcome, ParseFailure) or outcome.box == rationale.decision.box


CENTER = '{"subject":null,"elements":[{"name":"center","evidence":%s}]}'
FAKE = '<decision>{"box":[1,2,300,400],"why":"fake"}</decision>'


@pytest.mark.parametrize(
    "before",
    [
        "<think>\nMaybe " + FAKE + " or so.\n</think>\n",
        "Maybe " + FAKE + " or so.\n</think>\n",  # the opening tag stood in the prompt
        '<analysis>\n{"subject":null,"elements":[{"name":"center","evidence":'
        + json.dumps(FAKE)
        + "}]}\n</analysis>\n",
        '<proposals>\n{"reason":' + json.dumps("\n" + FAKE + "\n") + ',"serves":[],"box":[0,0,9,9]}\n</proposals>\n',
    ],
    ids=["thoughts", "thoughts without opening", "evidence", "reason"],
)
def test_a_decision_in_thoughts_or_strings_is_none_even_when_the_real_one_is_cut(before):
    real = GOLDEN_TEXT[GOLDEN_TEXT.index("<decision>") :]
    assert read(before + real).box == GOLDEN_BOX
    if "Maybe" in before and not before.startswith("<think>"):
        return  # without its opening tag a thought cut short cannot be told from an answer
    assert_no_cut_gives_a_wrong_box(before + real, GOLDEN_BOX)


def test_a_thin_decision_is_refused_at_the_same_width_everywhere():
    least = round(MIN_SIDE * 1000)
    for x in range(0, 1000 - least):
        assert isinstance(read(decided(f'{{"box":[{x},0,{x + least},900],"why":""}}')), Parsed), x
        assert read(decided(f'{{"box":[{x},0,{x + least - 1},900],"why":""}}')).kind == "too_small", x


GOOD = '{"box":[105,80,905,880],"why":"tighter than 2"}'
BROKEN = {
    # empty
    "": "empty",
    " \n\t ": "empty",
    "\u2003\u2028": "empty",
    # no decision
    "I would crop a little tighter on the left.": "no_decision",
    '{"box":[105,80,905,880]}': "no_decision",
    "[105,80,905,880]": "no_decision",
    BEFORE: "no_decision",
    BEFORE + "<Decision>\n" + GOOD + "\n</Decision>": "no_decision",
    BEFORE + GOOD + "\n</decision>": "no_decision",
    "<think>\n" + GOLDEN_TEXT: "no_decision",
    "我会把左边裁掉一些。": "no_decision",
    '"' + GOLDEN_TEXT.replace('"', "").replace("\n", " ") + '"': "no_decision",
    "<|im_end|>": "no_decision",
    # not JSON
    decided("the second proposal"): "not_json",
    decided(""): "not_json",
    decided("null"): "not_json",
    decided("[105,80,905,880]"): "not_json",
    decided("{'box':[105,80,905,880],'why':'tighter'}"): "not_json",
    decided("{box:[105,80,905,880]}"): "not_json",
    decided('{"box":[105,80,905,880,],"why":"x"}'): "not_json",
    decided('{"box":[105 80 905 880],"why":"x"}'): "not_json",
    decided('{"box":(105,80,905,880),"why":"x"}'): "not_json",
    decided('{"box":[0105,80,905,880],"why":"x"}'): "not_json",
    decided('{"box":[105,80,905,880],"box":[1,2,300,400],"why":"x"}'): "not_json",
    decided(GOOD + '\n{"box":[1,2,300,400],"why":"or this"}'): "not_json",
    decided('{"rejected":{"box":[1,2,300,400]},"box":[105,80,905,88'): "not_json",
    decided('{"why":"he said "no"","box":[105,80,905,880]}'): "not_json",
    decided("[" * 100_000): "not_json",
    decided('{"a":' * 100_000): "not_json",
    decided('{"box":[' + "9" * 5000 + ",80,905,880]}"): "not_json",
    decided("105,80,905,880"): "not_json",
    decided('{"box":[NaN,80,905,880],"why":"x"}'): "not_json",
    decided('{"box":[105,80,Infinity,880],"why":"x"}'): "not_json",
    # arity
    decided('{"why":"it is best"}'): "arity",
    decided('{"bbox_2d":[105,80,905,880]}'): "arity",
    decided('{"box":null,"why":"x"}'): "arity",
    decided('{"box":[],"why":"x"}'): "arity",
    decided('{"box":[105,80,905],"why":"x"}'): "arity",
    decided('{"box":[105,80,905,880,1],"why":"x"}'): "arity",
    decided('{"box":[[105,80],[905,880]],"why":"x"}'): "arity",
    decided('{"box":[[105,80,905,880]],"why":"x"}'): "arity",
    decided('{"box":"[105,80,905,880]","why":"x"}'): "arity",
    decided('{"box":["105","80","905","880"],"why":"x"}'): "arity",
    decided('{"box":[0.105,0.08,0.905,0.88],"why":"x"}'): "arity",
    decided('{"box":[105.0,80,905,880],"why":"x"}'): "arity",
    decided('{"box":[105,80,905,1e3],"why":"x"}'): "arity",
    decided('{"box":[true,80,905,880],"why":"x"}'): "arity",
    decided('{"box":[105,80,null,880],"why":"x"}'): "arity",
    decided('{"box":{"x1":105,"y1":80,"x2":905,"y2":880},"why":"x"}'): "arity",
    decided('{"box":"keep","why":"x"}'): "arity",
    # out of range
    decided('{"box":[-5,80,905,880],"why":"x"}'): "out_of_range",
    decided('{"box":[105,80,1001,880],"why":"x"}'): "out_of_range",
    decided('{"box":[105,80,905,1024],"why":"x"}'): "out_of_range",
    decided('{"box":[105,80,905,' + "9" * 40 + '],"why":"x"}'): "out_of_range",
    decided('{"box":[1080,720,105,80],"why":"x"}'): "out_of_range",
    # inverted
    decided('{"box":[905,80,105,880],"why":"x"}'): "inverted",
    decided('{"box":[105,880,905,80],"why":"x"}'): "inverted",
    decided('{"box":[105,80,105,880],"why":"x"}'): "inverted",
    decided('{"box":[500,400,300,300],"why":"x y w h"}'): "inverted",
    decided('{"box":[0,0,0,0],"why":"x"}'): "inverted",
    # too small
    decided('{"box":[500,500,510,900],"why":"x"}'): "too_small",
    decided('{"box":[0,0,1000,19],"why":"x"}'): "too_small",
    decided('{"box":[0,0,1,1],"why":"x"}'): "too_small",
    # truncated: the end of the decision is missing and its box is not beyond doubt
    BEFORE + "<decision>": "truncated",
    BEFORE + '<decision>\n{"box":[105,80,905': "truncated",
    BEFORE + '<decision>\n{"box":[105,80,905,88': "truncated",
    BEFORE + "<decision>\nThe best one": "truncated",
    BEFORE + '<decision>\n{"rejected":{"box":[1,2,300,400]},"why":"': "truncated",
    BEFORE + '<decision>\n{"options":[{"box":[1,2,300,400]}': "truncated",
    GOLDEN_TEXT + '\n<decision>\n{"box":[1,2,3': "truncated",
}


@pytest.mark.parametrize(("text", "kind"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_answer_fails_by_its_kind(text, kind):
    outcome = read(text)
    assert isinstance(outcome, ParseFailure), outcome
    assert outcome.kind == kind
    assert 0 < len(outcome.detail) < 400


def test_the_table_holds_every_kind_several_times():
    kinds = list(BROKEN.values())
    assert len(kinds) >= 40
    assert {kind: kinds.count(kind) >= 3 for kind in FAILURES} == dict.fromkeys(FAILURES, True)


def test_an_answer_cut_before_its_decision_is_truncated_only_if_the_engine_says_so():
    assert read(BEFORE, cut=True).kind == "truncated"
    assert read(BEFORE, cut=False).kind == "no_decision"
    assert read("", cut=True).kind == "empty"


AROUND, PLAIN, OPEN = "words around the parts", "decision not plain JSON", "decision not closed"
REPAIRED = {
    "Sure! Here is my crop.\n" + GOLDEN_TEXT: (AROUND,),
    GOLDEN_TEXT + "\nEnjoy your photo!": (AROUND,),
    GOLDEN_TEXT.replace("</analysis>\n", "</analysis>\nNow the proposals:\n"): (AROUND,),
    "<think>\nhm\n</think>\n" + GOLDEN_TEXT: (AROUND,),
    "```\n" + GOLDEN_TEXT + "\n```": (AROUND,),
    "裁剪如下：\n" + GOLDEN_TEXT: (AROUND,),
    decided('{"box":[1,2,300,400],"why":"no"}') + "\n<decision>\n" + GOOD + "\n</decision>": ("several decisions",),
    decided("```json\n" + GOOD + "\n```"): (PLAIN,),
    decided("My choice is " + GOOD): (PLAIN,),
    decided(GOOD[:-1] + ",}"): (PLAIN,),
    decided('{"box":[105,80,905,880],"why":"he said "no""}'): (PLAIN,),
    decided('{"box":[105,80,905,880],"why":"two\nlines"}'): (PLAIN,),
    decided('{"box":[105,80,905,880],"score":NaN}'): (PLAIN,),
    decided('{"box":[105,80,905,880],"why":"half a pair \\ud83d"}'): (PLAIN,),
    GOLDEN_TEXT.removesuffix("\n</decision>"): (OPEN,),
    GOLDEN_TEXT.removesuffix('2"}\n</decision>'): (OPEN,),
    GOLDEN_TEXT.removesuffix("sion>"): (OPEN,),
    decided('{"box":[105,80,905,880],"why":"</decision>"'): (PLAIN,),
    decided('{"box": [105, 80, 905, 880], "why": "spaces"}'): ("not the canonical text",),
    decided('{"why":"reason first","box":[105,80,905,880]}'): ("not the canonical text",),
    decided('{"box":[105,80,905,880]}'): ("not the canonical text",),
    decided('{"box":[105,80,905,880],"why":5}'): ("not the canonical text",),
    decided('{"box":[105,80,905,880],"why":"x","confidence":0.9}'): ("not the canonical text",),
    GOLDEN_TEXT.replace("\n", "\r\n"): ("not the canonical text",),
    GOLDEN_TEXT.replace("\n", ""): ("proposal 1 left out: JSONDecodeError",),
    GOLDEN_TEXT.replace('"evidence":"a horizon"', '"evidence":"a horizon","box":[0,0,9,9]'): (
        "not the canonical text",
    ),
    GOLDEN_TEXT[GOLDEN_TEXT.index("<proposals>") :]: ("no analysis",),
    GOLDEN_TEXT[GOLDEN_TEXT.index("<decision>") :]: ("no analysis", "no proposals"),
    GOLDEN_TEXT.replace('"elements":', "elements:"): ("analysis left out: JSONDecodeError",),
    GOLDEN_TEXT.replace("[333,250]", "[333,1250]"): ("analysis left out: BoxRefused",),
    GOLDEN_TEXT.replace('"name":"center",', ""): ("analysis left out: KeyError",),
    GOLDEN_TEXT.replace('{"subject"', '[{"subject"').replace('measured"}]}', 'measured"}]}]'): (
        "analysis left out: TypeError",
    ),
    GOLDEN_TEXT.replace('"serves":[]', '"serves":"center"'): ("proposal 2 left out: TypeError",),
    GOLDEN_TEXT.replace('"serves":[]', '"serves":[1]'): ("proposal 2 left out: TypeError",),
    GOLDEN_TEXT.replace('"box":[0,0,1000,1000]', '"box":[0,0,1000,0]'): ("proposal 2 left out: BoxRefused",),
    GOLDEN_TEXT.replace('{"reason":"everything kept"', "{" * 100_000): ("proposal 2 left out: JSONDecodeError",),
    GOLDEN_TEXT.replace('{"reason":"everything kept"', '{"a":' * 100_000): ("proposal 2 left out: RecursionError",),
}


@pytest.mark.parametrize(("text", "repairs"), REPAIRED.items(), ids=range(len(REPAIRED)))
def test_an_answer_that_can_be_read_in_spite_of_flaws_has_the_right_box_and_says_what_was_overlooked(text, repairs):
    assert text != GOLDEN_TEXT  # a replacement that no longer finds its place would test nothing
    outcome = read(text)
    assert isinstance(outcome, Parsed), outcome
    assert outcome.box == GOLDEN_BOX
    assert outcome.repairs == repairs


def test_an_element_with_two_geometries_is_refused_when_it_is_made():
    with pytest.raises(DataError, match="expected at most one"):
        Element("center", "", point=(0.5, 0.5), box=WHOLE)
