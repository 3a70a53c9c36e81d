"""The HTTP server: the OpenAI chat API around one engine.

    GET  /v1/models            the one model that is served, and how it reads coordinates
    POST /v1/chat/completions  a photo and words in, reasoning and a crop out, streamed or whole
    GET  /healthz              whether the process answers

It adds to an engine what none has: upright pixels, coordinates of the photo, exact ratios, and who produced what.
It opens no address and no file that a request names. There is no key: bind it to this machine or put a proxy in front.
"""

from __future__ import annotations

import json
import time
import traceback
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.log import say
from crop_reasoning.records import to_json
from crop_reasoning.serving.answer import CropAnswer
from crop_reasoning.serving.conversation import read_chat
from crop_reasoning.serving.present import crop_json, markdown
from crop_reasoning.serving.schema import ChatRequest, chunk, completion, error_body, usage
from crop_reasoning.serving.worker import Busy, Refused, Worker

WAITING = 8
MAX_BODY_BYTES = 48 << 20
"""Room for the base64 of a photo of 50 megapixels."""
_INVALID = "invalid_request_error"
Events = AsyncGenerator[str | CropAnswer | None, None]


def create_app(engine: Engine, *, waiting: int = WAITING, max_body_bytes: int = MAX_BODY_BYTES) -> FastAPI:
    """The server's ASGI app around `engine`; `waiting` requests may queue beside the one that runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.worker = Worker(engine, waiting)
        yield
        app.state.worker.close()

    app = FastAPI(title="crop-reasoning", lifespan=lifespan)
    app.add_middleware(DeclaredSize, max_bytes=max_body_bytes)
    _add_error_handlers(app, max_body_bytes)
    started = int(time.time())

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        return {"status": "ok", "model": engine.name, "waiting": app.state.worker.queue.qsize()}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        reading = {"prompt_id": engine.prompt_id, "budget": to_json(engine.budget)}
        entry = {"id": engine.name, "object": "model", "created": started, "owned_by": "crop-reasoning"}
        return {"object": "list", "data": [entry | {"crop_reasoning": reading}]}

    @app.post("/v1/chat/completions", response_model=None, max_body_size=max_body_bytes)
    async def chat_completions(chat: ChatRequest, http: Request) -> Response:
        if chat.model != engine.name:
            message = f"model {chat.model!r} is not served here; expected {engine.name!r}"
            return JSONResponse(error_body(message, _INVALID, "model", "model_not_found"), 404)
        id = f"chatcmpl-{uuid.uuid4().hex}"
        try:
            photo, request = read_chat(chat, id)
        except DataError as problem:
            raise Refused(str(problem)) from None
        events = app.state.worker.events(photo, request)
        first = await _next(events, http)
        if chat.stream:
            with_usage = bool(chat.stream_options and chat.stream_options.include_usage)
            return EventSourceResponse(_sse(first, events, id, engine.name, with_usage))
        event = first
        while not isinstance(event, CropAnswer):
            event = await _next(events, http)
        return JSONResponse(completion(event, id, int(time.time())))

    return app


async def _next(events: Events, http: Request) -> str | CropAnswer:
    """The next event that is news; the generation is given up when nobody listens any more."""
    async for event in events:
        if await http.is_disconnected():
            await events.aclose()
            break
        if event is not None:
            return event
    raise HTTPException(499, "the client closed the connection")


async def _sse(first: str | CropAnswer, events: Events, id: str, model: str, with_usage: bool) -> AsyncIterator[bytes]:
    created = int(time.time())

    def data(delta: dict[str, Any] | None, **more: Any) -> bytes:
        return format_sse_event(data_str=json.dumps(chunk(id, created, model, delta, **more), ensure_ascii=False))

    async with aclosing(events):
        yield data({"role": "assistant", "content": ""})
        event: str | CropAnswer | None = first
        try:
            while not isinstance(event, CropAnswer):
                yield KEEPALIVE_COMMENT if event is None else data({"reasoning_content": event})
                event = await anext(events)
            yield data({"content": markdown(event)})
            yield data({}, finish_reason=event.finish_reason, crop=crop_json(event))
            if with_usage:
                yield data(None, usage=usage(event))
        except Exception as problem:
            status, body = _failure(problem)
            if status == 500:
                say("".join(traceback.format_exception(problem)))
            yield format_sse_event(data_str=json.dumps(body, ensure_ascii=False))
    yield format_sse_event(data_str="[DONE]")


def _failure(problem: Exception) -> tuple[int, dict[str, Any]]:
    """Status and body for what went wrong; the details of an unforeseen error stay in the server's log."""
    if isinstance(problem, Refused):
        return 400, error_body(str(problem), _INVALID, "messages", "refused")
    if isinstance(problem, Busy):
        return 429, error_body(str(problem), "rate_limit_error", None, "queue_full")
    if isinstance(problem, CropReasoningError):
        return 502, error_body(str(problem), "server_error", None, "engine_failed")
    return 500, error_body("the server failed; its log says why", "server_error", None, "internal_error")


def _add_error_handlers(app: FastAPI, max_body_bytes: int) -> None:
    """Every error in the OpenAI shape, whichever layer raised it."""

    async def failed(_: Request, problem: Exception) -> Response:
        status, body = _failure(problem)
        headers = {"Retry-After": str(problem.retry_after_s)} if isinstance(problem, Busy) else None
        return JSONResponse(body, status, headers)

    async def invalid(_: Request, problem: Exception) -> Response:
        assert isinstance(problem, RequestValidationError)
        torn = next((error for error in problem.errors() if error["type"] == "json_invalid"), None)
        if torn is not None:
            message = (
                f"the body is not JSON ({torn['ctx']['error']} at character {torn['loc'][-1]}); send one JSON object"
            )
            return JSONResponse(error_body(message, _INVALID, None, "invalid_request"), 400)
        found = [(".".join(str(part) for part in error["loc"][1:]), error["msg"]) for error in problem.errors()]
        message = "; ".join(f"{where or 'body'}: {what}" for where, what in found)
        return JSONResponse(error_body(message, _INVALID, found[0][0] or None, "invalid_request"), 400)

    async def plain(_: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        message = str(problem.detail)
        if problem.status_code == 413:
            message = _too_large(max_body_bytes)
        return JSONResponse(error_body(message, _INVALID), problem.status_code, problem.headers)

    app.add_exception_handler(CropReasoningError, failed)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, failed)


class DeclaredSize:
    """Refuses a request by the size it declares, in the OpenAI shape: FastAPI's own limit would answer plain text."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if declared.isdigit() and int(declared) > self.max_bytes:
            refusal = JSONResponse(error_body(_too_large(self.max_bytes), _INVALID), 413)
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _too_large(max_bytes: int) -> str:
    return f"the request is larger than {max_bytes / 2**20:.1f} MiB; scale the photo down first"
