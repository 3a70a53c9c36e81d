"""Reports: self-contained, escaped, labeled; galleries and drawings."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from crop_reasoning.evaluation.gallery import answer_card, fit
from crop_reasoning.evaluation.plots import histogram_svg
from crop_reasoning.evaluation.report import galleries_of, render_report, write_report
from crop_reasoning.evaluation.statistics import Interval
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.images import plan_image, sha256_of
from crop_reasoning.reasoning.rationale import ParseFailure, render
from tests.answers import N_TEST, TableEngine, make_data, run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


# --- reports ---------------------------------------------------------------------------------------------------------


def test_the_page_is_self_contained_and_names_every_method_with_its_n(data: Path, tmp_path: Path) -> None:
    report = run(data, tmp_path, {"test03": ("no", "stop")})
    page = write_report(report, data, tmp_path / "predictions.jsonl", tmp_path / "out")[2].read_text()
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "url(" not in page
    assert "@import" not in page
    assert page.count("data:image/jpeg;base64,") > 20
    assert report.protocol.replace("'", "&#39;") in page
    for row in report.rows:
        assert row.name in page
    assert "no_decision × 1" in page
    assert "Worst crops" in page


def test_words_of_a_model_are_escaped(data: Path, tmp_path: Path) -> None:
    engine = TableEngine(data)
    sly = engine.gold["test00"][0]
    sly = replace(sly, decision=replace(sly.decision, why="<img src=x onerror=alert(1)> & 'so'"))
    plan = plan_image(engine.records["test00"].image.wh, engine.budget)
    answers = {
        "test00": (render(sly, engine.family.codec, plan), "stop"),
        "test01": ("<script>alert(2)</script>", "stop"),
    }
    report = run(data, tmp_path, answers)
    page = write_report(report, data, tmp_path / "predictions.jsonl", tmp_path / "out")[2].read_text()
    assert "<img src=x" not in page
    assert "<script>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; &amp;" in page
    assert "&lt;script&gt;alert(2)" in page


def test_report_files_hold_the_same_figures(data: Path, tmp_path: Path) -> None:
    report = run(data, tmp_path)
    files = write_report(report, data, tmp_path / "predictions.jsonl", tmp_path / "out")
    value = json.loads(files[0].read_text())
    assert value["rows"][0]["iou"]["mean"] == report.rows[0].iou.mean
    assert len(value["outcomes"]) == N_TEST
    assert value["header"]["data_sha256"] == sha256_of(data / "records.jsonl")
    assert value["predictions_sha256"] == sha256_of(tmp_path / "predictions.jsonl")
    text = files[1].read_text()
    assert f"| table | {N_TEST} | {report.rows[0].iou} |" in text
    assert report.protocol in text


def test_a_page_of_several_methods_shows_preference_and_marks_the_best(data: Path, tmp_path: Path) -> None:
    report = run(data, tmp_path)
    tuned = replace(report.rows[0], name="tuned", preference=Interval(0.8, 0.7, 0.9, 40))
    untuned = replace(report.rows[1], name="untuned", baseline=False)
    page = render_report("Two methods", [untuned, tuned], [], ["a <note>"], protocol=report.protocol)
    assert "Preference" in page
    assert "40 pairs" in page
    assert "a &lt;note&gt;" in page
    assert page.index("untuned") < page.index(">tuned")
    assert len(re.findall(r'class="mean best">', page)) == 4  # IoU, Disp, recall, preference: once each


def test_cards_show_photos_without_expert_crops_and_whole_frames() -> None:
    photo = Image.effect_noise((90, 60), 30).convert("RGB")
    card = answer_card("mine", photo, WHOLE)
    assert [panel.label for panel in card.panels] == ["Decision", "The crop"]
    assert card.iou is None
    failed = answer_card("mine", photo, ParseFailure("empty", "no text"), text="x" * 2000)
    assert failed.failure == "empty"
    assert "900 of 2000" in failed.words[1].heading
    assert max(fit(photo).size) == 560


def test_galleries_pick_samples_evenly_and_worst_first(data: Path, tmp_path: Path) -> None:
    engine = TableEngine(data)
    bad = replace(
        engine.gold["test06"][0], decision=replace(engine.gold["test06"][0].decision, box=Box(0, 0, 0.1, 0.1))
    )
    plan = plan_image(engine.records["test06"].image.wh, engine.budget)
    text = render(bad, engine.family.codec, plan)
    report = run(data, tmp_path, {"test06": (text, "stop"), "test07": ("", "stop"), "test08": ("", "stop")})
    answers, worst, unread = galleries_of(report, data, tmp_path / "predictions.jsonl")
    assert [card.title for card in answers.cards] == ["test00", "test02", "test04", "test06", "test08"]
    assert worst.cards[0].title == "test06"
    assert [card.title for card in unread.cards] == ["test07"]
    assert "1 of 2" in unread.intro


def test_the_histogram_counts_every_image_once() -> None:
    svg = histogram_svg([0.0, 0.0, 0.31, 0.75, 1.0], n_failed=1)
    counts = [int(number) for number in re.findall(r"<title>(\d+) images", svg)]
    assert sum(counts) == 5
    assert "1 images, IoU 0.00 to 0.05 (failed answers)" in svg
