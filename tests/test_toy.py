"""Scenes and their rationales: the same bytes every time, a best crop that is one, and not a word that is untrue."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crop_reasoning.codecs import thousandths
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import Box, inside, iou
from crop_reasoning.images import ImagePlan, load_upright, sha256_of
from crop_reasoning.reasoning.author import ORDINALS, PROPOSALS, author_rationale
from crop_reasoning.reasoning.rationale import DECISION_OPENING, Parsed, Rationale, parse, render
from crop_reasoning.reasoning.store import read_pair_rationales, read_rationales
from crop_reasoning.records import CropRecord, ImageRef, ScoredCrop, read_pairs, read_records
from data_builders import toy
from data_builders.build import build_dataset
from data_builders.rationales import write_rationales
from data_builders.scenes import Scene, make_scene, quality

PLAN = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")
KINDS = {"subject", "horizon", "lines", "mirrored", "pattern", "full"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A small built data set with its rationales."""
    folder = tmp_path_factory.mktemp("toy")
    toy.build(None, folder, train=36, val=2, test=4, workers=1)
    write_rationales(folder)
    return folder


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Scene, list[ScoredCrop]]]:
    """Scenes with their ranked crops, drawn as the builder draws them."""
    drawn = []
    for index in range(120):
        rng = np.random.default_rng([7, index])
        scene = make_scene(rng)
        drawn.append((scene, list(toy.ranked_crops(scene, rng))))
    return drawn


# --- scenes


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_scenes_are_the_same_whatever_the_workers_and_differ_by_seed(data, tmp_path):
    toy.build(None, tmp_path / "two", train=36, val=2, test=4, workers=2)
    write_rationales(tmp_path / "two")
    assert contents(tmp_path / "two") == contents(data)
    toy.build(None, tmp_path / "fewer", train=3, val=0, test=4, workers=1)  # a scene depends on its own number alone
    own, fewer = ({r.id: r for r in read_records(folder)} for folder in (data, tmp_path / "fewer"))
    assert all(own[name] == record for name, record in fewer.items())
    toy.build(None, tmp_path / "other", train=3, val=0, test=0, seed=1, workers=1)
    assert not {r.image.sha256 for r in read_records(tmp_path / "other")} & {r.image.sha256 for r in own.values()}


def test_every_record_names_its_photo_and_no_photo_stands_in_two_splits(data):
    records = read_records(data)
    assert Counter(record.split for record in records) == {"train": 36, "val": 2, "test": 4}
    assert len({record.image.sha256 for record in records}) == len(records)
    for record in records:
        assert sha256_of(data / record.image.path) == record.image.sha256
        assert load_upright(data / record.image.path).size == record.image.wh
        assert record.licence == "CC0-1.0"


def test_a_root_is_refused_because_nothing_is_read(tmp_path):
    with pytest.raises(RecipeError, match="made, not read: drop --root"):
        toy.build(tmp_path, tmp_path / "out")


FEW = {"train": 2, "val": 1, "test": 1, "workers": 1}


def test_other_settings_over_a_finished_build_are_refused_and_change_no_byte(tmp_path):
    build_dataset("toy", None, tmp_path, FEW)
    before = contents(tmp_path)
    with pytest.raises(DataError) as refused:
        build_dataset("toy", None, tmp_path, {**FEW, "seed": 7, "train": 4000, "anywhere": True})
    assert str(refused.value) == (
        f"{tmp_path}: holds toy of anywhere False, seed 0, train 2; got anywhere True, seed 7, train 4000; "
        "choose another --out or remove it"
    )
    assert refused.value.exit_code == 3
    assert contents(tmp_path) == before


def test_the_same_settings_again_change_no_byte_whether_given_or_left_out(tmp_path):
    build_dataset("toy", None, tmp_path, FEW)
    before = contents(tmp_path)
    build_dataset("toy", None, tmp_path, {**FEW, "workers": 2})
    assert contents(tmp_path) == before
    build_dataset("toy", None, tmp_path, {**FEW, "seed": 0, "anywhere": False})
    assert {name: data for name, data in contents(tmp_path).items() if name != "manifest.json"} == {
        name: data for name, data in before.items() if name != "manifest.json"
    }


