"""Serving in tests: photos made on the spot, engines with known answers, real servers on free ports."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import uvicorn
from PIL import Image

from crop_reasoning.engines.base import Engine, Request
from crop_reasoning.engines.fake import FakeEngine
from crop_reasoning.serving.gateway import create_app

WH = (640, 427)


def photo(wh: tuple[int, int] = WH, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(wh).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def data_url(content: bytes, kind: str = "jpeg") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def first_turn(words: str = "Crop this photo.", url: str | None = None) -> dict[str, Any]:
    image = {"type": "image_url", "image_url": {"url": url or data_url(photo())}}
    return {"role": "user", "content": [image, {"type": "text", "text": words}]}


def area(box_px: tuple[int, int, int, int]) -> int:
    return (box_px[2] - box_px[0]) * (box_px[3] - box_px[1])


class ScriptedEngine(FakeEngine):
    """Says exactly this, whatever it is asked, and keeps what it was asked."""

    def __init__(self, text: str, **more: Any) -> None:
        super().__init__(**more)
        self.text = text
        self.asked: list[Request] = []

    def text_for(self, request: Request) -> str:
        self.asked.append(request)
        return self.text


@contextmanager
def server(engine: Engine, **options: Any) -> Iterator[str]:
    """A real uvicorn server around `engine`, on a free port; yields the base URL of its API."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(engine, **options), log_level="error", timeout_graceful_shutdown=2)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        running.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=30)
