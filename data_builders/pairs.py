"""Which pairs of crops are worth learning from: margin, difficulty buckets, a cap a photo, and balance.

Pure: records and ranked pairs in, pairs out, no file is opened. Only `train` pairs are selected. Pairs that people
ranked of other photos pass as they are: they only score.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.pairs import EQUAL_SIZE
from crop_reasoning.geometry import Box
from crop_reasoning.log import progress
from crop_reasoning.records import BUCKETS, CropRecord, Pair

LEAST_MARGIN = 0.075
"""0.3 points of GAICD's mean opinion, whose scale has a span of 4: less is no opinion. All votes are above it."""
PER_PHOTO = 10
"""As many as FCDB ranks a photo."""
SCORE_BOUNDS = (0.125, 0.25)
"""Margins of scores at which `medium` and `easy` begin: 0.5 and 1 points of GAICD's mean opinion."""
VOTE_BOUNDS = (0.4, 0.8)
"""Margins of votes: of five, 3:2 is `hard`, 4:1 `medium`, 5:0 `easy`."""
OPINION, OPINION_SPAN = "MOS", 4.0
"""Crops of this source are scored from 1 to 5."""
NO_WINNER, TOO_SMALL, OVER_CAP, UNBALANCED = "no winner", "margin too small", "over the cap", "unbalanced"
REASONS = (NO_WINNER, TOO_SMALL, OVER_CAP, UNBALANCED)
STEP = 1.2
"""Differences of area and of aspect are told apart in steps of this ratio, or "much bigger wins" would be left."""
_ROUNDING = 1e-9
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of train pairs; `keep_shortcuts` turns the balance off."""

    least_margin: float = LEAST_MARGIN
    per_photo: int = PER_PHOTO
    seed: int = 0
    keep_shortcuts: bool = False


@dataclass(slots=True)
class Selection:
    """Pairs before and after the rules, by record in the records' order, and why others are gone.

    Before: the ranked pairs; of scored crops, whose pairs nobody listed, as many a photo as the cap allows, drawn
    blindly. `dropped` counts by split and reason. `given` is how many pairs there were to choose from, by split.
    """

    before: list[Pair] = field(default_factory=list)
    after: list[Pair] = field(default_factory=list)
    given: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The pairs of one record: chosen and rejected as places in `boxes`, margins, buckets as places in `BUCKETS`."""

    boxes: tuple[Box, ...]
    chosen: Array
    rejected: Array
    margins: Array
    buckets: Array
    votes: tuple[tuple[int, int] | None, ...] = ()

    def pairs(self, record_id: str, places: Sequence[int]) -> Iterator[Pair]:
        for place in places:
            margin, votes = float(self.margins[place]), self.votes[place] if self.votes else None
            chosen, rejected = self.boxes[self.chosen[place]], self.boxes[self.rejected[place]]
            yield Pair(record_id, chosen, rejected, margin, votes, BUCKETS[self.buckets[place]])


def select(records: Sequence[CropRecord], ranked: Sequence[Pair] | None, rules: Rules) -> Selection:
    """The pairs of `ranked` that are worth learning from, or, where that is None, those of scored crops.

    `DataError` if no record has two crops of different scores. The draw of a photo depends on its record's id and the
    seed alone.
    """
    found = Selection()
    by_record: dict[str, list[Pair]] = defaultdict(list)
    for pair in ranked or ():
        by_record[pair.record_id].append(pair)
    span = 0.0 if ranked is not None else score_span(records)
    train: list[Pair] = []
    held_out: dict[str, list[Pair]] = {}
    for record in progress(records, "pairs", len(records)):
        candidates = _of_scores(record, span) if ranked is None else _of_ranked(by_record[record.id])
        rng = np.random.default_rng([rules.seed, int(hashlib.sha256(record.id.encode()).hexdigest()[:8], 16)])
        before, after = _draw_both(record, candidates, ranked is not None, rules, rng, found)
        found.before += candidates.pairs(record.id, before)
        drawn = list(candidates.pairs(record.id, after))
        if record.split == "train":
            train += drawn
        else:
            held_out[record.id] = drawn
    kept = train if rules.keep_shortcuts else balance(train, rules.seed)
    found.dropped["train"][UNBALANCED] += len(train) - len(kept)
    its_train: dict[str, list[Pair]] = defaultdict(list)
    for pair in kept:
        its_train[pair.record_id].append(pair)
    found.after = [pair for record in records for pair in (*its_train[record.id], *held_out.get(record.id, ()))]
    return found


