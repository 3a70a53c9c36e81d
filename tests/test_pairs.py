"""Selecting preference pairs: margins, difficulty, caps, balance, and what is counted. No file is opened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.pairs import is_equal_size
from crop_reasoning.geometry import Box, corners, from_xyxy_px
from crop_reasoning.records import BUCKETS, CropRecord, ImageRef, Pair, ScoredCrop
from data_builders.gaicd import ORDER, read_annotation
from data_builders.pairs import UNBALANCED, Rules, Selection, balance, differences, select
from data_builders.shortcuts import all_geometry, first_proposal, shortcuts
from tests.shared import SHARED, needs_shared
from tests.strategies import boxes

SIZES = (0.3, 0.5, 0.505, 0.7, 0.9)
"""Sides of which some areas and aspects are equal within a hundredth and some far apart."""


def record(name: str, split: str = "train", crops: Sequence[tuple[Box, float]] = (), source: str = "MOS") -> CropRecord:
    scored = tuple(ScoredCrop(box, score, source) for box, score in crops)
    return CropRecord(name, "some", split, ImageRef(f"{name}.jpg", "0" * 64, (300, 200)), scored)


@st.composite
def sized_pairs(draw: st.DrawFn) -> Pair:
    def crop(x1: float) -> Box:
        width, height = draw(st.sampled_from(SIZES)), draw(st.sampled_from(SIZES))
        return Box(x1, 0.05, x1 + width, 0.05 + height)

    bucket = draw(st.sampled_from(BUCKETS))
    return Pair(f"p{draw(st.integers(0, 9))}", crop(0.0), crop(0.1), 0.5, bucket=bucket)


@st.composite
def scored_records(draw: st.DrawFn) -> CropRecord:
    crops = draw(
        st.lists(st.tuples(boxes(0.05), st.integers(10, 50)), min_size=2, max_size=12, unique_by=lambda crop: crop[0])
    )
    return record("r", "train", [(box, score / 10) for box, score in crops])


# --- balance


@given(st.lists(sized_pairs(), max_size=60), st.integers(0, 3))
def test_every_cell_equals_its_mirror_and_no_pair_is_lost_in_vain(given_pairs: list[Pair], seed: int) -> None:
    def cells(pairs: list[Pair]) -> Counter[tuple[str, int, int]]:
        return Counter((pair.bucket, *steps) for pair, steps in zip(pairs, differences(pairs).tolist(), strict=True))  # type: ignore[misc]

    kept = balance(given_pairs, seed)
    before, after = cells(given_pairs), cells(kept)
    for (bucket, size, shape), count in before.items():
        assert after[bucket, size, shape] == after[bucket, -size, -shape] == min(count, before[bucket, -size, -shape])
    assert after["hard", 0, 0] == before["hard", 0, 0]
    assert not Counter(kept) - Counter(given_pairs)
    for rule in ("bigger wins, unequal size", "wider wins, unequal aspect"):
        assert shortcuts(kept)[rule].get("right", 0.5) == 0.5
    assert balance(given_pairs, seed) == kept


@given(boxes(0.02), boxes(0.02))
def test_a_difference_is_turned_round_with_its_pair_and_is_none_at_equal_size(a: Box, b: Box) -> None:
    there, back = Pair("x", a, b, 1.0), Pair("x", b, a, 1.0)
    assert (differences([there]) == -differences([back])).all()
    size = differences([there])[0, 0]
    assert (size == 0) == is_equal_size(there)
    assert size * (a.area - b.area) >= 0


# --- scored crops


@given(scored_records(), st.sampled_from([0.05, 0.125, 0.4]), st.integers(1, 6))
def test_scored_pairs_keep_threshold_cap_order_and_account_for_all(
    one: CropRecord, least_margin: float, per_photo: int
) -> None:
    rules = Rules(least_margin, per_photo, keep_shortcuts=True)
    try:
        found = select([one], None, rules)
    except DataError:
        assert len({crop.score for crop in one.crops}) == 1
        return
    twos = list(combinations(one.crops, 2))
    enough = [1 for a, b in twos if round(abs(a.score - b.score) / 4, 6) >= least_margin - 1e-9]
    assert len(found.after) == min(per_photo, len(enough))
    assert found.given["train"] == len(twos) == len(found.after) + sum(found.dropped["train"].values())
    ties = sum(a.score == b.score for a, b in twos)
    assert found.dropped["train"]["no winner"] == ties
    scores = {(pair.chosen, pair.rejected, round(pair.margin, 5)) for pair in found.after}
    legal = {(a.box, b.box, round((a.score - b.score) / 4, 5)) for two in twos for a, b in (two, two[::-1])}
    assert scores <= legal
    assert len(scores) == len(found.after)


def test_a_quota_of_each_bucket_stands_under_the_cap_and_different_crops_are_shown() -> None:
    steps = [1.0, 1.4, 1.8, 2.2, 2.6, 3.0, 3.4, 3.8, 4.2, 4.6, 5.0]
    crops = [(Box(0.01 * place, 0.1, 0.5 + 0.01 * place, 0.6), score) for place, score in enumerate(steps)]
    found = select([record(name, crops=crops) for name in "abcdef"], None, Rules(per_photo=9, keep_shortcuts=True))
    assert Counter(pair.bucket for pair in found.after) == {"hard": 18, "medium": 18, "easy": 18}
    for name in "abcdef":
        shown = {box for pair in found.after if pair.record_id == name for box in (pair.chosen, pair.rejected)}
        assert len(shown) >= 9
    # most pairs of scored crops are easy: without a quota what is hard would be lost
    assert Counter(pair.bucket for pair in found.before)["easy"] > 27


def test_scores_of_an_unknown_scale_are_measured_by_their_spread_over_the_folder() -> None:
    crops = [(Box(0, 0, 0.5, 0.5), 20.0), (Box(0.5, 0.5, 1, 1), 10.0)]
    wide = [(Box(0, 0, 0.5, 0.5), 0.0), (Box(0.5, 0.5, 1, 1), 40.0)]
    found = select([record("a", crops=crops, source="raters"), record("b", crops=wide, source="raters")], None, Rules())
    assert [(pair.margin, pair.bucket) for pair in found.before] == [(0.25, "easy"), (1.0, "easy")]


def test_a_photos_draw_depends_on_itself_and_the_seed_alone() -> None:
    crops = [(Box(0.01 * place, 0, 0.4 + 0.03 * place, 0.9), 1 + place / 4) for place in range(16)]
    one, other = record("a", crops=crops), record("b", crops=crops)
    rules = Rules(per_photo=4, keep_shortcuts=True)

    def of_a(found: Selection) -> list[Pair]:
        return [pair for pair in found.after if pair.record_id == "a"]

    alone = of_a(select([one], None, rules))
    assert of_a(select([other, one], None, rules)) == alone
    assert of_a(select([one], None, Rules(per_photo=4, keep_shortcuts=True, seed=1))) != alone


def test_held_out_photos_are_drawn_from_blindly() -> None:
    crops = [(Box(0, 0, 0.3 + 0.04 * place, 0.9), 1 + place / 4) for place in range(16)]
    found = select([record("a", "test", crops), record("b", "val", crops)], None, Rules(per_photo=6))
    assert found.after == found.before
    assert Counter(pair.record_id for pair in found.after) == {"a": 6, "b": 6}


def test_held_out_pairs_do_not_depend_on_the_margin_that_train_pairs_need() -> None:
    crops = [(Box(0, 0, 0.3 + 0.04 * place, 0.9), 1 + place / 10) for place in range(16)]
    tied = (Box(0.1, 0, 0.4, 0.9), 1.0)
    records = [record("a", "test", [*crops, tied]), record("b", "val", crops), record("c", crops=crops)]
    loose, strict = (select(records, None, Rules(least_margin=least, keep_shortcuts=True)) for least in (0.001, 0.3))
    for found in (loose, strict):
        assert found.dropped["test"] == {"no winner": 1, "margin too small": 0, "over the cap": 125}
    held_out, of_train = (
        [[pair for pair in found.after if (pair.record_id == "c") == train] for found in (loose, strict)]
        for train in (False, True)
    )
    assert held_out[0] == held_out[1]
    assert min(pair.margin for pair in held_out[0]) < 0.075
    assert of_train[0] != of_train[1]


# --- ranked pairs


def ranked(count: int, **fields: Any) -> list[Pair]:
    """Pairs of one photo `a` whose bigger crop wins, of each margin of five votes in turn."""
    return [
        Pair("a", Box(0, 0, 0.8 + 0.001 * place, 0.8), Box(0.2, 0.2, 0.6, 0.6), **{**voted(place), **fields})
        for place in range(count)
    ]


def voted(place: int) -> dict[str, Any]:
    votes = ((2, 3), (1, 4), (0, 5))[place % 3]
    return {"margin": (votes[1] - votes[0]) / 5, "votes": votes}


@pytest.mark.parametrize("split", ["val", "test"])
def test_ranked_pairs_that_only_score_are_untouched(split: str) -> None:
    pairs = ranked(15)
    found = select([record("a", split)], pairs, Rules(least_margin=0.9, per_photo=1))
    plain = [(pair.record_id, pair.chosen, pair.rejected, pair.margin, pair.votes) for pair in found.after]
    assert plain == [(pair.record_id, pair.chosen, pair.rejected, pair.margin, pair.votes) for pair in pairs]
    assert not sum(found.dropped[split].values())
    assert [pair.bucket for pair in found.after[:3]] == list(BUCKETS)


def test_ranked_train_pairs_are_dropped_for_their_margin_the_cap_and_the_balance_in_turn() -> None:
    found = select([record("a")], ranked(15), Rules(least_margin=0.5, per_photo=4))
    assert found.after == []
    assert found.dropped["train"] == {"no winner": 0, "margin too small": 5, "over the cap": 6, UNBALANCED: 4}
    kept = select([record("a")], ranked(15), Rules(per_photo=5, keep_shortcuts=True)).after
    assert Counter(pair.bucket for pair in kept) == {"hard": 2, "medium": 2, "easy": 1}


# --- shortcuts


@given(st.lists(sized_pairs(), min_size=1, max_size=40))
def test_shortcuts_are_those_of_a_slow_count(pairs: list[Pair]) -> None:
    def slow(value: Any, speaks: Any) -> dict[str, float]:
        verdicts = [value(p) for p in pairs if speaks(p)]
        return {"n": len(verdicts), **({"right": round(sum(verdicts) / len(verdicts), 6)} if verdicts else {})}

    def aspect(box: Box) -> float:
        return box.width / box.height

    def unlike(a: float, b: float) -> bool:
        return abs(a - b) / max(a, b) > 0.01

    def off(box: Box) -> float:
        return float(((box.center[0] - 0.5) ** 2 + (box.center[1] - 0.5) ** 2) ** 0.5)

    found = shortcuts(pairs)
    assert found["bigger wins, unequal size"] == slow(
        lambda p: p.chosen.area > p.rejected.area, lambda p: unlike(p.chosen.area, p.rejected.area)
    )
    assert found["wider wins, unequal aspect"] == slow(
        lambda p: aspect(p.chosen) > aspect(p.rejected), lambda p: unlike(aspect(p.chosen), aspect(p.rejected))
    )
    assert found["nearer the center wins"] == slow(
        lambda p: 0.5 if abs(off(p.chosen) - off(p.rejected)) < 1e-5 else off(p.chosen) < off(p.rejected),
        lambda p: True,
    )
    assert found["second listed wins"] == {"n": 0}


def test_the_order_of_the_source_and_that_of_proposals_are_told_apart() -> None:
    assert shortcuts(ranked(3))["second listed wins"] == {"n": 3, "right": 1.0}
    a, b, c = [0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.7, 0.7]
    lines = [
        {"pair": {"record_id": "a", "chosen": a, "rejected": b}, "chosen": {"proposals": [{"box": x} for x in order]}}
        for order in ((c, a, b), (b, c, a), (b, a, c))
    ]
    assert first_proposal(lines, {"a"}) == {"n": 3, "right": pytest.approx(1 / 3, abs=1e-6)}
    assert first_proposal(lines, {"other"}) == {"n": 0}


def test_all_geometry_finds_a_rule_on_photos_that_it_has_not_seen() -> None:
    upper = [Pair(f"p{n}", Box(0.1, 0, 0.6, 0.5), Box(0.1, 0.1 + n / 200, 0.6, 0.6 + n / 200), 1.0) for n in range(60)]
    assert all_geometry(upper) == {"n": 60, "right": 1.0}
    turned = [pair if n % 2 else Pair(pair.record_id, pair.rejected, pair.chosen, 1.0) for n, pair in enumerate(upper)]
    assert 0.3 < all_geometry(turned)["right"] < 0.7
    assert all_geometry(upper[:1]) == {"n": 1}
    assert all_geometry([]) == {"n": 0}


# --- real data


@needs_shared
def test_the_real_opinions_of_gaicd_v1() -> None:
    folder = SHARED / "data" / "gaicd_v1"
    records = []
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        entry = json.loads(line)
        wh = tuple(entry["size_candidates_wh"][0])
        crops, _ = read_annotation(folder / "annotations" / entry["file"].replace(".jpg", ".txt"))
        placed = [(from_xyxy_px(corners(crop.values, ORDER), wh), crop.score) for crop in crops]
        records.append(record(entry["file"], entry["split"], placed))
    assert Counter(one.split for one in records) == {"train": 1036, "test": 200}
    found = select(records, None, Rules())
    train = {one.id for one in records if one.split == "train"}
    before = shortcuts([pair for pair in found.before if pair.record_id in train])
    kept = [pair for pair in found.after if pair.record_id in train]
    after = shortcuts(kept)
    assert before["bigger wins, unequal size"]["right"] > 0.65
    assert after["bigger wins, unequal size"]["right"] == after["wider wins, unequal aspect"]["right"] == 0.5
    assert after["all geometry together"]["right"] < before["all geometry together"]["right"] - 0.08
    assert max(Counter(pair.record_id for pair in kept).values()) <= 10
    assert len({pair.record_id for pair in kept}) == 1036
    assert min(Counter(pair.bucket for pair in kept).values()) > len(kept) / 4
