"""The offline author that speaks of what was measured in the photo: its elements, real candidates, honest differences.

The answers of one photo share analysis and proposals and differ in the decision alone. Proposals follow from the photo
and from the set of targets, whichever comes first; the decision's words come from the same draws for every target.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crop_reasoning.authors import phrases
from crop_reasoning.authors.candidates import candidates
from crop_reasoning.authors.facts import View, differences, evidence, facts, known, view
from crop_reasoning.authors.phrases import Fact, Rng, listed, wording
from crop_reasoning.composition.analysis import Evidence, Measured
from crop_reasoning.composition.placement import position_word, size_word
from crop_reasoning.geometry import WHOLE, Box, iou
from crop_reasoning.reasoning.rationale import Decision, Element, Proposal, Rationale
from crop_reasoning.records import CropRecord

AUTHOR = "measured/1"
PROPOSALS = 4
_ELEMENTS = 3  # named in the analysis, the strongest first: more would not fit a small model's answer
_DISTINCT = 0.85  # two proposals that overlap more than this would be one
_SERVED = 2
_SINGLE = 0.55  # of the reasons of candidates: one fact, for brevity
_REASONS = (1, 1, 2, 2, 3)  # differences that a decision argues with, drawn
_CONCEDES = 0.4  # of the decisions
_WEIGHTS = {"subject": 2.0, "place": 3.0, "element": 3.0, "border": 2.0, "space": 2.0, "balance": 1.5, "level": 1.5}
_ARGUMENTS = {
    "kept": 3.0,
    "larger": 2.0,
    "cuts": 3.0,
    "element": 2.0,
    "balance": 1.5,
    "less empty": 2.0,
    "emptier": 0.7,
}


def author_rationales(
    record: CropRecord, targets: Sequence[Box], measured: Measured, rng: Rng
) -> tuple[Rationale, ...]:
    """One answer a target crop, all with the same analysis and the same proposals, which hold every target.

    `measured` is of the record's photo. Everything said was measured there, on the photo or on the crop.
    """
    measured = known(record, measured)
    photo = view(measured, WHOLE)
    boxes = sorted(set(targets), key=lambda box: box.xyxy)
    for rival in candidates(measured, photo.analysis, record.image.wh, record.aspect, rng):
        if len(boxes) >= PROPOSALS:
            break
        if all(iou(rival, box) < _DISTINCT for box in boxes):
            boxes.append(rival)
    views = [view(measured, boxes[index]) for index in rng.permutation(len(boxes))]
    said = [(each, evidence(each, photo)) for each in photo.analysis.elements]
    elements = tuple(_element(each, words, rng) for each, words in [pair for pair in said if pair[1]][:_ELEMENTS])
    proposals = tuple(Proposal(each.box, _served(each), reason(each, rng)) for each in views)
    draws = int(rng.integers(2**32))
    arguments = {target: _arguments(target, views) for target in targets}
    least = min(len(each) for each in arguments.values())
    whys = {target: why(target, views, arguments[target], least, np.random.default_rng(draws)) for target in targets}
    return tuple(Rationale(photo.subject, elements, proposals, Decision(target, whys[target])) for target in targets)


def _element(seen: Evidence, said: Sequence[Fact], rng: Rng) -> Element:
    points = seen.polygon or seen.path
    box = seen.box
    if points:
        (x1, x2), (y1, y2) = ((min(p[axis] for p in points), max(p[axis] for p in points)) for axis in (0, 1))
        box = Box(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
    words = wording(phrases.EVIDENCE, said[int(rng.integers(len(said)))], rng)
    return Element(seen.name, words, point=seen.point, line=seen.line, box=box)


def _served(seen: View) -> tuple[str, ...]:
    return tuple(each.name for each in seen.analysis.elements[:_SERVED])


def reason(seen: View, rng: Rng) -> str:
    """What is true of a candidate, its weakness first of all if it has one: two facts at most."""
    found = facts(seen)
    must = [topic for topic in ("subject", "border") if topic in found and found[topic].favor < 0]
    rest = [topic for topic in found if topic not in must]
    if "place" in rest and "subject" in rest:  # what stands somewhere is there: one of the two is enough
        rest.remove("subject" if rng.random() < 0.7 else "place")
    weights = np.array([_WEIGHTS.get(topic, 0.6) for topic in rest])
    if rest:
        order = rng.choice(len(rest), size=len(rest), replace=False, p=weights / weights.sum())
        must += [rest[index] for index in order]
    chosen = sorted(
        (found[topic] for topic in must[: 1 if rng.random() < _SINGLE else 2]), key=lambda fact: -fact.favor
    )
    return _reason_words(seen.box, chosen, rng)


def _reason_words(box: Box, chosen: list[Fact], rng: Rng) -> str:
    size = size_word(box)
    frame = size if box.is_whole else f"{'an' if size[0] in 'aeiou' else 'a'} {size} crop"
    that = "" if box.is_whole else " that"
    if not chosen:
        return f"{frame}, {position_word(box)}"
    against = len(chosen) == 2 and chosen[0].favor > chosen[1].favor < 0
    done = [wording(phrases.PREDICATES, fact, rng) for fact in chosen]
    so = [wording(phrases.CLAUSES, fact, rng) for fact in chosen]
    if len(chosen) == 1:
        forms = [f"{frame}{that} {done[0]}", f"{frame}: {so[0]}", done[0], so[0]]
    elif against:
        forms = [
            f"{done[0]} but {done[1]}",
            f"{so[0]}, but {so[1]}",
            f"{so[0]}, though {so[1]}",
            f"{frame}{that} {done[0]} but {done[1]}",
            f"{frame}: {so[0]}, but {so[1]}",
            f"{done[0]}; {so[1]}",
        ]
    else:
        forms = [
            f"{done[0]} and {done[1]}",
            f"{so[0]} and {so[1]}",
            f"{so[0]}, and {so[1]}",
            f"{frame}{that} {done[0]} and {done[1]}",
            f"{frame}: {so[0]}, {so[1]}",
            f"{done[0]}; {so[1]}",
            f"{so[0]}; {so[1]}",
        ]
    return forms[rng.integers(len(forms))]


Argument = tuple[str, Fact]


def _arguments(target: Box, views: Sequence[View]) -> list[Argument]:
    """What speaks for the target against the other proposals, (topic, fact), with those proposals' places as words."""
    places = [place for place, each in enumerate(views) if each.box != target]
    own = next(each for each in views if each.box == target)
    found = []
    for topic, (fact, surpassed) in differences(own, [views[place] for place in places]).items():
        names = [phrases.ORDINALS[places[index]] for index in surpassed]
        words = {**fact.words, "others": "all others" if len(names) == len(places) > 1 else listed(names)}
        found.append((topic, fact._replace(words=words)))
    return found


