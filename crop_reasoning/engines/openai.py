"""Any OpenAI-compatible endpoint as an engine: vLLM, SGLang, a hosted model, or this package's own server.

This module owns the wire: data URLs out, text in, every failure a sentence. Which integers the model writes is told by
the endpoint or by the config of the folder that it serves, never guessed from a name.
"""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from PIL import Image

from crop_reasoning.engines.base import MAX_NEW_TOKENS, REMOTE, Generation, Request
from crop_reasoning.errors import CropReasoningError, EnvironmentProblem, ModelError
from crop_reasoning.images import VisionBudget
from crop_reasoning.models.families import Family, family_named
from crop_reasoning.models.packages import LOADING, require_packages
from crop_reasoning.reasoning.prompts import FULL, without_guides
from crop_reasoning.reasoning.rationale import DECISION_OPENING

CONCURRENCY = 8
"""Requests under way at once; the server batches them."""
TIMEOUT_S = 600.0
KEY_VARIABLE = "OPENAI_API_KEY"
_TAG = DECISION_OPENING.partition("\n")[0]


class OpenAIEngine:
    """A model behind `base_url` (ending in /v1), served under `name`; the endpoint is asked once what it serves.

    Errors: `EnvironmentProblem` (unreachable), `ModelError` (not served, or of no known family).
    """

    def __init__(self, base_url: str, name: str) -> None:
        self.name = name
        self._base_url = base_url
        self._client = client(base_url)
        with sentences(base_url):
            served = {model.id: model.model_extra or {} for model in self._client.models.list()}
        if name not in served:
            raise ModelError(f"{base_url}: does not serve {name!r}; expected one of {', '.join(served) or 'none'}")
        self.family, self.budget, self.prompt_id = _reading(base_url, name, served)
        self.decoding = REMOTE

    def generate(
        self, requests: Sequence[Request], *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> list[Generation]:
        def one(request: Request) -> Generation:
            start = time.monotonic()
            reply = self._send(request, max_new_tokens, temperature)
            choice = reply.choices[0]
            text = request.prefix + answer_text(_reasoning(choice.message), choice.message.content or "")
            return _generation(text, choice.finish_reason, reply.usage, start)

        with ThreadPoolExecutor(CONCURRENCY) as pool:
            return list(pool.map(one, requests))

    def stream(
        self, request: Request, *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> Iterator[str | Generation]:
        start = time.monotonic()
        reasoning, content, finish_reason, usage = "", "", "stop", None
        options = {"stream": True, "stream_options": {"include_usage": True}}
        with sentences(self._base_url), self._send(request, max_new_tokens, temperature, **options) as chunks:
            for chunk in chunks:
                usage = chunk.usage or usage
                for choice in chunk.choices:
                    finish_reason = choice.finish_reason or finish_reason
                    thought, said = _reasoning(choice.delta), choice.delta.content or ""
                    # once a decision stands in the reasoning, what follows is its repetition for people
                    piece = thought if _TAG in reasoning else thought + said
                    reasoning, content = reasoning + thought, content + said
                    if piece:
                        yield piece
        yield _generation(request.prefix + answer_text(reasoning, content), finish_reason, usage, start)

    def _send(self, request: Request, max_new_tokens: int, temperature: float, **options: Any) -> Any:
        pictures = iter(request.images)
        messages = [_message(message, pictures) for message in request.messages]
        if request.prefix:  # vLLM's and SGLang's way to continue an answer; other servers refuse the fields
            messages.append({"role": "assistant", "content": request.prefix})
            options["extra_body"] = {"continue_final_message": True, "add_generation_prompt": False}
        with sentences(self._base_url):
            return self._client.chat.completions.create(
                model=self.name, messages=messages, max_tokens=max_new_tokens, temperature=temperature, **options
            )


def _reading(base_url: str, name: str, served: dict[str, dict[str, Any]]) -> tuple[Family, VisionBudget, str]:
    """What an endpoint's model reads: its family (and so its integers), pixel budget and prompt id.

    A crop-reasoning server says it, and draws guides itself; vLLM and SGLang name the folder or hub id they loaded,
    whose config says it.
    """
    told = served[name].get("crop_reasoning")
    if told:
        budget = VisionBudget(**told["budget"])
        return family_named(budget.family, where=f"{base_url}: {name}"), budget, without_guides(told["prompt_id"])
    require_packages(LOADING, "reading the config of an endpoint's model")
    from crop_reasoning.models.loading import family_for, processor_source, resolve
    from crop_reasoning.models.processors import load_processor, vision_budget

    root = served[name].get("root")
    if not root:
        raise ModelError(
            f"{base_url}: does not say what {name!r} was loaded from, and the family decides what its integers mean; "
            "expected a crop-reasoning, vLLM or SGLang server"
        )
    source = resolve(root)
    family = family_for(source.base)
    processor = load_processor(processor_source(source.base, source.adapter), family)
    return family, vision_budget(processor, family), source.prompt_id or FULL


def client(base_url: str) -> Any:
    """The OpenAI client for an endpoint; its key, if it needs one, comes from the environment alone."""
    require_packages(("openai",), "an endpoint", extra="serve")
    from openai import OpenAI

    return OpenAI(base_url=base_url, api_key=os.environ.get(KEY_VARIABLE, "none"), timeout=TIMEOUT_S)


@contextmanager
def sentences(base_url: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    import openai

    try:
        yield
    except openai.APITimeoutError:
        raise CropReasoningError(f"{base_url}: no answer within {TIMEOUT_S:.0f} s; is the server overloaded?") from None
    except openai.APIConnectionError as problem:
        cause = problem.__cause__ or problem
        raise EnvironmentProblem(f"{base_url}: cannot be reached ({cause}); is the server running?") from None
    except openai.APIStatusError as problem:
        raise CropReasoningError(f"{base_url}: answered {problem.status_code}: {_reason(problem)}") from None
    except openai.OpenAIError as problem:
        raise CropReasoningError(f"{base_url}: {problem}") from None


def _reason(problem: Any) -> str:
    body = problem.body
    return str(body.get("message", body)) if isinstance(body, dict) else problem.message


def _message(message: dict[str, Any], pictures: Iterator[Image.Image]) -> dict[str, Any]:
    if all(block["type"] == "text" for block in message["content"]):
        return {"role": message["role"], "content": "".join(block["text"] for block in message["content"])}
    blocks = [
        {"type": "image_url", "image_url": {"url": data_url(next(pictures))}} if block["type"] == "image" else block
        for block in message["content"]
    ]
    return {"role": message["role"], "content": blocks}


def data_url(image: Image.Image) -> str:
    """The image as a PNG data URL: the endpoint sees exactly the planned pixels."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _reasoning(message: Any) -> str:
    extra = message.model_extra or {}
    return extra.get("reasoning_content") or extra.get("reasoning") or ""


def answer_text(reasoning: str, content: str) -> str:
    """The three parts, wherever the server put them: some keep tagged text beside the content."""
    return reasoning if _TAG in reasoning and _TAG not in content else content


def _generation(text: str, finish_reason: str, usage: Any, start: float) -> Generation:
    return Generation(
        text=text,
        finish_reason="length" if finish_reason == "length" else "stop",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        tokens=usage.completion_tokens if usage else 0,
        seconds=time.monotonic() - start,
    )
