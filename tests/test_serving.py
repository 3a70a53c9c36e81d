"""Serving: words to wishes, guards, answers, and the gateway through the unmodified openai client."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crop_reasoning.engines.base import Generation, Request
from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.engines.openai import OpenAIEngine
from crop_reasoning.errors import CropReasoningError, DataError, EnvironmentProblem, ModelError, RecipeError
from crop_reasoning.geometry import WHOLE, Box, centered, to_xyxy_px
from crop_reasoning.reasoning.prompts import FULL
from crop_reasoning.serving.answer import CropRequest, Turn, answer
from crop_reasoning.serving.gateway import create_app
from crop_reasoning.serving.guards import guard
from crop_reasoning.serving.present import markdown, shown_in
from crop_reasoning.serving.wishes import Wishes, aspect_after, parse_aspect, read_wishes
from tests.servers import WH, ScriptedEngine, client, data_url, first_turn, photo, server

CROP = Box(0.1, 0.1, 0.8, 0.9)


class GatedEngine(FakeEngine):
    """Thinks aloud until the gate is opened, then answers; counts how many do so at once and how many were stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.started = threading.Event(), threading.Event()
        self.now = self.most = self.stopped = 0

    def stream(self, request: Request, **options: Any) -> Iterator[str | Generation]:
        self.now += 1
        self.most = max(self.most, self.now)
        self.started.set()
        try:
            while not self.gate.wait(0.02):
                yield "hm "
            yield from super().stream(request, **options)
        except GeneratorExit:
            self.stopped += 1
            raise
        finally:
            self.now -= 1


class FailingEngine(FakeEngine):
    """Fails as an engine may: with a sentence of ours, or with anything at all."""

    def __init__(self, problem: Exception, pieces: int = 0) -> None:
        super().__init__()
        self.problem, self.pieces = problem, pieces

    def stream(self, request: Request, **options: Any) -> Iterator[str | Generation]:
        yield from ["<analysis>"] * self.pieces
        raise self.problem


@pytest.fixture(scope="module")
def served() -> Iterator[openai.OpenAI]:
    with server(FakeEngine([CROP])) as url:
        yield client(url)


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


def area(box_px: tuple[int, int, int, int]) -> int:
    return (box_px[2] - box_px[0]) * (box_px[3] - box_px[1])


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


# the gateway, through the unmodified client


def test_models_lists_the_one_model(served: openai.OpenAI) -> None:
    assert [model.id for model in served.models.list()] == ["fake"]


def test_the_openai_client_gets_the_reasoning_and_the_crop(served: openai.OpenAI) -> None:
    reply = served.chat.completions.create(model="fake", messages=[first_turn()], temperature=0, top_p=1.0, n=1)
    content = reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    x1, y1, x2, y2 = box_px = to_xyxy_px(CROP, WH)
    assert f"Crop: {x2 - x1}x{y2 - y1} px at x {x1}-{x2}, y {y1}-{y2} of 640x427 px" in content
    assert "[0.1000, 0.1000, 0.8000, 0.9000]" in content
    for part in ("### Analysis", "### Proposals", "### Decision", "rule of thirds", "Produced by: box model"):
        assert part in content
    crop = reply.model_extra["crop"]
    assert tuple(crop["box_px"]) == box_px
    assert (crop["status"], crop["provenance"]["box"], crop["provenance"]["aspect"]) == ("ok", "model", "model")
    assert reply.choices[0].message.model_extra["reasoning_content"] == crop["text"]
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


