"""The part of the OpenAI chat API that the gateway speaks: what a request may hold, how answers and errors look.

A field that would change the answer but is not supported is refused by name; fields without an effect on a crop are
accepted, so that ordinary clients work unchanged. Unknown fields are refused: a misspelled one must not be ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from crop_reasoning.engines.base import MAX_NEW_TOKENS
from crop_reasoning.serving.answer import CropAnswer
from crop_reasoning.serving.present import crop_json, markdown

MAX_TEXT = 40_000
"""Characters one text of a message may hold; our own answers are a few thousand long."""
MAX_MESSAGES = 64
MAX_TOKENS = 4096


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextPart(Strict):
    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ImageUrl(Strict):
    url: str
    detail: Literal["auto", "low", "high", "original"] = "auto"


class ImagePart(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl


class ChatMessage(BaseModel):
    """One message. Extra fields are left aside: clients send back what earlier answers held beside their text."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_TEXT)] | list[TextPart | ImagePart] | None = None


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool = False


class TextFormat(Strict):
    type: Literal["text"]


class ChatRequest(Strict):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=MAX_TOKENS)
    max_completion_tokens: int | None = Field(None, ge=1, le=MAX_TOKENS)
    temperature: float | None = Field(None, ge=0, le=2)
    # supported at their neutral value only
    n: Literal[1] | None = None
    top_p: Literal[1] | None = None
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    logprobs: Literal[False] | None = None
    response_format: TextFormat | None = None
    # without an effect on a crop
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None

    @property
    def token_limit(self) -> int:
        return self.max_completion_tokens or self.max_tokens or MAX_NEW_TOKENS


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error as OpenAI clients expect it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def usage(answer: CropAnswer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": answer.prompt_tokens + answer.tokens,
    }


def completion(answer: CropAnswer, id: str, created: int) -> dict[str, Any]:
    """A whole answer: Markdown in `content`, the model's own text in `reasoning_content`, the crop in `crop`."""
    message = {"role": "assistant", "content": markdown(answer), "reasoning_content": answer.text}
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}],
        "usage": usage(answer),
        "crop": crop_json(answer),
    }


def chunk(id: str, created: int, model: str, delta: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """One piece of a streamed answer; without a delta it has no choices (the usage chunk)."""
    finish_reason = more.pop("finish_reason", None)
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "choices": [] if delta is None else [choice],
        **more,
    }
