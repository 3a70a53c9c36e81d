"""JSON inside an answer: written in one way only, and read strictly."""

from __future__ import annotations

import json
from typing import Any


def dumps(value: Any) -> str:
    """JSON without spaces, text as it is but for "<", so that no text inside a part can be taken for a tag."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def loads(text: str) -> Any:
    """Strict JSON: no NaN, no key twice, no half of a surrogate pair (it could not be written to any file)."""
    value = _DECODER.decode(text.strip())
    json.dumps(value, ensure_ascii=False).encode()
    return value


def loads_leading(text: str) -> Any:
    """The value that a text begins with, whatever follows it."""
    return loads(text[: _DECODER.raw_decode(text)[1]])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