def score_span(records: Sequence[CropRecord]) -> float:
    """The span of the scale that crops are scored on; that of the scores seen, where it is not known.

    `DataError` if no record has two crops of different scores.
    """
    if not any(len({crop.score for crop in record.crops}) > 1 for record in records):
        raise DataError(
            "no record has crops of different scores, and there are no ranked pairs; "
            "pairs are made from pairs.jsonl (fcdb) or from scored crops (gaicd_v1, gaicd_v2, cpc)"
        )
    crops = [crop for record in records for crop in record.crops]
    if all(crop.source == OPINION for crop in crops):
        return OPINION_SPAN
    return max(crop.score for crop in crops) - min(crop.score for crop in crops)


def buckets_of(margins: Array, *, voted: bool) -> Array:
    """The difficulties of margins in (0,1], as places in `BUCKETS`.

    >>> buckets_of(np.array([0.2, 0.6, 1.0]), voted=True), buckets_of(np.array([0.3, 0.5, 1.0]) / 4, voted=False)
    (array([0, 1, 2]), array([0, 1, 2]))
    """
    return np.searchsorted(VOTE_BOUNDS if voted else SCORE_BOUNDS, margins + _ROUNDING, side="right")


def differences(pairs: Sequence[Pair]) -> Array:
    """By how many steps of `STEP` the chosen crop is bigger, and by how many wider: whole numbers, shape (n, 2).

    Negative where it is smaller or narrower, 0 where areas or aspects differ by at most `EQUAL_SIZE` of the larger one.

    >>> whole, narrow, half = Box(0, 0, 1, 1), Box(0, 0, 0.9, 1), Box(0, 0, 0.5, 1)
    >>> differences([Pair("x", whole, narrow, 1.0), Pair("x", half, whole, 1.0)])
    array([[ 1,  1],
           [-4, -4]])
    """
    chosen, rejected = (
        np.array([(box.width, box.height) for box in boxes]).reshape(-1, 2)
        for boxes in ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
    )
    return _differences(chosen, rejected)


