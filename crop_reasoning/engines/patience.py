"""One chat completion, asked patiently: an endpoint that is busy or down is asked again, one that refuses is not.

This module owns waiting and the kinds of failure. It must not know what is asked, nor what an answer says.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from crop_reasoning.engines.openai import KEY_VARIABLE, TIMEOUT_S, client, sentences
from crop_reasoning.errors import CropReasoningError

Json = dict[str, Any]
Ask = Callable[[Json], Json]
"""From the body of a chat request to the body of its answer; `Unanswered` or `Filtered` where there is none."""
_RETRY_AFTER_LIMIT_S = 300.0
_FILTERS = ("content_filter", "content_policy_violation", "invalid_image", "invalid_image_url")
_PATIENT_STATUS = (408, 409, 429)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is sent, how long each answer may take, and how long to wait in between.

    The wait doubles from `first_wait_s` up to `longest_wait_s`, less a random part of up to a half, so that requests
    which failed together do not come back together. A longer `Retry-After`, up to five minutes, is honored.
    """

    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    timeout_s: float = TIMEOUT_S


class Unanswered(CropReasoningError):
    """No answer after all attempts, or work was stopped; `kind` says why: the same request may do better later."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Filtered(CropReasoningError):
    """The endpoint refuses this very request for what it shows; others may pass."""


def patient_ask(base_url: str, patience: Patience, stop: threading.Event, trouble: Counter[str]) -> Ask:
    """The call that asks `base_url` (ending in /v1) patiently, for any number of threads.

    `stop` ends waiting; `trouble` counts by kind what was asked again. Raised by the call: `Unanswered`, `Filtered`,
    and for what no repetition cures (a wrong key, an unknown model, a request that is not understood, a spent quota,
    an address where nobody listens) the sentence of `engines.openai`.
    """
    import openai

    endpoint = client(base_url).with_options(max_retries=0, timeout=patience.timeout_s)
    heard = threading.Event()

    def ask(body: Json) -> Json:
        for attempt in range(1, patience.attempts + 1):
            asked_to_wait = 0.0
            try:
                response = endpoint.chat.completions.with_raw_response.create(**body)
                heard.set()
                return _object(response.content)
            except (ValueError, RecursionError) as problem:
                kind, detail = "broken_body", str(problem)
            except openai.APITimeoutError:
                kind, detail = "timeout", f"no answer within {patience.timeout_s:g} s"
            except openai.APIConnectionError as problem:
                kind, detail = "connection", str(problem.__cause__ or problem)
                if type(problem.__cause__).__name__ == "ConnectError" and not heard.is_set():
                    _tell(base_url, problem)  # nobody has ever listened there
            except openai.APIStatusError as problem:
                heard.set()
                kind, detail = _status_kind(problem, base_url), f"status {problem.status_code}"
                asked_to_wait = _retry_after(problem.response.headers.get("retry-after", ""))
            trouble[kind] += 1
            wait = min(patience.first_wait_s * 2 ** (attempt - 1), patience.longest_wait_s) * random.uniform(0.5, 1)
            if attempt < patience.attempts and stop.wait(max(wait, asked_to_wait)):
                break
        raise Unanswered(kind, f"{base_url}: {detail}, asked {attempt} times")

    return ask


def _object(content: bytes) -> Json:
    value = json.loads(content)
    if not isinstance(value, dict) or not value.get("choices"):
        raise ValueError(f"not a chat completion: {content[:80]!r}")
    return value


def _status_kind(problem: Any, base_url: str) -> str:
    """The kind of a status worth waiting for; else `Filtered`, or the sentence that ends the work."""
    status, code = problem.status_code, str(problem.code or "")
    if status == 400 and code in _FILTERS:
        raise Filtered(f"{base_url}: refuses the request ({code})") from None
    if code == "insufficient_quota" or (status < 500 and status not in _PATIENT_STATUS):
        _tell(base_url, problem)
    return "rate_limited" if status == 429 else f"status_{status}"


def _tell(base_url: str, problem: Exception) -> None:
    """Raise the sentence for an error of the client, without the key, should the endpoint have quoted it."""
    try:
        with sentences(base_url):
            raise problem
    except CropReasoningError as told:
        key = os.environ.get(KEY_VARIABLE, "")
        raise type(told)(str(told).replace(key, "[key]") if key else str(told)) from None


def _retry_after(value: str) -> float:
    """The seconds that a `Retry-After` header asks for, given as such or as a date; 0 for anything else.

    >>> _retry_after("1.5"), _retry_after("soon"), _retry_after("86400")
    (1.5, 0.0, 300.0)
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), _RETRY_AFTER_LIMIT_S)
