"""The author's answers for a ranked pair: nothing but the photo can tell which crop is preferred."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from crop_reasoning.authors.boxes import author_rationale
from crop_reasoning.geometry import Box
from crop_reasoning.reasoning.store import read_pair_rationales
from crop_reasoning.records import CropRecord, ImageRef
from data_builders.build import build_dataset
from tests.strategies import boxes


def record(subject: Box | None) -> CropRecord:
    return CropRecord("a", "test", "train", ImageRef("a.jpg", "0" * 64, (400, 300)), (), subject=subject)


@given(boxes(), boxes(), boxes())
def test_the_proposals_do_not_depend_on_which_crop_is_preferred(a: Box, b: Box, subject: Box) -> None:
    for known in (None, subject):
        one, other = (
            author_rationale(record(known), pair, np.random.default_rng(0))[0].proposals for pair in ((a, b), (b, a))
        )
        assert one == other


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    build_dataset("toy", None, folder, {"train": 300, "val": 0, "test": 0})
    return folder


def test_no_rule_about_the_company_of_a_crop_knows_the_preferred_one(scenes: Path) -> None:
    """The size that recurs among the proposals was the preferred crop's once: right in nine of ten unequal pairs."""

    def alike(a: Box, b: Box) -> bool:
        return abs(a.width - b.width) < 0.004 and abs(a.height - b.height) < 0.004

    points = []
    for pair, answer, _ in read_pair_rationales(scenes):
        if alike(pair.chosen, pair.rejected):
            continue
        recurs = [sum(alike(p.box, box) for p in answer.proposals) for box in (pair.chosen, pair.rejected)]
        points.append(0.5 if recurs[0] == recurs[1] else float(recurs[0] > recurs[1]))
    assert len(points) > 200
    assert abs(np.mean(points) - 0.5) < 0.06
