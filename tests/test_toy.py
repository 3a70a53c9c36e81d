"""Scenes and their rationales: the same bytes every time, a best crop that is one, and not a word that is untrue."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.geometry import Box, inside, iou
from crop_reasoning.images import ImagePlan, load_upright, sha256_of
from crop_reasoning.records import ScoredCrop, read_pairs, read_records
from data_builders import toy
from data_builders.build import build_dataset
from data_builders.rationales import write_rationales
from data_builders.scenes import Scene, make_scene, quality

PLAN = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")
KINDS = {"subject", "horizon", "lines", "mirrored", "pattern", "full"}


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


def test_scenes_are_the_same_whatever_the_workers_and_differ_by_seed(toy_data, tmp_path):
    toy.build(None, tmp_path / "two", train=36, val=2, test=4, workers=2)
    write_rationales(tmp_path / "two")
    assert contents(tmp_path / "two") == contents(toy_data)
    toy.build(None, tmp_path / "fewer", train=3, val=0, test=4, workers=1)  # a scene depends on its own number alone
    own, fewer = ({r.id: r for r in read_records(folder)} for folder in (toy_data, tmp_path / "fewer"))
    assert all(own[name] == record for name, record in fewer.items())
    toy.build(None, tmp_path / "other", train=3, val=0, test=0, seed=1, workers=1)
    assert not {r.image.sha256 for r in read_records(tmp_path / "other")} & {r.image.sha256 for r in own.values()}


def test_every_record_names_its_photo_and_no_photo_stands_in_two_splits(toy_data):
    records = read_records(toy_data)
    assert Counter(record.split for record in records) == {"train": 36, "val": 2, "test": 4}
    assert len({record.image.sha256 for record in records}) == len(records)
    for record in records:
        assert sha256_of(toy_data / record.image.path) == record.image.sha256
        assert load_upright(toy_data / record.image.path).size == record.image.wh
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


def test_a_build_that_is_cut_short_leaves_the_photo_of_a_finished_one_whole(toy_data, tmp_path, monkeypatch):
    def cut(image: Image.Image, path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    shutil.copytree(toy_data, tmp_path / "copy")
    monkeypatch.setattr(Image.Image, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        toy._write_scene((tmp_path / "copy", "train", 0, 0, False))
    photo = "images/train/00000.jpg"
    assert (tmp_path / "copy" / photo).read_bytes() == (toy_data / photo).read_bytes()


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


def test_pairs_have_a_positive_margin_and_never_equal_boxes(toy_data):
    records, pairs = {record.id: record for record in read_records(toy_data)}, read_pairs(toy_data)
    assert len(pairs) > len(records)
    for pair in pairs:
        scores = {crop.box: crop.score for crop in records[pair.record_id].crops}
        assert pair.chosen != pair.rejected
        assert toy.LEAST_MARGIN <= pair.margin <= 1
        assert pair.margin == pytest.approx(min(scores[pair.chosen] - scores[pair.rejected], 1.0), abs=1e-3)
    assert len({(pair.record_id, pair.chosen, pair.rejected) for pair in pairs}) == len(pairs)


def test_in_many_pairs_neither_crop_is_the_larger_one(toy_data):
    pairs = read_pairs(toy_data)
    equal = [pair for pair in pairs if abs(pair.chosen.area - pair.rejected.area) < 0.01]
    larger_wins = np.mean([pair.chosen.area > pair.rejected.area for pair in pairs if pair not in equal])
    assert 0.3 < len(equal) / len(pairs) < 0.7
    assert 0.15 < larger_wins < 0.85
