"""Whether measures decide pairs as people do: what decides is found, what does not is not, and photos are resampled."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.crop_measures import MEASURES, RULES, crop_values
from benchmarks.crop_values import jobs_of, measured_crops
from benchmarks.preference_fit import FOLDS, accuracy, fit, outcomes
from benchmarks.preferences import NAMES, Pairs, compared, preferences
from crop_reasoning.composition.analysis import measure
from crop_reasoning.errors import DataError, Interrupted
from crop_reasoning.evaluation.pairs import is_equal_size
from crop_reasoning.evaluation.statistics import bootstrap_mean
from crop_reasoning.geometry import WHOLE, Box, place
from crop_reasoning.images import sha256_of
from crop_reasoning.records import CropRecord, ImageRef, Pair, ScoredCrop, write_jsonl

SIZE = (96, 64)
SQUARE = (0.28, 0.28)


def photos_of(n_photos: int, n_pairs: int) -> list[str]:
    return [f"photo-{photo}" for photo in range(n_photos) for _ in range(n_pairs)]


def test_a_planted_measure_decides_all_pairs_and_a_random_one_none() -> None:
    rng = np.random.default_rng(0)
    photos = photos_of(60, 6)
    planted, random = rng.uniform(0.1, 1, len(photos)), rng.normal(size=len(photos))
    assert accuracy(planted, photos).share.mean == 1
    found = accuracy(random, photos).share
    assert found.low < 0.5 < found.high
    assert accuracy(-planted, photos).share.mean == 0


def test_ties_and_missing_values_are_halves() -> None:
    found = accuracy(np.array([1.0, 0.0, np.nan, -1.0, 1e-7]), list("aabbc"))
    assert outcomes(np.array([1.0, 0.0, np.nan, -1.0, 1e-7])).tolist() == [1, 0.5, 0.5, 0, 0.5]
    assert (found.share.mean, found.ties, found.share.n) == (0.5, 0.6, 5)
    assert found.decided is None, "two pairs that differ tell nothing"
    decided = accuracy(np.repeat([1.0, 0.0, np.nan, -1.0], 30), photos_of(30, 4)).decided
    assert decided is not None
    assert (decided.mean, decided.n) == (0.5, 60)


def test_photos_are_resampled_and_not_pairs() -> None:
    """Ten pairs of a photo that all say the same are one piece of evidence: the interval must not shrink by them."""
    rng = np.random.default_rng(1)
    one_each = rng.choice([-1.0, 1.0], 40)
    once = accuracy(one_each, photos_of(40, 1)).share
    tenfold = accuracy(np.repeat(one_each, 10), photos_of(40, 10)).share
    alone = bootstrap_mean(outcomes(np.repeat(one_each, 10)).tolist())
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low)
    assert alone.high - alone.low < 0.5 * (tenfold.high - tenfold.low)


def test_a_weighted_sum_is_learnt_from_other_photos_and_judges_the_mirrored_pair_mirrored() -> None:
    rng = np.random.default_rng(2)
    differences = rng.normal(size=(600, 4)) * (1, 100, 0.01, 1)
    differences[:, 3] = 0  # a measure that never differs
    noise = rng.logistic(size=600)
    wins = 2 * differences[:, 0] - 0.02 * differences[:, 1] + noise > 0
    chosen = np.where(wins[:, None], differences, -differences)
    train, test = chosen[:400], chosen[400:]
    fitted = fit(train, photos_of(100, 4))
    assert fitted.weights[0] > 0 > fitted.weights[1]
    assert abs(fitted.weights[2]) < 0.3
    assert fitted.weights[3] == 0
    assert 0.7 < accuracy(fitted.margins(test), photos_of(50, 4)).share.mean < 1
    assert np.array_equal(fitted.margins(-test), -fitted.margins(test))


def test_the_fit_is_the_minimum_of_its_loss() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.3, 1, (200, 3))
    fitted = fit(differences, photos_of(50, 4))

    def loss(weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        margins = differences / fitted.scales @ weights
        return float(np.logaddexp(0, -margins).mean() + fitted.penalty / 2 * weights @ weights)

    best = loss(fitted.weights)
    assert all(loss(fitted.weights + 1e-3 * rng.normal(size=3)) > best for _ in range(50))


def test_noise_is_punished_until_little_is_left_of_it() -> None:
    """Cross-validation leaves whole photos out: ten copies of a pair must not stand on both sides."""
    rng = np.random.default_rng(4)
    differences = np.repeat(rng.normal(size=(30, 20)), 10, axis=0)
    assert float(np.abs(fit(differences, photos_of(30, 10)).weights).max()) < 0.1


def test_too_few_photos_to_fit_on_are_told() -> None:
    with pytest.raises(DataError, match=f"4 photos with pairs to fit on, expected at least {FOLDS}"):
        fit(np.ones((8, 1)), photos_of(4, 2))


def scene(path: Path, center: tuple[float, float]) -> None:
    """A red square on a grey ground."""
    image = Image.new("RGB", SIZE, (120, 120, 124))
    box = place(center, SQUARE)
    image.paste((230, 30, 20), tuple(round(edge * SIZE[k % 2]) for k, edge in enumerate(box.xyxy)))  # type: ignore[arg-type]
    image.save(path)


def built(folder: Path, n_photos: int) -> tuple[list[CropRecord], list[Pair]]:
    """A data set in which people always prefer, of two crops of one size, the one that holds the square."""
    rng = np.random.default_rng(5)
    folder.mkdir()
    records, pairs = [], []
    for number in range(n_photos):
        center = (float(rng.uniform(0.2, 0.3)), float(rng.uniform(0.25, 0.75)))
        path = folder / f"{number}.png"
        scene(path, center)
        split = ("train", "test", "val")[number % 3]
        chosen, rejected = place(center, (0.5, 0.7)), place((0.9, center[1]), (0.5, 0.7))
        expert = (ScoredCrop(chosen, 1.0, "expert"),)
        image = ImageRef(path.name, sha256_of(path), SIZE)
        records.append(CropRecord(f"scene-{number}", "scenes", split, image, expert))
        pairs.append(Pair(f"scene-{number}", chosen, rejected, 1.0))
    write_jsonl(folder / "records.jsonl", records)
    write_jsonl(folder / "pairs.jsonl", pairs)
    return records, pairs


def row_of(document: str, name: str) -> list[str]:
    [first, *_] = re.findall(rf"^\| {re.escape(name)} \|.*\[.*$", document, re.MULTILINE)
    return [cell.strip() for cell in str(first).strip("|").split("|")]


def test_the_whole_way_finds_what_decides_and_does_not_measure_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    built(tmp_path / "data", 15)
    document = preferences(tmp_path / "data", tmp_path / "cache", 1)
    kept = row_of(document, "subject kept")
    assert kept[1:] == ["**1.000** [1.000, 1.000]", "**1.000** [1.000, 1.000]", "0 %", "–"]
    assert row_of(document, "the bigger crop")[2:] == ["0.500 [0.500, 0.500]", "100 %", "–"]
    assert row_of(document, "faces kept")[3] == "100 %"
    assert row_of(document, "all measures")[2].startswith("**1.000**")
    assert "| test: 5 pairs of 5 photos |" in document
    assert "| train and val: 10 pairs of 10 photos |" in document
    assert "photos measured: 15/15" in capfd.readouterr().err
    assert preferences(tmp_path / "data", tmp_path / "cache", 1) == document
    assert "photos measured" not in capfd.readouterr().err


def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    records, pairs = built(tmp_path / "data", 2)
    jobs = jobs_of(tmp_path / "data", {record.id: record for record in records}, pairs)
    assert measured_crops(jobs, tmp_path / "one", 1) == measured_crops(jobs, tmp_path / "two", 2)


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, pairs = built(tmp_path / "data", 3)
    jobs = jobs_of(tmp_path / "data", {record.id: record for record in records}, pairs)
    whole, _ = measured_crops(jobs, tmp_path / "cache", 1)
    [file] = (tmp_path / "cache").iterdir()
    content = file.read_text()
    file.write_text(content[: content.rindex('"values"') + 30])  # killed while it wrote the last line

    def stopped(*_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.crop_values._answers", stopped)
        with pytest.raises(Interrupted, match="stopped by hand; 2 of 3 photos are kept, run it again"):
            measured_crops(jobs, tmp_path / "cache", 1)
    assert measured_crops(jobs, tmp_path / "cache", 1) == (whole, {})


def test_other_detectors_other_photos_and_other_crops_are_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, pairs = built(tmp_path / "data", 1)
    by_id = {record.id: record for record in records}
    [job] = jobs_of(tmp_path, by_id, pairs)
    [swapped] = jobs_of(tmp_path, by_id, [Pair(pairs[0].record_id, pairs[0].chosen, WHOLE, 1.0)])
    assert job.key != swapped.key
    measured_crops([], tmp_path / "cache", 1)
    monkeypatch.setattr("crop_reasoning.composition.batch.VERSION", "another")
    measured_crops([], tmp_path / "cache", 1)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_photo_that_cannot_be_read_is_left_out_and_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    built(tmp_path / "data", 15)
    (tmp_path / "data" / "1.png").write_bytes(b"no photo")
    document = preferences(tmp_path / "data", tmp_path / "cache", 1)
    assert document.startswith("15 photos, 1 unreadable; ")
    assert "| test: 4 pairs of 4 photos |" in document
    assert "record scene-1 left out with its pairs: " in capfd.readouterr().err


def test_every_measure_has_a_value_or_none_of_any_photo() -> None:
    scenes = {"grey": Image.new("RGB", (64, 48), (90, 90, 90)), "tiny": Image.new("RGB", (3, 3))}
    for image in scenes.values():
        measured = measure(image)
        for crop in (WHOLE, Box(0, 0, 0.01, 0.01), Box(0.4, 0.4, 0.9, 0.9)):
            values = crop_values(measured, crop)
            assert list(values) == [*RULES, *MEASURES]
            assert all(value is None or math.isfinite(value) for value in values.values())


def test_more_of_a_measure_is_what_its_name_says(tmp_path: Path) -> None:
    scene(tmp_path / "a.png", (0.3, 0.5))
    measured = measure(Image.open(tmp_path / "a.png"), neural=False)
    around, cutting, away = (place((x, 0.5), (0.5, 0.7)) for x in (0.3, 0.53, 0.75))
    tight, wide = place((0.3, 0.5), (0.35, 0.5)), place((0.3, 0.5), (0.6, 0.9))

    def more(name: str, crop: Box, other: Box) -> bool:
        one, two = crop_values(measured, crop)[name], crop_values(measured, other)[name]
        assert one is not None
        assert two is not None
        return one > two

    for name in ("subject kept", "saliency kept", "fewer subjects cut", "quieter border", "subjects kept"):
        assert more(name, around, cutting), name
    for name in (
        "subject near the crop's middle",
        "subject near the crop's middle in the photo",
        "center",
        "placement",
    ):
        assert more(name, around, away), name
    for name in ("subject larger in the frame", "less empty space"):
        assert more(name, tight, wide), name
    assert more("room around the subject", wide, tight)
    assert more("the bigger crop", wide, tight)
    assert more("the more central crop", around, place((0.0, 0.5), (0.5, 0.7)))


def test_a_pair_is_the_difference_of_its_crops_and_knows_its_votes() -> None:
    crops = {Box(0, 0, 0.5, 0.5): 2.0, Box(0.5, 0.5, 1, 1): 0.5}
    chosen, rejected = crops
    values = {crop: dict.fromkeys(NAMES, value) | {"faces kept": None} for crop, value in crops.items()}
    record = CropRecord("a", "d", "test", ImageRef("a.jpg", "0" * 64, (9, 9)), (ScoredCrop(chosen, 1.0, "expert"),))
    pairs = [Pair("a", chosen, rejected, 0.6), Pair("a", rejected, chosen, 0.2)]
    found: Pairs = compared(pairs, {"a": record}, {"a": values})
    assert found.of("center").tolist() == [1.5, -1.5]
    assert bool(np.isnan(found.of("faces kept")).all())
    assert (found.clear.tolist(), found.oracle.tolist(), found.photos) == ([True, False], [1.0, -1.0], ("a", "a"))
    assert all(is_equal_size(pair) for pair in pairs)
