"""A teacher for tests: a real HTTP server of the OpenAI wire format that does what a script says, request by request.

`written` answers as an obedient model would: it has nothing but the words of the request.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from crop_reasoning.composition.analysis import Measured, measure

Json = dict[str, Any]
RESET, HANG = "reset", "hang"
HANGING_S = 1.5


@dataclass
class Act:
    """What the server does with one request: a status, a body (bytes as they are, or JSON), headers."""

    status: int = 200
    body: Json | bytes = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Json, int], Act | str]
"""From a request's body and its number (from 0) to what is done: an act, the text of an answer, `RESET` or `HANG`."""


def completion(text: str, finish_reason: str = "stop", **message: Any) -> Json:
    """A chat completion as OpenAI writes it."""
    said = {"role": "assistant", "content": text, **message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def question(body: Json) -> str:
    """The words about the photo, the last part of the first user turn."""
    return str(body["messages"][1]["content"][-1]["text"])


def written(body: Json) -> str:
    """A true answer to a request."""
    return answer_to(question(body))


def answer_to(words: str) -> str:
    """A true answer, made of the question's own words: a fact of each candidate, the first comparison."""
    lines = words.split("\n")
    analysis = lines[1]
    candidates = [re.match(r"the (\w+) (\[[\d,]+\]): (.*)", line) for line in lines]
    proposals, boxes = [], {}
    for found in filter(None, candidates):
        place, box, said = found.groups()
        *facts, serves = said.split("; ")
        names = [] if serves == "serves none" else serves.removeprefix("serves ").split(", ")
        words = facts[1] if len(facts) > 1 else f"a {facts[0]}"
        proposals.append({"reason": words, "serves": names, "box": json.loads(box)})
        boxes[box] = place
    task = lines[-1]
    targets = [box for box in re.findall(r"\[[\d,]+\]", task) if box in boxes]
    decisions = []
    for box in targets:
        opening = f"the {boxes[box]} "
        compared = next((line for line in lines[1:] if line.startswith(opening) and "[" not in line), opening + "alike")
        why = compared.removeprefix(opening).split("; ")[0]
        if box == "[0,0,1000,1000]":
            why = f"the photo is best as it is: it {why}"
        decisions.append({"box": json.loads(box), "why": why})
    parts = [f"<analysis>\n{analysis}\n</analysis>", "<proposals>"]
    parts += [json.dumps(proposal) for proposal in proposals] + ["</proposals>"]
    parts += [f"<decision>\n{json.dumps(decision)}\n</decision>" for decision in decisions]
    return "\n".join(parts)


@cache
def _measured_bytes(content: bytes, size: tuple[int, int]) -> Measured:
    return measure(Image.frombytes("RGB", size, content))


def measured_once(image: Image.Image) -> Measured:
    """`measure`, which looks at the same pixels only once in all tests."""
    return _measured_bytes(image.tobytes(), image.size)


@dataclass
class Teaching:
    """A running server: its address, the bodies it was sent, and the largest number under way at once."""

    url: str
    asked: list[Json] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0


@contextmanager
def teaching(script: Script = lambda body, number: written(body)) -> Iterator[Teaching]:
    """A server on a free port that plays `script`."""
    lock = threading.Lock()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/v1/chat/completions"
            with lock:
                number = len(state.asked)
                state.asked.append(body)
                state.keys.append(self.headers.get("authorization", ""))
                state.under_way += 1
                state.most_under_way = max(state.most_under_way, state.under_way)
            try:
                self.act(script(body, number))
            finally:
                with lock:
                    state.under_way -= 1

        def act(self, act: Act | str) -> None:
            if act == RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            if act == HANG:
                over.wait(HANGING_S)
                self.close_connection = True
                return
            act = Act(body=completion(act)) if isinstance(act, str) else act
            content = act.body if isinstance(act.body, bytes) else json.dumps(act.body).encode()
            self.send_response(act.status)
            for name, value in {"content-type": "application/json", **act.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Teaching(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