def balance(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The most pairs in which each cell (bucket, `differences`) holds as many as its mirror image, in their order.

    Then no rule that knows which crop is bigger or wider, and by how many steps, is right more often than wrong. Pairs
    of equal size and aspect are their own mirror: all stay.
    """
    cells: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    steps = differences(pairs).tolist()
    for index in np.random.default_rng(seed).permutation(len(pairs)).tolist():
        cells[(pairs[index].bucket, *steps[index])].append(index)
    kept: list[int] = []
    for (bucket, size, shape), members in cells.items():
        mirror = cells.get((bucket, -size, -shape), [])
        kept += members[: len(mirror)]
    return [pairs[index] for index in sorted(kept)]


def _draw_both(
    record: CropRecord, candidates: _Candidates, listed: bool, rules: Rules, rng: np.random.Generator, found: Selection
) -> tuple[list[int], list[int]]:
    """The places of one record's pairs before and after the rules but for the balance; counts go into `found`."""
    dropped, total = found.dropped[record.split], len(candidates.margins)
    found.given[record.split] += total
    if listed and record.split != "train":
        return list(range(total)), list(range(total))
    train = record.split == "train"
    # the margin asked of train pairs must not say which pairs a model is measured on
    enough = np.flatnonzero(candidates.margins >= rules.least_margin - _ROUNDING if train else candidates.margins > 0)
    ties = int(np.count_nonzero(candidates.margins == 0))
    blind = np.sort(rng.permutation(enough)[: rules.per_photo])
    after = _draw(candidates, enough, rules, rng) if train else blind
    dropped[NO_WINNER] += ties
    dropped[TOO_SMALL] += total - ties - len(enough)
    dropped[OVER_CAP] += len(enough) - len(after)
    before = range(total) if listed else blind
    return [int(place) for place in before], [int(place) for place in after]


def _draw(candidates: _Candidates, members: Array, rules: Rules, rng: np.random.Generator) -> Array:
    """At most `per_photo` of the places `members`: as many of each bucket, and in it of each cell, as there are.

    One by one: of the bucket with the fewest so far (the harder one on a tie), in it of the cell with the fewest, the
    pair whose crops were used least.
    """
    if len(members) <= rules.per_photo:
        return members
    members = rng.permutation(members)
    buckets, first, second = candidates.buckets[members], candidates.chosen[members], candidates.rejected[members]
    cells = np.zeros(len(members), int)
    if not rules.keep_shortcuts:
        sides = np.array([(box.width, box.height) for box in candidates.boxes])
        cells = np.unique(_differences(sides[first], sides[second]) @ (1, 1000), return_inverse=True)[1]
    chance = rng.permutation(cells.max() + 1)  # or the commonest cell would come first
    in_bucket, in_cell = np.zeros(len(BUCKETS), int), np.zeros((len(BUCKETS), len(chance)), int)
    used = np.zeros(len(candidates.boxes), int)
    taken = np.zeros(len(members), bool)
    for _ in range(rules.per_photo):
        keys = (used[first] + used[second], chance[cells], in_cell[buckets, cells], buckets, in_bucket[buckets], taken)
        pick = _first_of_least(keys)
        taken[pick] = True
        in_bucket[buckets[pick]] += 1
        in_cell[buckets[pick], cells[pick]] += 1
        used[[first[pick], second[pick]]] += 1
    return np.sort(members[taken])


def _first_of_least(keys: Sequence[Array]) -> int:
    """The first place with the least keys, of which the last one counts most (as in `numpy.lexsort`)."""
    rank = np.zeros(len(keys[0]), np.int64)
    weight = 1
    for key in keys:
        rank += weight * key
        weight *= int(key.max()) + 1
    return int(np.argmin(rank))


def _of_ranked(pairs: Sequence[Pair]) -> _Candidates:
    places: dict[Box, int] = {}
    for pair in pairs:
        places.setdefault(pair.chosen, len(places))
        places.setdefault(pair.rejected, len(places))
    margins, voted = np.array([pair.margin for pair in pairs], float), [pair.votes is not None for pair in pairs]
    return _Candidates(
        tuple(places),
        np.array([places[pair.chosen] for pair in pairs], int),
        np.array([places[pair.rejected] for pair in pairs], int),
        margins,
        np.where(np.array(voted, bool), buckets_of(margins, voted=True), buckets_of(margins, voted=False)),
        tuple(pair.votes for pair in pairs),
    )


def _of_scores(record: CropRecord, span: float) -> _Candidates:
    """All pairs of a record's crops, the one of the higher score chosen; margin 0 where there is no winner."""
    scores = np.array([crop.score for crop in record.crops], float)
    boxes = tuple(crop.box for crop in record.crops)
    twos = np.array(list(combinations(range(len(scores)), 2)), int).reshape(-1, 2)
    gaps = scores[twos[:, 0]] - scores[twos[:, 1]]
    chosen, rejected = np.where(gaps >= 0, twos.T, twos.T[::-1])
    same = np.array([boxes[a] == boxes[b] for a, b in twos], bool)
    margins = np.minimum(np.where(same, 0.0, np.round(np.abs(gaps) / span, 6)), 1.0)
    return _Candidates(boxes, chosen, rejected, margins, buckets_of(margins, voted=False))


def _differences(chosen: Array, rejected: Array) -> Array:
    """`differences` of crops of the sides `chosen` and `rejected`, each (n, 2)."""
    columns = []
    for a, b in (
        (chosen.prod(axis=1), rejected.prod(axis=1)),
        (chosen[:, 0] / chosen[:, 1], rejected[:, 0] / rejected[:, 1]),
    ):
        more, less = np.maximum(a, b), np.minimum(a, b)
        steps = 1 + np.floor(np.log(more / less) / np.log(STEP))
        columns.append(np.where(more - less > EQUAL_SIZE * more, np.sign(a - b) * steps, 0))
    return np.stack(columns, axis=1).astype(int)