def test_streaming_says_the_same_as_a_whole_answer(served: openai.OpenAI) -> None:
    whole = served.chat.completions.create(model="fake", messages=[first_turn()])
    stream = served.chat.completions.create(
        model="fake", messages=[first_turn()], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    reasoning = [delta.model_extra["reasoning_content"] for delta in deltas if "reasoning_content" in delta.model_extra]
    assert len(reasoning) > 5
    assert "".join(reasoning) == whole.choices[0].message.model_extra["reasoning_content"]
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [whole.usage.total_tokens]
    crops = [chunk.model_extra["crop"] for chunk in chunks if "crop" in (chunk.model_extra or {})]
    assert crops == [whole.model_extra["crop"]]


def test_a_stream_is_server_sent_events_that_end_with_done(served: openai.OpenAI) -> None:
    body = {"model": "fake", "messages": [first_turn()], "stream": True}
    with httpx.stream("POST", f"{served.base_url}chat/completions", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [line for line in response.iter_lines() if line]
    assert all(line.startswith("data: ") for line in events)
    assert events[-1] == "data: [DONE]"
    assert not any(json.loads(line[6:]).get("usage") for line in events[:-1])


def ask(api: openai.OpenAI, turns: list[Any], words: str) -> dict[str, Any]:
    """One more turn of a conversation, as a client holds it: only texts are sent back."""
    turns.append(first_turn(words) if not turns else {"role": "user", "content": words})
    reply = api.chat.completions.create(model="fake", messages=turns)
    turns.append({"role": "assistant", "content": reply.choices[0].message.content})
    return reply.model_extra["crop"]


def test_a_conversation_keeps_the_photo_the_ratio_and_the_crop() -> None:
    crops = [CROP, Box(0.2, 0.2, 0.7, 0.8), WHOLE, WHOLE, Box(0.2, 0.2, 0.7, 0.8)]
    with server(FakeEngine(crops)) as url:
        api, turns = client(url), []
        first = ask(api, turns, "Crop this photo.")
        assert first["provenance"]["box"] == "model"
        tighter = ask(api, turns, "tighter")  # the model itself does it
        assert area(tighter["box_px"]) < area(first["box_px"])
        assert (tighter["provenance"]["box"], tighter["guards"]) == ("model", [])
        square = ask(api, turns, "1:1")  # the model answers the whole photo: the guard fits it
        x1, y1, x2, y2 = square["box_px"]
        assert x2 - x1 == y2 - y1 == WH[1]
        assert (square["provenance"]["box"], square["provenance"]["aspect"]) == ("model", "guard")
        again = ask(api, turns, "tighter")  # the model does not: the guard does, the ratio is remembered
        x1, y1, x2, y2 = again["box_px"]
        assert x2 - x1 == y2 - y1 == round(WH[1] * 0.85)
        assert again["provenance"]["box"] == "guard"
        assert again["provenance"]["model_box"] == [0, 0, 1, 1]
        assert "the guard took the crop before and shrank it" in turns[-1]["content"]
        assert "Why (the model's words, of its own box)" in turns[-1]["content"]
        portrait = ask(api, turns, "now 4:5")
        x1, y1, x2, y2 = portrait["box_px"]
        assert (x2 - x1) * 5 == (y2 - y1) * 4
        assert portrait["aspect"] == [4, 5]


def test_without_our_answer_in_the_history_the_wish_is_left_to_the_model(served: openai.OpenAI) -> None:
    turns = [first_turn(), {"role": "assistant", "content": "done"}, {"role": "user", "content": "tighter"}]
    crop = served.chat.completions.create(model="fake", messages=turns).model_extra["crop"]
    assert "no earlier crop" in crop["guards"][0]


def bomb() -> bytes:
    """A PNG of 20000x20000 px in a few hundred bytes: only its header is ever read."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        ([first_turn(url="https://example.com/a.jpg")], "opens neither web addresses nor files"),
        ([first_turn(url="http://169.254.169.254/")], "opens neither web addresses nor files"),
        ([first_turn(url="file:///etc/passwd")], "opens neither web addresses nor files"),
        ([first_turn(url="/etc/passwd")], "opens neither web addresses nor files"),
        ([first_turn(url="data:image/jpeg;base64,@@@@")], "not valid base64"),
        ([first_turn(url="data:image/jpeg,abc")], "does not begin with data:image/"),
        ([first_turn(url="data:text/html;base64,QUI=")], "does not begin with data:image/"),
        ([first_turn(url=data_url(b"plain text"))], "not an image of a known format"),
        ([first_turn(url=data_url(photo()[:2000]))], "cannot be decoded"),
        ([first_turn(url=data_url(bomb(), "png"))], "megapixels"),
        ([first_turn(url=data_url(photo((3000, 10))))], "aspects up to 200:1"),
        ([{"role": "user", "content": "Crop this photo."}], "no photo"),
        ([{"role": "system", "content": "Crop."}], "no photo"),
        ([first_turn("0:5")], "expected width:height"),
        ([first_turn("999:1")], "does not fit an image"),
        ([first_turn("x" * 5000)], "5000 characters"),
        ([first_turn("tighter<|im_end|>")], "a control token of the chat"),
        ([{"role": "system", "content": "<|im_start|>"}, first_turn()], "a control token of the chat"),
        ([first_turn(), first_turn()], "from user, expected from assistant"),
        ([first_turn(), {"role": "assistant", "content": "a"}], "the last message must be from the user"),
        ([first_turn(), {"role": "assistant", "content": "a"}, first_turn()], "holds a photo"),
        ([{"role": "user", "content": first_turn()["content"] * 2}], "2 photos"),
    ],
)
def test_bad_input_gets_a_sentence(served: openai.OpenAI, messages: list[Any], sentence: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        served.chat.completions.create(model="fake", messages=messages)
    assert refused.value.type == "invalid_request_error"
    assert sentence in refused.value.body["message"]


def test_a_stream_with_bad_input_is_a_plain_error(served: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot be decoded"):
        served.chat.completions.create(model="fake", messages=[first_turn(url=data_url(photo()[:999]))], stream=True)


def test_an_unknown_model_is_not_found(served: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        served.chat.completions.create(model="gpt-4", messages=[first_turn()])
    assert refused.value.code == "model_not_found"
    assert "'fake'" in refused.value.body["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("top_p", 0.5),
        ("response_format", {"type": "json_object"}),
        ("tools", []),
        ("max_tokens", 0),
        ("asect", "4:5"),
    ],
)
def test_a_field_that_is_not_supported_is_refused_by_name(served: openai.OpenAI, field: str, value: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        served.chat.completions.create(model="fake", messages=[first_turn()], extra_body={field: value})
    assert refused.value.param is not None
    assert refused.value.param.startswith(field)


def test_other_routes_and_broken_bodies_answer_in_the_same_shape(served: openai.OpenAI) -> None:
    root = str(served.base_url).removesuffix("/v1/")
    replies = [
        (404, httpx.get(f"{root}/v1/nothing")),
        (405, httpx.get(f"{root}/v1/chat/completions")),
        (400, httpx.post(f"{root}/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})),
    ]
    for status, reply in replies:
        assert reply.status_code == status
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert httpx.get(f"{root}/healthz").json() == {"status": "ok", "model": "fake", "waiting": 0}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused(chunked: bool) -> None:
    body = json.dumps({"model": "fake", "messages": [first_turn("x" * 100)]}).encode()
    with TestClient(create_app(FakeEngine(), max_body_bytes=len(body) - 1)) as api:
        content = iter([body[:1000], body[1000:]]) if chunked else body
        headers = {"content-type": "application/json"}
        reply = api.post("/v1/chat/completions", content=content, headers=headers)
        assert reply.status_code == 413
        assert "scale the photo down" in reply.json()["error"]["message"]
    with TestClient(create_app(FakeEngine(), max_body_bytes=len(body))) as api:
        assert api.post("/v1/chat/completions", content=body, headers=headers).status_code == 200


def test_the_client_reads_a_refused_size_as_an_error() -> None:
    messages = [first_turn(url=data_url(b"x" * (1 << 20)))]
    with server(FakeEngine(), max_body_bytes=1 << 20) as url, pytest.raises(openai.APIStatusError) as refused:
        client(url).chat.completions.create(model="fake", messages=messages)
    assert refused.value.status_code == 413


def test_one_generation_at_a_time_and_a_full_queue_says_when_to_come_back() -> None:
    engine = GatedEngine()
    with server(engine, waiting=1) as url, ThreadPoolExecutor(4) as pool:
        api = client(url)

        def send() -> Any:
            return api.chat.completions.create(model="fake", messages=[first_turn()])

        running = pool.submit(send)
        assert engine.started.wait(10)
        waiting = pool.submit(send)
        health = url.removesuffix("/v1") + "/healthz"
        while httpx.get(health).json()["waiting"] == 0:
            time.sleep(0.01)
        with pytest.raises(openai.RateLimitError) as refused:
            send()
        assert int(refused.value.response.headers["retry-after"]) >= 1
        assert refused.value.code == "queue_full"
        engine.gate.set()
        for reply in (running.result(20), waiting.result(20)):
            assert reply.model_extra["crop"]["status"] == "ok"
    assert engine.most == 1


@pytest.mark.parametrize("streaming", [False, True])
def test_a_client_that_leaves_stops_the_generation(streaming: bool) -> None:
    engine = GatedEngine()
    body = {"model": "fake", "messages": [first_turn()], "stream": streaming}
    with server(engine) as url:
        api = client(url)
        if streaming:
            with api.chat.completions.create(**body) as stream:
                assert next(iter(stream)).choices[0].delta.role == "assistant"
        else:
            with pytest.raises(openai.APITimeoutError):
                api.with_options(timeout=0.3).chat.completions.create(**body)
        deadline = time.monotonic() + 20
        while not engine.stopped and time.monotonic() < deadline:
            time.sleep(0.01)
        assert engine.stopped == 1
        engine.gate.set()
        reply = api.chat.completions.create(model="fake", messages=[first_turn()])
        assert reply.model_extra["crop"]["status"] == "ok"


def test_an_engine_that_fails_is_a_server_error_and_the_next_request_is_served() -> None:
    with server(FailingEngine(ModelError("the adapter does not fit"))) as url:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError) as failed:
                client(url).chat.completions.create(model="fake", messages=[first_turn()])
            assert (failed.value.status_code, failed.value.code) == (502, "engine_failed")
            assert "the adapter does not fit" in failed.value.body["message"]


def test_an_unforeseen_failure_tells_no_details() -> None:
    with TestClient(create_app(FailingEngine(ValueError("secret"))), raise_server_exceptions=False) as api:
        reply = api.post("/v1/chat/completions", json={"model": "fake", "messages": [first_turn()]})
        assert reply.status_code == 500
        assert "secret" not in reply.text


def test_a_failure_in_the_middle_of_a_stream_reaches_the_client() -> None:
    with server(FailingEngine(CropReasoningError("out of memory"), pieces=2)) as url:
        stream = client(url).chat.completions.create(model="fake", messages=[first_turn()], stream=True)
        with pytest.raises(openai.APIError, match="out of memory"):
            list(stream)


def test_a_fallback_shows_through_the_gateway() -> None:
    with server(ScriptedEngine("no idea")) as url:
        reply = client(url).chat.completions.create(model="fake", messages=[first_turn("4:5")])
    crop = reply.model_extra["crop"]
    assert (crop["status"], crop["failure"]["kind"], crop["provenance"]["box"]) == ("fallback", "no_decision", "guard")
    assert "could not be read (no_decision" in reply.choices[0].message.content
    assert reply.choices[0].message.model_extra["reasoning_content"] == "no idea"
    x1, y1, x2, y2 = crop["box_px"]
    assert (x2 - x1) * 5 == (y2 - y1) * 4


def test_half_a_surrogate_pair_does_not_break_the_answer() -> None:
    text = '<decision>\n{"box":[100,100,900,900],"why":"a \\ud83d b"}\n</decision>'
    with server(ScriptedEngine(text)) as url:
        reply = client(url).chat.completions.create(model="fake", messages=[first_turn()])
    assert reply.model_extra["crop"]["provenance"]["box"] == "model"  # the words are lost, the box is not


# an endpoint as an engine


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl"])
@pytest.mark.parametrize("prompt_id", ["crop-brief/1", FULL])
def test_a_served_model_is_an_engine_like_any_other(family: str, prompt_id: str) -> None:
    local = FakeEngine([CROP], family)
    local.prompt_id = prompt_id
    with server(local) as url:
        remote = OpenAIEngine(url, "fake")
        assert (remote.family, remote.budget, remote.prompt_id) == (local.family, local.budget, prompt_id)
        here, there = (answer(engine, photo(), CropRequest(aspect=(4, 5))) for engine in (local, remote))
        assert (there.text, there.box_px, there.prompt_tokens, there.tokens) == (
            here.text,
            here.box_px,
            here.prompt_tokens,
            here.tokens,
        )
        request = Request("a", Image.new("RGB", (64, 64)), [{"role": "user", "content": [{"type": "image"}]}])
        *pieces, made = remote.stream(request)
        assert isinstance(made, Generation)
        assert "".join(map(str, pieces)) == made.text == remote.generate([request] * 3)[2].text


def test_an_endpoint_that_fails_gets_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    with pytest.raises(EnvironmentProblem, match="cannot be reached"):
        OpenAIEngine(f"http://127.0.0.1:{free}/v1", "fake")
    with server(FakeEngine()) as url:
        with pytest.raises(ModelError, match="does not serve 'other'; expected one of fake"):
            OpenAIEngine(url, "other")
        engine = OpenAIEngine(url, "fake")
        wordy = Request(
            "a", Image.new("RGB", (64, 64)), [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
        )
        with pytest.raises(CropReasoningError, match=re.escape(f"{url}: answered 400: no photo")):
            engine.generate([wordy])
