"""The embedded engine: transformers in this process, for any family, with or without an adapter.

Batches are padded on the left, so that every answer starts at the same place and a batch says what single requests say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from crop_reasoning.engines.base import MAX_NEW_TOKENS, Generation, Request
from crop_reasoning.models.loading import load_model, resolve
from crop_reasoning.models.packages import LOADING, require_packages
from crop_reasoning.models.processors import vision_budget
from crop_reasoning.reasoning.prompts import FULL


class HFEngine:
    """A loaded model behind `Engine`; `name` is what was asked for, `prompt_id` what the run was tuned with.

    An untuned model gets the full prompt, which explains the answer format, unless `prompt_id` says otherwise.
    """

    def __init__(self, source: str, prompt_id: str | None = None, dtype: str | None = None) -> None:
        require_packages(LOADING, "a model in this process")
        import torch

        found = resolve(source)
        accelerated = torch.cuda.is_available()
        model, self.processor, self.family = load_model(
            found.base, found.adapter, dtype=dtype or ("bfloat16" if accelerated else "float32")
        )
        self.model = (model.to("cuda") if accelerated else model).eval()
        self.name = source
        self.budget = vision_budget(self.processor, self.family)
        self.prompt_id = prompt_id or found.prompt_id or FULL

    def inputs(self, requests: Sequence[Request], continuations: Sequence[str] | None = None) -> Any:
        """Left-padded model inputs of conversations, each followed by its prefix (and a continuation)."""
        texts = []
        for index, request in enumerate(requests):
            text = self.processor.apply_chat_template(request.messages, add_generation_prompt=True, tokenize=False)
            texts.append(text + request.prefix + (continuations[index] if continuations else ""))
        images = [[request.image] for request in requests]
        batch = self.processor(text=texts, images=images, return_tensors="pt", padding=True, padding_side="left")
        return batch.to(self.model.device)

    def generate(
        self, requests: Sequence[Request], *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> list[Generation]:
        """Answers in the order of the requests, as one batch; `seconds` is the batch's time over its size."""
        import torch

        start = time.monotonic()
        batch = self.inputs(requests)
        with torch.inference_mode():
            output = self.model.generate(**batch, **self._options(max_new_tokens, temperature))
        seconds = (time.monotonic() - start) / len(requests)
        width = batch["input_ids"].shape[1]
        prompt_tokens = batch["attention_mask"].sum(1).tolist()
        return [
            self._generation(request, new.tolist(), tokens, seconds)
            for request, new, tokens in zip(requests, output[:, width:], prompt_tokens, strict=True)
        ]

    def stream(
        self, request: Request, *, max_new_tokens: int = MAX_NEW_TOKENS, temperature: float = 0.0
    ) -> Iterator[str | Generation]:
        """Pieces of the answer as they are written, then the whole Generation."""
        from threading import Event, Thread

        from transformers import StoppingCriteriaList, TextIteratorStreamer

        streamer = TextIteratorStreamer(self.processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
        start = time.monotonic()
        batch = self.inputs([request])
        width = batch["input_ids"].shape[1]
        abandoned = Event()
        result: list[Any] = []

        def work() -> None:
            options = self._options(max_new_tokens, temperature)
            options["stopping_criteria"] = StoppingCriteriaList([lambda ids, scores, **_: abandoned.is_set()])
            try:
                result.append(self.model.generate(**batch, **options, streamer=streamer))
            except Exception as problem:  # carried over to the reader's thread, which raises it
                result.append(problem)
                streamer.end()

        thread = Thread(target=work, daemon=True)
        thread.start()
        try:
            if request.prefix:
                yield request.prefix
            for piece in streamer:
                if piece:
                    yield piece
        finally:  # a reader that goes away must not leave the model writing to nobody
            abandoned.set()
            thread.join()
        if isinstance(result[0], Exception):
            raise result[0]
        yield self._generation(request, result[0][0, width:].tolist(), width, time.monotonic() - start)

    def score_continuations(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Sum of the log-probabilities of each continuation's tokens after its request's conversation and prefix.

        `continuations[i]` are alternatives for request i. One forward pass of all pairs, padded on the left.
        """
        import torch

        pairs = [(request, text) for request, texts in zip(requests, continuations, strict=True) for text in texts]
        if not pairs:
            return []
        batch = self.inputs([request for request, _ in pairs], [text for _, text in pairs])
        counts = self._continuation_tokens(pairs)
        longest = max(counts)
        with torch.inference_mode():
            logits = self.model(**batch, logits_to_keep=longest + 1).logits[:, :-1].float()
        log_probs = logits.log_softmax(-1)
        targets = batch["input_ids"][:, -longest:]
        scores = log_probs.gather(2, targets[..., None])[..., 0]
        sums = iter([float(row[longest - count :].sum()) for row, count in zip(scores, counts, strict=True)])
        return [[next(sums) for _ in texts] for texts in continuations]

    def _continuation_tokens(self, pairs: list[tuple[Request, str]]) -> list[int]:
        """How many tokens at the end belong to the continuation: those after the longest prefix both texts share."""
        tokenizer = self.processor.tokenizer
        counts = []
        for request, text in pairs:
            prefix, whole = (
                tokenizer(t, add_special_tokens=False).input_ids for t in (request.prefix, request.prefix + text)
            )
            shared = next((i for i, (a, b) in enumerate(zip(prefix, whole, strict=False)) if a != b), len(prefix))
            counts.append(len(whole) - shared)
        return counts

    def _options(self, max_new_tokens: int, temperature: float) -> dict[str, Any]:
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "do_sample": temperature > 0}
        if temperature > 0:
            options["temperature"] = temperature
        return options

    def _generation(self, request: Request, tokens: list[int], prompt_tokens: int, seconds: float) -> Generation:
        ends = self.model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        stop = next((index for index, token in enumerate(tokens) if token in ends), None)
        kept = tokens if stop is None else tokens[:stop]
        text = request.prefix + self.processor.tokenizer.decode(kept, skip_special_tokens=True)
        return Generation(text, "length" if stop is None else "stop", prompt_tokens, len(kept), seconds)
