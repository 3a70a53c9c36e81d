"""Whether a model prefers the crops that people prefer: the log-probability of box tokens after one shared prefix.

For each held-out pair the same analysis and the same proposals, which hold both crops, stand before the decision; then
the tokens of either box are scored, with the `],"` that ends it: in trained text that is one token, of which a lone `]`
is none. Order, words and style are equal on both sides. The number of tokens is not where a tokenizer spells digits (a
box near the upper left is shorter), so a figure is read beside that of the model's own base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from crop_reasoning.engines.base import Engine, Request
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.evaluation.pairs import is_equal_size, pair_value
from crop_reasoning.evaluation.predict import request_for
from crop_reasoning.evaluation.predictions import select_records
from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean
from crop_reasoning.images import plan_image
from crop_reasoning.log import progress, say
from crop_reasoning.reasoning.rationale import DECISION_OPENING, Rationale, render
from crop_reasoning.reasoning.store import read_pair_rationales
from crop_reasoning.records import CropRecord, Pair

BATCH = 16


@runtime_checkable
class ScoringEngine(Engine, Protocol):
    """An engine that also tells how likely given words are; only local models do."""

    def score_continuations(self, requests: Sequence[Request], continuations: list[list[str]]) -> list[list[float]]: ...


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """One pair: `margin` is log p(chosen) - log p(rejected) in nats, None if the photo could not be read.

    `value` is 1 if the chosen box is likelier, 0.5 on a tie, 0 if the rejected one is or the photo failed.
    """

    record_id: str
    margin: float | None
    equal_size: bool

    @property
    def value(self) -> float:
        return pair_value(self.margin)


@dataclass(frozen=True, slots=True)
class Preference:
    """Preference accuracy over held-out pairs, ties half; intervals resample whole photos.

    `equal_size` covers the pairs of equal size alone (where "the larger one wins" says nothing), `margin` the pairs
    that could be scored, in nats. `n_failed` pairs of unreadable photos count as wrong.
    """

    accuracy: Interval
    equal_size: Interval | None
    margin: Interval | None
    n_photos: int
    n_ties: int
    n_failed: int
    protocol: str
    outcomes: tuple[PairOutcome, ...] = field(default=(), repr=False)

    def by_pair(self) -> dict[str, float]:
        """Pair name to value, for the paired difference of two models on the same pairs."""
        return {f"{outcome.record_id}#{number}": outcome.value for number, outcome in enumerate(self.outcomes)}


def preference_accuracy(
    engine: Engine, folder: Path, split: str, *, limit: int | None = None, batch_size: int = BATCH
) -> Preference:
    """Score the pairs of a split's first `limit` photos (`pair_rationales.jsonl` beside the records).

    `RecipeError` for an engine that cannot score given text, `DataError` if the split has no pairs.
    """
    if not isinstance(engine, ScoringEngine):
        raise RecipeError(
            f"engine {engine.name!r} cannot score given text; preference accuracy needs a local model "
            "(--run or --model)"
        )
    records, pairs = select_pairs(folder, split, limit)
    batches = [pairs[start : start + batch_size] for start in range(0, len(pairs), batch_size)]
    outcomes: list[PairOutcome] = []
    for batch in progress(batches, f"preference {engine.name}", len(batches)):
        outcomes += _score_batch(engine, folder, records, batch)
    return summarize(outcomes, f"{folder.resolve().name} {split}")


def select_pairs(
    folder: Path, split: str, limit: int | None = None
) -> tuple[dict[str, CropRecord], list[tuple[Pair, Rationale]]]:
    """The records of a split's first `limit` photos by id, and the pairs of them; `DataError` if there is no pair."""
    records = {record.id: record for record in select_records(folder, split, limit)}
    pairs = [(pair, chosen) for pair, chosen, _ in read_pair_rationales(folder, split) if pair.record_id in records]
    if not pairs:
        raise DataError(f"{folder}: no pairs for split {split!r}; build the pairs and their rationales first")
    return records, pairs


def summarize(outcomes: Sequence[PairOutcome], data: str) -> Preference:
    """The figures of a list of pair outcomes."""
    values = [outcome.value for outcome in outcomes]
    photos = [outcome.record_id for outcome in outcomes]
    equal = [outcome for outcome in outcomes if outcome.equal_size]
    scored = [(outcome.margin, outcome.record_id) for outcome in outcomes if outcome.margin is not None]
    return Preference(
        accuracy=bootstrap_mean(values, photos),
        equal_size=bootstrap_mean([o.value for o in equal], [o.record_id for o in equal]) if equal else None,
        margin=bootstrap_mean([margin for margin, _ in scored], [photo for _, photo in scored]) if scored else None,
        n_photos=len(set(photos)),
        n_ties=sum(outcome.margin == 0 for outcome in outcomes),
        n_failed=sum(outcome.margin is None for outcome in outcomes),
        protocol=(
            f"{data}, n = {len(outcomes)} pairs of {len(set(photos))} photos: share of pairs whose preferred crop's "
            "box tokens are likelier after the same rationale prefix, ties half; intervals resample photos"
        ),
        outcomes=tuple(outcomes),
    )


def decision_prefix(text: str) -> str:
    """An answer up to the place where its decision's box begins.

    >>> decision_prefix('<proposals>\\n</proposals>\\n<decision>\\n{"box":[0,0,9,9],"why":""}\\n</decision>')[-18:]
    '<decision>\\n{"box":'
    """
    return text[: text.rindex(DECISION_OPENING) + len(DECISION_OPENING)]


def decided_box(text: str) -> str:
    """The box of an answer's decision as it stands there, up to the start of the word why, so in whole tokens.

    >>> decided_box('<proposals>\\n</proposals>\\n<decision>\\n{"box":[0,0,9,9],"why":""}\\n</decision>')
    '[0,0,9,9],"'
    """
    start = len(decision_prefix(text))
    return text[start : text.index("why", start)]


def _score_batch(
    engine: ScoringEngine, folder: Path, records: dict[str, CropRecord], batch: Sequence[tuple[Pair, Rationale]]
) -> list[PairOutcome]:
    requests, continuations = [], []
    photos: dict[str, Request | None] = {}
    for pair, rationale in batch:
        record = records[pair.record_id]
        if record.id not in photos:
            photos[record.id] = _photo(record, folder, engine)
        asked = photos[record.id]
        if asked is None:
            continue
        codec, plan = engine.family.codec, plan_image(record.image.wh, engine.budget)
        decisions = (replace(rationale.decision, box=box) for box in (pair.chosen, pair.rejected))
        texts = [render(replace(rationale, decision=decision), codec, plan) for decision in decisions]
        requests.append(replace(asked, prefix=decision_prefix(texts[0])))
        continuations.append([decided_box(text) for text in texts])
    likelihoods = iter(engine.score_continuations(requests, continuations) if requests else [])
    boxes = iter(continuations)
    outcomes = []
    for pair, _ in batch:
        margin = None
        if photos[pair.record_id] is not None:
            chosen, rejected = next(likelihoods)
            first, second = next(boxes)
            margin = 0.0 if first == second else chosen - rejected
        outcomes.append(PairOutcome(pair.record_id, margin, is_equal_size(pair)))
    return outcomes


def _photo(record: CropRecord, folder: Path, engine: Engine) -> Request | None:
    try:
        return request_for(record, folder, engine)
    except DataError as problem:
        say(f"the pairs of record {record.id} count as wrong: {problem}")
        return None
