"""Where the research data lies on a developer's machine; tests that need it skip, counted and named, without it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
TOKENIZER = SHARED / "tokenizers" / "qwen3"
needs_shared = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared research data is not here")
needs_tokenizer = pytest.mark.skipif(not TOKENIZER.is_dir(), reason="the real Qwen tokenizer is not here")


@cache
def real_tokenizer() -> Any:
    """The tokenizer that the published Qwen models use, of 151,669 tokens."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TOKENIZER)
