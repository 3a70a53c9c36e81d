"""Words to wishes, guards, and answers that say everything about themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import WHOLE, Box, centered, to_xyxy_px
from crop_reasoning.serving.answer import CropRequest, Turn, answer
from crop_reasoning.serving.guards import guard
from crop_reasoning.serving.present import markdown, shown_in
from crop_reasoning.serving.wishes import Wishes, aspect_after, parse_aspect, read_wishes
from tests.servers import WH, ScriptedEngine, photo

CROP = Box(0.1, 0.1, 0.8, 0.9)


# words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tighter", Wishes(scale="tighter")),
        ("a bit closer please", Wishes(scale="tighter")),
        ("Looser!", Wishes(scale="looser")),
        ("wider", Wishes(scale="wider")),
        ("4:5", Wishes(aspect=(4, 5))),
        ("make it 16 : 9, tighter", Wishes(aspect=(16, 9), scale="tighter")),
        ("16x9 or rather 1:1", Wishes(aspect=(1, 1))),
        ("2.35:1", Wishes(aspect=(47, 20))),
        ("any ratio", Wishes(free_aspect=True)),
        ("move left", Wishes(move=(-1, 0))),
        ("move the crop up and to the right", Wishes(move=(1, -1))),
        ("shift it down", Wishes(move=(0, 1))),
        ("come in more", Wishes(scale="tighter")),
        ("zoom in on it", Wishes(scale="tighter")),
        ("there is too much around it", Wishes(scale="tighter")),
        ("that is too tight", Wishes(scale="looser")),
        ("step back", Wishes(scale="looser")),
        ("do not zoom in", Wishes()),
        ("the left side is too tight", Wishes()),
        ("I need it in 4:5", Wishes(aspect=(4, 5))),
        ("pan left", Wishes(move=(-1, 0))),
        ("further down", Wishes(move=(0, 1))),
        ("use the whole photo", Wishes(keep=True)),
        ("back to the full frame, please", Wishes(keep=True)),
        ("keep the whole photo in focus", Wishes()),
        ("show the whole subject", Wishes()),
        ("keep everything", Wishes(keep=True)),
        ("keep everything, but 4:5", Wishes(aspect=(4, 5), keep=True)),
        ("keep everything else", Wishes()),
        ("not tighter", Wishes()),
        ("don’t make it tighter", Wishes()),
        ("no, tighter", Wishes(scale="tighter")),
        ("tighter, no, looser", Wishes()),
        ("move the person to the left of the tree", Wishes()),
        ("leave room on the left", Wishes()),
        ("not 4:5", Wishes()),
        ("", Wishes()),
    ],
)
def test_words_are_read_as_wishes(words: str, expected: Wishes) -> None:
    assert read_wishes(words) == expected


def test_a_ratio_holds_until_another_is_named_or_it_is_lifted() -> None:
    assert aspect_after(["4:5", "tighter", "more sky"]) == (4, 5)
    assert aspect_after(["4:5", "1:1"]) == (1, 1)
    assert aspect_after(["tighter"], (3, 2)) == (3, 2)
    assert aspect_after(["4:5", "any ratio"]) is None
    assert aspect_after(["4:5", "keep everything"]) is None


@pytest.mark.parametrize("text", ["", "4", "4:0", "0:5", "a:b", "4:5:6", "-4:5", "99999:1"])
def test_an_aspect_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(RecipeError, match="expected width:height"):
        parse_aspect(text)


@given(st.text(st.characters(blacklist_characters="0"), max_size=200))
def test_no_words_break_the_reading(words: str) -> None:
    read_wishes(words)  # a side of zero is the one thing refused


# guards


def test_a_model_that_does_as_asked_is_left_alone() -> None:
    made = guard(centered(0.6), centered(0.8), Wishes(scale="tighter"), None, (1000, 800))
    assert (made.box, made.provenance.box, made.provenance.aspect, made.notes) == (centered(0.6), "model", "model", ())


def test_tighter_is_enforced_and_said() -> None:
    made = guard(centered(0.9), centered(0.8), Wishes(scale="tighter"), None, (1000, 800))
    assert made.box.width == pytest.approx(0.8 * 0.85)
    assert made.box.center == pytest.approx((0.5, 0.5))
    assert made.provenance.box == "guard"
    assert made.provenance.model_box == centered(0.9)
    assert "shrank it about its center to 0.85" in made.notes[0]


@pytest.mark.parametrize("scale", ["looser", "wider"])
def test_looser_and_wider_are_enforced(scale: str) -> None:
    before = centered(0.5)
    made = guard(centered(0.4), before, Wishes(scale=scale), None, (1000, 800))
    assert made.box.width == pytest.approx(0.5 / 0.85)
    assert made.box.height == pytest.approx(0.5 / 0.85 if scale == "looser" else 0.5)
    assert made.provenance.box == "guard"


def test_a_wish_that_cannot_be_fulfilled_is_said() -> None:
    made = guard(WHOLE, WHOLE, Wishes(scale="looser"), None, (1000, 800))
    assert made.box == WHOLE
    assert "as far as the photo allows, which was not enough" in made.notes[0]


@pytest.mark.parametrize(("move", "edge"), [((-1, 0), 0), ((1, 0), 0), ((0, -1), 1), ((0, 1), 1)])
def test_a_move_goes_the_way_that_was_asked(move: tuple[int, int], edge: int) -> None:
    before = centered(0.5)
    made = guard(before, before, Wishes(move=move), None, (1000, 800))
    assert made.provenance.box == "guard"
    assert (made.box.xyxy[edge] - before.xyxy[edge]) * move[edge] == pytest.approx(0.05)
    assert (made.box.width, made.box.height) == pytest.approx((before.width, before.height))


def test_keep_everything_is_the_whole_photo() -> None:
    made = guard(CROP, CROP, Wishes(keep=True), None, WH)
    assert (made.box, made.provenance.box) == (WHOLE, "guard")
    assert guard(WHOLE, CROP, Wishes(keep=True), None, WH).provenance.box == "model"


def test_without_a_model_box_the_crop_before_stays() -> None:
    assert guard(None, None, Wishes(), None, WH).box == WHOLE
    kept = guard(None, CROP, Wishes(), None, WH)
    assert (kept.box, kept.provenance.box) == (CROP, "guard")
    assert "the model gave no box" in kept.notes[0]


def test_an_exact_ratio_of_the_model_needs_no_guard() -> None:
    made = guard(Box(0.1, 0.0, 0.5, 1.0), None, Wishes(), (4, 5), (1000, 500))
    assert (made.box_px, made.provenance.aspect) == ((100, 0, 500, 500), "model")


boxes = (
    st.tuples(*[st.floats(0, 1)] * 4).filter(lambda v: v[2] - v[0] > 0.05 and v[3] - v[1] > 0.05).map(lambda v: Box(*v))
)


@given(
    st.none() | boxes,
    boxes,
    st.sampled_from(["tighter", "looser", "wider", None]),
    st.sampled_from([(4, 5), (1, 1), (16, 9), (191, 100)]),
    st.tuples(st.integers(200, 3000), st.integers(200, 3000)),
)
def test_the_ratio_is_exact_whatever_else_is_asked(
    model: Box | None, before: Box, scale: str | None, aspect: tuple[int, int], wh: tuple[int, int]
) -> None:
    x1, y1, x2, y2 = guard(model, before, Wishes(scale=scale), aspect, wh).box_px
    assert 0 <= x1 < x2 <= wh[0]
    assert 0 <= y1 < y2 <= wh[1]
    assert (x2 - x1) * aspect[1] == (y2 - y1) * aspect[0]


# answers


def test_an_answer_says_everything_about_itself() -> None:
    made = answer(FakeEngine([CROP]), photo(), CropRequest())
    assert (made.status, made.failure, made.guards, made.wh) == ("ok", None, (), WH)
    assert made.box.xyxy == pytest.approx(CROP.xyxy, abs=0.0006)
    assert made.box_px == to_xyxy_px(made.box, WH)
    assert (made.provenance.box, made.provenance.aspect, made.provenance.model_box) == ("model", "model", made.box)
    assert made.rationale is not None
    assert len(made.rationale.proposals) == 4
    assert (made.model, made.finish_reason) == ("fake", "stop")
    assert made.tokens > 0
    assert made.prompt_tokens > 0


def test_the_box_follows_the_family_of_the_engine() -> None:
    for family in ("qwen3_vl", "qwen2_5_vl"):
        made = answer(FakeEngine([CROP], family), photo((1200, 900)), CropRequest())
        assert made.box.xyxy == pytest.approx(CROP.xyxy, abs=0.002)


def test_a_photo_on_its_side_is_answered_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made = answer(FakeEngine([CROP]), photo((640, 427), exif=exif.tobytes()), CropRequest())
    assert made.wh == (427, 640)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("I would crop the left side.", "no_decision"),
        ('<decision>\n{"box":[1,2,3]}\n</decision>', "arity"),
        ('<decision>\n{"box":[0,0,1001,5]}\n</decision>', "out_of_range"),
        ('<decision>\n{"box":[9,0,5,900]}\n</decision>', "inverted"),
    ],
)
def test_an_unparsable_answer_is_never_hidden(text: str, kind: str) -> None:
    made = answer(ScriptedEngine(text), photo(), CropRequest())
    assert (made.status, made.box, made.provenance.box, made.provenance.model_box) == ("fallback", WHOLE, "guard", None)
    assert made.failure is not None
    assert made.failure.kind == kind
    assert f"could not be read ({kind}" in markdown(made)
    assert made.text == text


def test_an_answer_cut_at_its_token_limit_is_a_fallback_that_says_so() -> None:
    made = answer(FakeEngine([CROP]), photo(), CropRequest(max_new_tokens=5))
    assert (made.status, made.finish_reason) == ("fallback", "length")
    assert made.failure is not None
    assert made.failure.kind == "truncated"


def test_a_ratio_no_photo_can_hold_is_refused_before_the_model_runs() -> None:
    engine = ScriptedEngine("unused")
    with pytest.raises(DataError, match="does not fit an image of 640x427"):
        answer(engine, photo(), CropRequest(words="999:1"))
    assert engine.asked == []


def test_the_model_gets_the_words_and_the_crops_that_people_saw() -> None:
    engine = ScriptedEngine("nothing")
    shown = answer(FakeEngine([CROP]), photo(), CropRequest(aspect=(1, 1))).shown
    history = (Turn("1:1 please", shown), Turn("hello", "a text of another program"))
    answer(engine, photo(), CropRequest(words="a little tighter", history=history, system="Be brief."))
    system, first, said, second, other, last = engine.asked[0].messages
    assert system["content"][0]["text"] == "Be brief."
    assert [block["type"] for block in first["content"]] == ["image", "text"]
    assert first["content"][1]["text"] == "Crop this photo.\nAspect ratio: 1:1"
    box = [round(edge * 1000) for edge in shown.box.xyxy]  # the guard's square, not the model's own box
    assert json.loads(said["content"][0]["text"].split("<decision>")[1].split("</decision>")[0])["box"] == box
    assert (second["content"][0]["text"], last["content"][0]["text"]) == ("hello", "a little tighter")
    assert other["content"][0]["text"] == "a text of another program"


def test_words_that_say_more_go_to_the_model_in_the_first_turn() -> None:
    engine = ScriptedEngine("nothing")
    for words in ("leave room on the left", "脸放在左边"):
        answer(engine, photo(), CropRequest(words=words))
        assert engine.asked[-1].messages[0]["content"][1]["text"] == f"Crop this photo.\n{words}"


# Markdown and back


def test_markdown_gives_the_crop_back() -> None:
    for aspect in (None, (4, 5)):
        made = answer(FakeEngine([CROP]), photo(), CropRequest(aspect=aspect))
        shown = shown_in(markdown(made))
        assert shown is not None
        assert shown.box.xyxy == pytest.approx(made.box.xyxy, abs=1e-6)
        assert to_xyxy_px(shown.box, WH) == made.box_px
        assert shown.rationale is not None
        assert [p.reason for p in shown.rationale.proposals] == [p.reason for p in made.rationale.proposals]


def test_a_models_words_are_data() -> None:
    why = "![x](http://evil/) <script> `a`\n```json\n{} " + chr(27) + "[2J"
    box = '"box":[100,100,900,900]'
    made = answer(ScriptedEngine(f'<decision>\n{{{box},"why":{json.dumps(why)}}}\n</decision>'), photo(), CropRequest())
    text, block = markdown(made).rsplit("\n\n```json\n", 1)
    assert "![x]" not in text
    assert r"!\[x\](http://evil/) \<script\> \`a\` \`\`\`json {} �\[2J" in text
    assert json.loads(block.removesuffix("\n```"))["rationale"]["decision"]["why"] == why  # escaped once, by JSON
    assert shown_in(markdown(made)) is not None


@pytest.mark.parametrize(
    "block",
    [
        "",
        "{",
        "{}",
        "[]",
        '{"box":[0,0,2,1],"rationale":null}',
        '{"box":[0,0,1,1],"rationale":null,"x":"\\ud800"}',
        '{"box":"x","rationale":null}',
        '{"box":[0,0,1,1],"rationale":{"subject":null}}',
        '{"box":[0,0,1,1],"rationale":{"subject":null,"proposals":[],"decision":{"box":[0,0,1,1],"why":""},'
        '"elements":[{"name":"x","point":["a",null]}]}}',
    ],
)
def test_a_foreign_or_broken_block_is_no_crop_of_ours(block: str) -> None:
    assert shown_in(f"text\n\n```json\n{block}\n```") is None
