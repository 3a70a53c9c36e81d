"""The gateway when much goes on at once, when clients leave, and when its engine fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from fastapi.testclient import TestClient

from crop_reasoning.engines.base import Generation, Request
from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.errors import CropReasoningError, ModelError
from crop_reasoning.geometry import Box
from crop_reasoning.serving.gateway import create_app
from tests.servers import ScriptedEngine, client, first_turn, server

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
