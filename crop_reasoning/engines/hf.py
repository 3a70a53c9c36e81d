"""The embedded engine: transformers in this process, for any family, with or without an adapter.

Batches are padded on the left, so that every answer starts at the same place and a batch says what single requests say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from crop_reasoning.engines.base import GUIDED, MAX_NEW_TOKENS, Generation, Request
from crop_reasoning.models.loading import load_model, resolve, tell_other_guides
from crop_reasoning.models.packages import LOADING, require_packages
from crop_reasoning.models.processors import vision_budget
from crop_reasoning.reasoning.prompts import FULL, shows_guides


class HFEngine:
    """A loaded model behind `Engine`; `name` is what was asked for, `prompt_id` what the run was tuned with.

    An untuned model gets the full prompt, which explains the answer format, unless `prompt_id` says otherwise.
    """

    def __init__(self, source: str, prompt_id: str | None = None, dtype: str | None = None) -> None:
        require_packages(LOADING, "a model in this process")
        import torch

        from crop_reasoning.engines.coordinates import Spelling

        found = resolve(source)
        accelerated = torch.cuda.is_available()
        model, self.processor, self.family = load_model(
            found.base, found.adapter, dtype=dtype or ("bfloat16" if accelerated else "float32")
        )
        self.model = (model.to("cuda") if accelerated else model).eval()
        self.name = source
        self.budget = vision_budget(self.processor, self.family)
        self.prompt_id = prompt_id or found.prompt_id or FULL
        if shows_guides(self.prompt_id):
            tell_other_guides(source)
        self.decoding = GUIDED
        self.spelling = Spelling(self.processor.tokenizer, self.model.get_output_embeddings().weight.shape[0])

    def inputs(self, requests: Sequence[Request]) -> Any:
        """Left-padded model inputs of conversations, each followed by its prefix."""
        texts = []
        for request in requests:
            text = self.processor.apply_chat_template(request.messages, add_generation_prompt=True, tokenize=False)
            texts.append(text + request.prefix)
        images = [list(request.images) for request in requests]
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
            output = self.model.generate(**batch, **self._options(requests, max_new_tokens, temperature))
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
            options = self._options([request], max_new_tokens, temperature)
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

        `continuations[i]` are alternatives for request i. What they follow is computed once for all of them.
        """
        import torch

        rows = [row for row, texts in enumerate(continuations) for _ in texts]
        if not rows:
            return []
        shared, tails = self._split_tokens(requests, continuations)
        batch = _drop_last(self.inputs(requests), shared, self.processor.tokenizer.pad_token_id)
        longest, device = max(map(len, tails)), self.model.device
        tokens = torch.tensor([tail + [0] * (longest - len(tail)) for tail in tails], device=device)
        mask = torch.tensor([[1] * len(tail) + [0] * (longest - len(tail)) for tail in tails], device=device)
        with torch.inference_mode():
            before = self.model(**batch, use_cache=True, logits_to_keep=1)
            before.past_key_values.batch_select_indices(torch.tensor(rows, device=device))
            seen = torch.cat([batch["attention_mask"][rows], mask], 1)
            # A position is the number of tokens before it, plus what the photo's tokens save by lying in a plane.
            plain = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
            places = seen.cumsum(1)[:, -longest:] - 1 + plain.model.rope_deltas[rows]
            after = self.model(
                input_ids=tokens,
                attention_mask=seen,
                position_ids=places.expand(3, -1, -1),
                past_key_values=before.past_key_values,
            )
        logits = torch.cat([before.logits[rows], after.logits[:, :-1]], 1).float()
        scores = logits.log_softmax(-1).gather(2, tokens[..., None])[..., 0] * mask
        sums = iter(scores.sum(1).tolist())
        return [[next(sums) for _ in texts] for texts in continuations]

    def _split_tokens(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> tuple[list[int], list[list[int]]]:
        """How many of each prefix's last tokens are others once a continuation follows, and, of each continuation, the
        tokens from there on."""
        tokenizer = self.processor.tokenizer
        dropped, tails = [], []
        for request, texts in zip(requests, continuations, strict=True):
            prefix, *wholes = (
                tokenizer(request.prefix + text, add_special_tokens=False).input_ids for text in ("", *texts)
            )
            columns = zip(prefix, *wholes, strict=False)
            shared = next((i for i, column in enumerate(columns) if len(set(column)) > 1), len(prefix))
            dropped.append(len(prefix) - shared)
            tails += [whole[shared:] for whole in wholes]
        return dropped, tails

    def _options(self, requests: Sequence[Request], max_new_tokens: int, temperature: float) -> dict[str, Any]:
        from transformers import LogitsProcessorList

        from crop_reasoning.engines.coordinates import CoordinateLists

        guide = CoordinateLists(self.spelling, [request.prefix for request in requests])
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "do_sample": temperature > 0}
        options["logits_processor"] = LogitsProcessorList([guide])
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


def _drop_last(batch: Any, counts: Sequence[int], pad: int) -> Any:
    """Left-padded inputs without the last `counts[i]` tokens of row i; the rows stay flush on the right."""
    for row, count in enumerate(counts):
        if count:
            for name, filler in (("input_ids", pad), ("attention_mask", 0), ("mm_token_type_ids", 0)):
                if name in batch:
                    batch[name][row] = batch[name][row].roll(count)
                    batch[name][row, :count] = filler
    return batch
