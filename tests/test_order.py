"""Whether decisions follow the order of the proposals: on engines that compare and on one that does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crop_reasoning.engines.base import Request
from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.order import order_effect
from crop_reasoning.images import plan_image
from crop_reasoning.reasoning.rationale import render_box
from crop_reasoning.records import write_jsonl
from tests.answers import N_TEST, TableEngine, make_data


class FirstPlace(TableEngine):
    """Likes whatever stands first among the proposals of its prefix."""

    def score_continuations(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [
            [-float(request.prefix.index(text.removesuffix(',"'))) for text in texts]
            for request, texts in zip(requests, continuations, strict=True)
        ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


def test_an_engine_that_knows_the_best_crop_decides_alike_in_any_order(data: Path) -> None:
    engine = TableEngine(data)
    best = set()
    for record in engine.records.values():
        plan = plan_image(record.image.wh, engine.budget)
        best.add(render_box(record.best, engine.family.codec, plan) + ',"')
    engine.likelihood = lambda text: float(text in best)
    found = order_effect(engine, data, "test", batch_size=3)
    assert (found.n, found.changed.mean, found.hits.mean) == (N_TEST, 0.0, 1.0)
    assert found.chance == pytest.approx(0.25)
    assert sum(found.places) == pytest.approx(1)
    assert found.places == pytest.approx(found.places[::-1])  # each record counts in both orders


def test_an_engine_that_goes_by_place_changes_every_decision(data: Path) -> None:
    found = order_effect(FirstPlace(data), data, "test")
    assert (found.changed.mean, found.places[0]) == (1.0, 1.0)
    assert found.hits.mean < 1


def test_without_two_proposals_there_is_nothing_to_turn(data: Path) -> None:
    write_jsonl(data / "rationales.jsonl", [])
    with pytest.raises(DataError, match=r"no rationale of split .test. has two proposals"):
        order_effect(TableEngine(data), data, "test")