def why(target: Box, views: Sequence[View], arguments: list[Argument], most: int, rng: Rng) -> str:
    """The decision's reason: up to three measured differences (at most `most`), at times with what it gives up."""
    wanted = max(1, min(int(_REASONS[rng.integers(len(_REASONS))]), most))
    opening = phrases.OPENINGS[rng.integers(len(phrases.OPENINGS))]
    keeping = phrases.KEEPING[rng.integers(len(phrases.KEEPING))]
    concedes = rng.random() < _CONCEDES
    concession = phrases.CONCESSIONS[rng.integers(len(phrases.CONCESSIONS))]
    if target.is_whole:
        opening = keeping
    if not arguments:
        own = size_word(target)
        return f"{opening}is {own}, {position_word(target)}" if opening else f"{own}, {position_word(target)}"
    weights = np.array([_ARGUMENTS.get(topic, 1.0) for topic, _ in arguments])
    order = rng.choice(len(arguments), size=len(arguments), replace=False, p=weights / weights.sum())
    chosen = [arguments[index][1] for index in order[:wanted]]
    said = [wording(phrases.COMPARISONS, fact, rng) for fact in chosen]
    joined = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    against = [fact for fact in facts(next(each for each in views if each.box == target)).values() if fact.favor < 0]
    if concedes and against:
        fact = against[rng.integers(len(against))]
        joined += concession.format(fact=wording(phrases.PREDICATES, fact, rng))
    return opening + joined
