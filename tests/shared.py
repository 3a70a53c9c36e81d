"""Where the research data lies on a developer's machine; tests that need it skip, counted and named, without it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared research data is not here")
