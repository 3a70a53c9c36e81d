"""An engine without a model: it writes valid answers with the crops it was given, the same ones every time.

For tests and for building clients. It looks at no pixel, and it needs neither torch nor a model folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crop_reasoning.engines.base import FREE, MAX_NEW_TOKENS, Generation, Request
from crop_reasoning.geometry import WHOLE, Box, centered
from crop_reasoning.images import VisionBudget, plan_image
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.prompts import BRIEF
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale, render

MIN_SIDE, MAX_SIDE = 64, 512


class FakeEngine:
    """Answers a conversation's n-th turn with the n-th of `crops`, and with the last one from then on."""

    def __init__(self, crops: Sequence[Box] = (centered(0.8),), family: str = "qwen3_vl", name: str = "fake") -> None:
        self.name = name
        self.crops = tuple(crops)
        self.family = FAMILIES[family]
        self.budget = VisionBudget(family, self.family.resize_factor, MIN_SIDE**2, MAX_SIDE**2)
        self.prompt_id, self.decoding = BRIEF, FREE

    def generate(
        self, requests: Sequence[Request], *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> list[Generation]:
        return [self._generation(request, max_new_tokens) for request in requests]

    def stream(
        self, request: Request, *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> Iterator[str | Generation]:
        made = self._generation(request, max_new_tokens)
        yield from _tokens(made.text)
        yield made

    def text_for(self, request: Request) -> str:
        """The answer's text: the turn's crop among its proposals, in the family's integers."""
        turn = sum(message["role"] == "assistant" for message in request.messages)
        crop = self.crops[min(turn, len(self.crops) - 1)]
        boxes = [crop, *(box for box in (WHOLE, centered(0.9), centered(0.7)) if box != crop)]
        thirds = Element("rule of thirds", "the subject stands on a crossing of thirds", point=(1 / 3, 1 / 3))
        rationale = Rationale(
            subject=centered(0.5),
            elements=(thirds,),
            proposals=tuple(Proposal(box, ("rule of thirds",), f"keeps {box.area:.0%} of the photo") for box in boxes),
            decision=Decision(crop, "the subject keeps its room"),
        )
        return render(rationale, self.family.codec, plan_image(request.images[0].size, self.budget))

    def _generation(self, request: Request, max_new_tokens: int) -> Generation:
        tokens = _tokens(self.text_for(request))
        cut = len(tokens) > max_new_tokens
        words = sum(len(_tokens(part.get("text", ""))) for turn in request.messages for part in turn["content"])
        plan = plan_image(request.images[0].size, self.budget)
        text = request.prefix + "".join(tokens[:max_new_tokens])
        return Generation(
            text=text,
            finish_reason="length" if cut else "stop",
            prompt_tokens=plan.visual_tokens * len(request.images) + words,
            tokens=min(len(tokens), max_new_tokens),
            seconds=0.0,
        )


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*?", text)
