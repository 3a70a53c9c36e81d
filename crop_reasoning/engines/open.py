"""One door to every engine, for the command line."""

from __future__ import annotations

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import RecipeError


def open_engine(model: str | None = None, base_url: str | None = None, name: str | None = None) -> Engine:
    """The engine that the options ask for: a run, model or adapter folder, or a served model at `base_url`.

    `RecipeError` unless exactly one of `model` and `base_url` is given.
    """
    if (model is None) == (base_url is None):
        raise RecipeError("say which model: either --run/--model FOLDER, or --base-url URL with --name NAME")
    if base_url is not None:
        from crop_reasoning.engines.openai import OpenAIEngine

        if not name:
            raise RecipeError("--base-url needs --name, the model's id there (GET /v1/models lists them)")
        return OpenAIEngine(base_url, name)
    from crop_reasoning.engines.hf import HFEngine

    assert model is not None
    return HFEngine(model)
