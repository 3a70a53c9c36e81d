"""Whether a model compares the proposals or goes by their places: the same prefix, proposals in another order.

For each record the model is given the photo and the stored analysis and proposals, and its decision is the proposal
whose box tokens are likeliest. Then the proposals are turned around and it decides again. One that compares decides
alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.evaluation.predict import BATCH, request_for
from crop_reasoning.evaluation.predictions import select_records
from crop_reasoning.evaluation.preference import ScoringEngine, decided_box, decision_prefix
from crop_reasoning.evaluation.statistics import Interval, bootstrap_mean
from crop_reasoning.images import plan_image
from crop_reasoning.log import progress
from crop_reasoning.reasoning.rationale import Rationale, render
from crop_reasoning.reasoning.store import read_rationales
from crop_reasoning.records import CropRecord


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """How decisions follow the order of the proposals, over n records with at least two of them.

    `changed`: the share of decisions that another order changes. `hits`: how often the decision is the stored one, over
    both orders; `chance`: how often a blind guess would be. `places`: the share of decisions on each place, first to
    last, over both orders: even if no place is preferred.
    """

    changed: Interval
    hits: Interval
    chance: float
    places: tuple[float, ...]
    n: int


def order_effect(
    engine: Engine, folder: Path, split: str, *, limit: int | None = None, batch_size: int = BATCH // 4
) -> OrderEffect:
    """Measure it on the first `limit` records of a split; `DataError` if none has two proposals."""
    if not isinstance(engine, ScoringEngine):
        raise RecipeError(f"engine {engine.name!r} cannot score given text; the order test needs a local model")
    rationales = read_rationales(folder, split)
    records = [record for record in select_records(folder, split, limit) if record.id in rationales]
    asked = [(record, rationales[record.id][0]) for record in records]
    asked = [(record, rationale) for record, rationale in asked if len(rationale.proposals) > 1]
    if not asked:
        raise DataError(f"{folder}: no rationale of split {split!r} has two proposals; write the rationales anew")
    batches = [asked[start : start + batch_size] for start in range(0, len(asked), batch_size)]
    decided: list[tuple[int, int]] = []
    for batch in progress(batches, f"order {engine.name}", len(batches)):
        forward = _decide(engine, folder, batch)
        turned = [(record, replace(one, proposals=one.proposals[::-1])) for record, one in batch]
        decided += zip(forward, _decide(engine, folder, turned), strict=True)
    return summarize(decided, [rationale for _, rationale in asked])


def summarize(decided: Sequence[tuple[int, int]], rationales: Sequence[Rationale]) -> OrderEffect:
    """The figures of decisions: places (from 0) in the stored order and in the turned one, each in its own order."""
    changed, hits, chances = [], [], []
    longest = max(len(one.proposals) for one in rationales)
    counts = [0] * longest
    for (first, second), rationale in zip(decided, rationales, strict=True):
        boxes = [proposal.box for proposal in rationale.proposals]
        same = len(boxes) - 1 - second  # the place in the stored order
        changed.append(float(first != same))
        target = rationale.decision.box
        hits.append((float(boxes[first] == target) + float(boxes[same] == target)) / 2)
        chances.append(boxes.count(target) / len(boxes))
        counts[first] += 1
        counts[second] += 1
    return OrderEffect(
        changed=bootstrap_mean(changed),
        hits=bootstrap_mean(hits),
        chance=sum(chances) / len(chances),
        places=tuple(count / (2 * len(decided)) for count in counts),
        n=len(decided),
    )


def _decide(engine: ScoringEngine, folder: Path, batch: Sequence[tuple[CropRecord, Rationale]]) -> list[int]:
    """For each record the place of the proposal whose box is likeliest after the prefix; the first one on ties."""
    requests, continuations = [], []
    for record, rationale in batch:
        codec, plan = engine.family.codec, plan_image(record.image.wh, engine.budget)
        decisions = [replace(rationale.decision, box=proposal.box) for proposal in rationale.proposals]
        texts = [render(replace(rationale, decision=decision), codec, plan) for decision in decisions]
        requests.append(replace(request_for(record, folder, engine), prefix=decision_prefix(texts[0])))
        continuations.append([decided_box(text) for text in texts])
    scores = engine.score_continuations(requests, continuations)
    return [max(range(len(of)), key=of.__getitem__) for of in scores]