def test_a_build_that_is_cut_short_leaves_the_photo_of_a_finished_one_whole(data, tmp_path, monkeypatch):
    def cut(image: Image.Image, path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    shutil.copytree(data, tmp_path / "copy")
    monkeypatch.setattr(Image.Image, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        toy._write_scene((tmp_path / "copy", "train", 0, 0, False))
    photo = "images/train/00000.jpg"
    assert (tmp_path / "copy" / photo).read_bytes() == (data / photo).read_bytes()


def test_all_kinds_and_some_scenes_that_are_best_as_they_are(scenes):
    kinds = Counter(scene.kind for scene, _ in scenes)
    assert set(kinds) == KINDS
    kept = [scene.kind for scene, _ in scenes if scene.best.is_whole]
    assert set(kept) >= {"pattern", "full"}
    assert 0.08 < len(kept) / len(scenes) < 0.5


def test_a_pattern_has_no_subject_and_every_other_scene_has_one_that_the_best_crop_holds(scenes):
    for scene, _ in scenes:
        assert (scene.subject is None) == (scene.kind == "pattern")
        if scene.subject:
            assert inside(scene.subject, scene.best) > 0.9


def test_the_subjects_box_is_where_its_pixels_are(scenes):
    """Around a lone subject, the pixels that stand out from their surroundings fill its box."""
    overlaps = []
    for scene, _ in scenes:
        if scene.kind != "subject" or scene.subject is None:
            continue
        width, height = scene.image.size
        (x, y), half = scene.subject.center, (0.75 * scene.subject.width, 0.75 * scene.subject.height)
        left, top = max(round((x - half[0]) * width), 0), max(round((y - half[1]) * height), 0)
        pixels = np.asarray(scene.image, float)[
            top : round((y + half[1]) * height), left : round((x + half[0]) * width)
        ]
        around = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)
        rows, columns = np.nonzero(np.abs(pixels - around).max(-1) > 60)
        found = Box(
            (left + columns.min()) / width,
            (top + rows.min()) / height,
            (left + columns.max() + 1) / width,
            (top + rows.max() + 1) / height,
        )
        overlaps.append(iou(found, scene.subject))
    assert len(overlaps) > 30
    assert np.median(overlaps) > 0.85


def test_the_best_crop_is_the_argmax_of_quality_among_the_ranked(scenes):
    for scene, crops in scenes:
        scores = [quality(crop.box, scene.best, scene.subject) for crop in crops]
        assert [crop.score for crop in crops] == [round(score, 4) for score in scores]
        assert crops[int(np.argmax(scores))].box == scene.best
        assert scores.count(max(scores)) == 1
        assert len({crop.box for crop in crops}) == len(crops) > 1


def test_the_best_crop_follows_its_rule(scenes):
    """On the crossing of thirds, on a third of the height, on the axis: recomputed from what stands in the scene."""
    for scene, _ in scenes:
        best, subject = scene.best, scene.subject
        if best.is_whole or subject is None:
            continue
        x = (subject.center[0] - best.x1) / best.width
        y = (subject.center[1] - best.y1) / best.height
        third = min(abs(x - 1 / 3), abs(x - 2 / 3))
        pushed = best.x1 in (0, 1) or best.y1 in (0, 1) or best.x2 == 1 or best.y2 == 1
        if scene.kind == "subject":
            assert third < 0.02
            assert min(abs(y - 1 / 3), abs(y - 2 / 3)) < 0.02
        elif scene.kind == "horizon" and not pushed:
            [level] = {element["line"][1] for element in scene.elements}
            line = (level - best.y1) / best.height
            assert third < 0.02
            assert min(abs(line - 1 / 3), abs(line - 2 / 3)) < 1e-6
        elif scene.kind == "lines" and not pushed:
            assert (abs(x - 0.5) < 0.02, abs(y - 1 / 3) < 0.02) == (True, True)
        elif scene.kind == "mirrored" and not pushed:
            assert abs(x - 0.5) < 1e-6


def test_quality_by_hand():
    best, subject = Box(0.0, 0.0, 0.5, 0.5), Box(0.4, 0.4, 0.6, 0.6)
    assert quality(best, best, None) == 1
    assert quality(best, best, subject) == pytest.approx(1 - 0.5 * 0.75)
    assert quality(Box(0.5, 0.5, 1, 1), best, Box(0.1, 0.1, 0.2, 0.2)) == -0.5


# --- ranked pairs


def test_pairs_have_a_positive_margin_and_never_equal_boxes(data):
    records, pairs = {record.id: record for record in read_records(data)}, read_pairs(data)
    assert len(pairs) > len(records)
    for pair in pairs:
        scores = {crop.box: crop.score for crop in records[pair.record_id].crops}
        assert pair.chosen != pair.rejected
        assert toy.LEAST_MARGIN <= pair.margin <= 1
        assert pair.margin == pytest.approx(min(scores[pair.chosen] - scores[pair.rejected], 1.0), abs=1e-3)
    assert len({(pair.record_id, pair.chosen, pair.rejected) for pair in pairs}) == len(pairs)


def test_in_many_pairs_neither_crop_is_the_larger_one(data):
    pairs = read_pairs(data)
    equal = [pair for pair in pairs if abs(pair.chosen.area - pair.rejected.area) < 0.01]
    larger_wins = np.mean([pair.chosen.area > pair.rejected.area for pair in pairs if pair not in equal])
    assert 0.3 < len(equal) / len(pairs) < 0.7
    assert 0.15 < larger_wins < 0.85


# --- rationales


def authored(index: int) -> tuple[CropRecord, Box, Box, tuple[Rationale, Rationale]]:
    """A made record (with a subject or without), a good and a worse crop, and the two answers that choose them."""
    rng = np.random.default_rng(index)
    subject = None if index % 3 == 0 else Box(*rng.uniform(0.1, 0.5, 2), *rng.uniform(0.55, 0.9, 2))
    first, second = (Box(*rng.uniform(0, 0.35, 2), *rng.uniform(0.6, 1, 2)) for _ in range(2))
    crops = tuple(ScoredCrop(box, score, "made") for box, score in ((first, 1.0), (second, 0.5)))
    record = CropRecord(f"r{index}", "made", "train", ImageRef("a.png", "0", (100, 100)), crops, subject=subject)
    return record, first, second, author_rationale(record, (first, second), rng)


def test_the_target_stands_at_every_place_among_the_proposals_equally_often():
    places: Counter[int] = Counter()
    for index in range(600):
        record, first, _, _ = authored(index)
        [answer] = author_rationale(record, (first,), np.random.default_rng([1, index]))
        boxes = [proposal.box for proposal in answer.proposals]
        assert len(boxes) == PROPOSALS
        places[boxes.index(answer.decision.box)] += 1
    expected = 600 / PROPOSALS
    chi_square = sum((places[place] - expected) ** 2 / expected for place in range(PROPOSALS))
    assert chi_square < 16.3  # 99.9 % of uniform draws, 3 degrees of freedom


def test_the_two_answers_of_a_pair_share_all_but_the_decision():
    for index in range(60):
        _, first, second, answers = authored(index)
        texts = [render(answer, thousandths, PLAN) for answer in answers]
        starts = [text.index(DECISION_OPENING) for text in texts]
        assert texts[0][: starts[0]] == texts[1][: starts[1]]
        assert texts[0] != texts[1]
        assert [answer.decision.box for answer in answers] == [first, second]
        boxes = [proposal.box for proposal in answers[0].proposals]
        assert {first, second} <= set(boxes)


def test_rivals_differ_from_the_target_and_from_each_other():
    for index in range(60):
        _, first, second, (answer, _) = authored(index)
        boxes = [proposal.box for proposal in answer.proposals if proposal.box not in (first, second)]
        for number, box in enumerate(boxes):
            assert all(iou(box, other) < 0.9 for other in [first, second, *boxes[:number]])


def test_built_answers_choose_the_best_crop_and_read_back(data):
    records, answers = {record.id: record for record in read_records(data)}, read_rationales(data)
    assert set(answers) == set(records)
    for name, [answer] in answers.items():
        assert answer.decision.box == records[name].best
        assert answer.subject == records[name].subject
        parsed = parse(render(answer, thousandths, PLAN), thousandths, PLAN)
        assert isinstance(parsed, Parsed)
        assert not parsed.repairs
    pairs = read_pair_rationales(data)
    assert [pair for pair, *_ in pairs] == read_pairs(data)
    for pair, chosen, rejected in pairs:
        assert (chosen.decision.box, rejected.decision.box) == (pair.chosen, pair.rejected)
        assert chosen.proposals == rejected.proposals


SIZES = {
    "very tight": (0, 0.2),
    "tight": (0.2, 0.33),
    "medium": (0.33, 0.5),
    "wide": (0.5, 0.75),
    "very wide": (0.75, 1),
}
LINES = {"left": (0, 0.5), "upper": (0, 0.5), "right": (0.5, 1), "lower": (0.5, 1)}
THIRDS = {"left third": 1 / 3, "upper third": 1 / 3, "right third": 2 / 3, "lower third": 2 / 3, "middle": 1 / 2}
SLACK = 0.0701  # how near a subject counts as standing on a line


def is_size(words: str, crop: Box) -> bool:
    if words == "the whole frame":
        return crop.xyxy == (0, 0, 1, 1)
    low, high = SIZES[words]
    return low <= (crop.x2 - crop.x1) * (crop.y2 - crop.y1) <= high and crop.xyxy != (0, 0, 1, 1)


def stands(words: str, share: float) -> bool:
    """Whether a place in the crop, as a share of its side, is what the words say."""
    if words in THIRDS:
        return abs(share - THIRDS[words]) <= SLACK
    low, high = LINES[words]
    return low <= share <= high


def is_place(words: str, crop: Box, subject: Box | None) -> bool:
    """The claim about where the subject stands in the crop or, without one, where the crop lies in the photo."""
    if subject is None:
        x, y = (crop.x1 + crop.x2) / 2, (crop.y1 + crop.y2) / 2
        if words == "central":
            return max(abs(x - 0.5), abs(y - 0.5)) <= SLACK
        signs = {"left": x < 0.5, "right": x > 0.5, "upper": y < 0.5, "lower": y > 0.5}
        return all(signs[word] for word in words.split())
    kept = inside(subject, crop)
    if words in ("subject lost", "subject cut"):
        return kept < (0.5 if words == "subject lost" else 0.95)
    across, down = words.removeprefix("subject ").split(", ")
    x = (subject.center[0] - crop.x1) / (crop.x2 - crop.x1)
    y = (subject.center[1] - crop.y1) / (crop.y2 - crop.y1)
    return kept >= 0.95 and stands(across, x) and stands(down, y)


def serves_truly(name: str, crop: Box, subject: Box | None) -> bool:
    if subject is None:
        return False
    x = (subject.center[0] - crop.x1) / (crop.x2 - crop.x1)
    y = (subject.center[1] - crop.y1) / (crop.y2 - crop.y1)
    lines = {"rule of thirds": (1 / 3, 2 / 3), "center": (1 / 2,)}[name]
    return all(min(abs(share - line) for line in lines) <= SLACK for share in (x, y))


def untrue(answer: Rationale) -> list[str]:
    """Every claim of an answer that its boxes do not bear out."""
    subject, wrong = answer.subject, []
    for proposal in answer.proposals:
        size, place = proposal.reason.split(", ", 1)
        claims = {proposal.reason: is_size(size, proposal.box) and is_place(place, proposal.box, subject)}
        claims |= {name: serves_truly(name, proposal.box, subject) for name in proposal.serves}
        wrong += [f"{claim}: {proposal.box}" for claim, true in claims.items() if not true]
    box, why = answer.decision.box, answer.decision.why
    others = {name: p.box for name, p in zip(ORDINALS, answer.proposals, strict=False) if p.box != box}
    if why.startswith("widest, "):
        true = all(box.area >= 0.96 * other.area for other in others.values())
        true = true and is_place(why.removeprefix("widest, "), box, subject)
    else:
        named, place = re.fullmatch(r"tighter than the ([a-z ]+), (.*)", why).groups()
        true = is_place(place, box, subject) and all(box.area < others[number].area for number in named.split(" and "))
    return wrong + ([] if true else [f"{why}: {box}"])


def test_every_claim_of_a_rationale_is_true_of_its_boxes(data):
    answers = [answer for written in read_rationales(data).values() for answer in written]
    answers += [answer for _, *both in read_pair_rationales(data) for answer in both]
    answers += [answer for index in range(300) for answer in authored(index)[3]]
    assert [claim for answer in answers for claim in untrue(answer)] == []
    said = Counter(word for answer in answers for p in answer.proposals for word in p.reason.split(", "))
    assert {*SIZES, "the whole frame", "central", "subject lost", "subject cut"} <= set(said)  # all are put to the test


@pytest.mark.parametrize(
    "spoil", [lambda b: Box(b.x1 / 2, b.y1, b.x2, b.y2), lambda b: Box(b.x1, b.y1, b.x2, b.y2 / 2 + 0.3)]
)
def test_the_check_of_claims_finds_boxes_that_moved(spoil: Callable[[Box], Box]):
    found = 0
    for index in range(60):
        answer = authored(index)[3][0]
        moved = tuple(replace(p, box=spoil(p.box)) for p in answer.proposals)
        found += bool(untrue(replace(answer, proposals=moved)))
    assert found > 40
