"""The gateway through the unmodified openai client: what it answers, what it refuses, and as an engine of ours."""

from __future__ import annotations

import json
import re
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from crop_reasoning.engines.base import Generation, Request
from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.engines.openai import OpenAIEngine
from crop_reasoning.errors import CropReasoningError, EnvironmentProblem, ModelError
from crop_reasoning.geometry import WHOLE, Box, to_xyxy_px
from crop_reasoning.reasoning.prompts import FULL
from crop_reasoning.serving.answer import CropRequest, answer
from crop_reasoning.serving.gateway import create_app
from tests.servers import WH, area, client, data_url, first_turn, photo, server

CROP = Box(0.1, 0.1, 0.8, 0.9)


@pytest.fixture(scope="module")
def served() -> Iterator[openai.OpenAI]:
    with server(FakeEngine([CROP])) as url:
        yield client(url)


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


@pytest.mark.parametrize("body", [b"{", b'{"model": "fake", "messages": [', b"model=fake"])
def test_a_body_that_is_no_json_gets_a_clear_sentence(served: openai.OpenAI, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    reply = httpx.post(f"{served.base_url}chat/completions", content=body, headers=headers)
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert re.fullmatch(r"the body is not JSON \(.+ at character \d+\); send one JSON object", error["message"])
    assert (error["param"], error["code"]) == (None, "invalid_request")


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
        request = Request("a", (Image.new("RGB", (64, 64)),), [{"role": "user", "content": [{"type": "image"}]}])
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
            "a", (Image.new("RGB", (64, 64)),), [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
        )
        with pytest.raises(CropReasoningError, match=re.escape(f"{url}: answered 400: no photo")):
            engine.generate([wordy])
