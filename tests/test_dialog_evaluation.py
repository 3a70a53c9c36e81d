"""The evaluation of dialogues: serving's own prompts and guards, raw and guarded apart, nothing left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from crop_reasoning.engines.base import Generation, Request
from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.dialog_measures import DialogOutcome, balanced_accuracy, measures
from crop_reasoning.evaluation.dialogs import (
    DialogReport,
    evaluate_dialogs,
    facts_of,
    request_for,
    select_dialogs,
    summarize,
    write_dialog_report,
)
from crop_reasoning.evaluation.statistics import Interval
from crop_reasoning.geometry import WHOLE, Box
from crop_reasoning.images import VisionBudget, plan_image
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.dialogs import Dialog, messages
from crop_reasoning.reasoning.intents import KEEP, Facts
from crop_reasoning.reasoning.rationale import Decision, render
from crop_reasoning.serving.answer import prepare
from data_builders import toy
from data_builders.rationales import write_rationales
from data_builders.tasks import write_dialogs
from tests.answers import command

FACTS = Facts(Box(0.2, 0.2, 0.8, 0.8), Box(0.4, 0.4, 0.6, 0.6), (1, 1), (200, 100))


class Answering:
    """Gives every dialogue, in the order they are asked, what `answers` makes of it."""

    name, family, prompt_id, decoding = "answering", FAMILIES["qwen3_vl"], "crop-brief/1", "free"
    budget = VisionBudget("qwen3_vl", 32, 64 * 64, 160 * 160)

    def __init__(self, dialogs: Sequence[Dialog], answers: Callable[[Dialog], Box | str]) -> None:
        self.left, self.answers = list(dialogs), answers
        self.seen: list[Request] = []

    def generate(
        self, requests: Sequence[Request], *, max_new_tokens: int = 768, temperature: float = 0.0
    ) -> list[Generation]:
        self.seen += requests
        return [Generation(self._text(request), "stop", 10, 10, 0.0) for request in requests]

    def stream(
        self, request: Request, *, max_new_tokens: int = 768, temperature: float = 0.0
    ) -> Iterator[str | Generation]:
        yield from self.generate([request])

    def _text(self, request: Request) -> str:
        dialog = self.left.pop(0)
        assert dialog.record_id == request.id
        said = self.answers(dialog)
        if isinstance(said, str):
            return said
        plan = plan_image(request.images[0].size, self.budget)
        return render(replace(dialog.answer, decision=Decision(said, "as asked")), self.family.codec, plan)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes with dialogues; nobody may write into it."""
    made = tmp_path_factory.mktemp("dialogs") / "scenes"
    toy.build(None, made, train=2, val=0, test=24, workers=1)
    write_rationales(made)
    write_dialogs(made)
    return made


def asked(folder: Path, answers: Callable[[Dialog], Box | str]) -> tuple[DialogReport, Answering]:
    engine = Answering(select_dialogs(folder, "test")[1], answers)
    return evaluate_dialogs(engine, folder, "test", batch_size=7), engine


def by_name(report: DialogReport) -> dict[tuple[str, str], tuple[float, float]]:
    return {(one.asked, one.measured): (one.raw.mean, one.guarded.mean) for one in report.measures}


def test_the_stored_answers_fulfill_every_measure(folder: Path) -> None:
    report, _ = asked(folder, lambda dialog: dialog.answer.decision.box)
    found = by_name(report)
    assert len(found) > 18
    assert report.parsed.mean == 1
    assert report.n == len(select_dialogs(folder, "test")[1])
    for name, both in found.items():
        if name[1] == "relative error of the ratio":
            assert max(both) < 0.02
        elif name[1] == "area over the one before":
            assert 0.6 < both[0] < 0.8
            assert both[1] == pytest.approx(both[0], abs=1e-3)
        elif name[0] != "what the photo does not allow":  # there the guard does what was asked
            assert min(both) > 0.99, name


def test_raw_boxes_fail_where_guards_help(folder: Path) -> None:
    found = by_name(asked(folder, lambda dialog: Box(0.1, 0.1, 0.9, 0.9))[0])
    assert found["a ratio, first turn", "exact in pixels"][0] < 0.3
    assert found["a ratio, first turn", "exact in pixels"][1] == 1
    raw, guarded = found["tighter", "area shrinks"]
    assert raw < 0.5
    assert guarded > raw + 0.2
    assert found["a photo to keep", "kept"] == (0, 0)
    assert found["keep or crop", "balanced accuracy"] == (0.5, 0.5)


def test_an_answer_that_cannot_be_read_fails_raw_and_is_counted(folder: Path) -> None:
    report, _ = asked(folder, lambda dialog: "I like it as it is.")
    found = by_name(report)
    assert report.parsed.mean == 0
    assert report.problems == {"no_decision": report.n}
    assert found["tighter", "area shrinks"][0] == 0
    assert found["a ratio, first turn", "exact in pixels"] == (0, 1)
    assert found["a ratio, first turn", "relative error of the ratio"][0] > 0.2
    assert found["any turn", "IoU with the stored answer"][0] == 0


def test_serving_is_asked_what_training_sent(folder: Path) -> None:
    _, engine = asked(folder, lambda dialog: dialog.answer.decision.box)
    records, dialogs = select_dialogs(folder, "test")
    for dialog, request in zip(dialogs, engine.seen, strict=True):
        plan = plan_image(records[dialog.record_id].image.wh, engine.budget)
        taught = messages(dialog.history, dialog.ask, engine.prompt_id, engine.family.codec, plan)
        assert request.messages == taught


def test_a_given_subject_stands_in_the_prompt_of_serving(folder: Path) -> None:
    records, dialogs = select_dialogs(folder, "test")
    dialog = next(one for one in dialogs if one.task == "subject")
    engine = Answering([], lambda one: WHOLE)
    made = prepare(engine, folder / records[dialog.record_id].image.path, request_for(dialog))
    assert "\nSubject: [" in made.request.messages[0]["content"][1]["text"]


def test_a_photo_that_is_gone_fails_its_dialogues_and_is_said(folder: Path, tmp_path: Path, capfd) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "copy")
    records, dialogs = select_dialogs(folder, "test")
    gone = dialogs[0].record_id
    (tmp_path / "copy" / records[gone].image.path).unlink()
    lost = [one for one in dialogs if records[one.record_id].image.path == records[gone].image.path]
    engine = Answering([one for one in dialogs if one not in lost], lambda one: one.answer.decision.box)
    report = evaluate_dialogs(engine, tmp_path / "copy", "test")
    assert sum(report.problems.values()) == len(lost)
    assert sum(one.guarded is None for one in report.outcomes) == len(lost)
    assert f"a dialogue of {gone} counts as a failure" in capfd.readouterr().err


def test_without_dialogues_it_says_how_to_make_them(folder: Path) -> None:
    with pytest.raises(DataError, match="no dialogues for split 'val'; make them with `crop-reasoning data tasks`"):
        select_dialogs(folder, "val")


def test_the_ratio_in_force_is_that_of_the_last_turn_that_named_one(folder: Path) -> None:
    for dialog in select_dialogs(folder, "test")[1]:
        facts = facts_of(dialog, (100, 100))
        if "ratio" in dialog.task or dialog.task == "aspect":
            assert facts.aspect is not None
        if dialog.task == "everything":
            assert facts.aspect is None


def outcome(task: str, raw: Box | None, guarded: Box | None, target: Box = WHOLE, photo: str = "a") -> DialogOutcome:
    return DialogOutcome(photo, task, "", raw, guarded, target, FACTS, (1000, 1000))


def test_measures_of_known_boxes() -> None:
    square = Box(0.25, 0.25, 0.5, 0.75)  # 50 x 50 px of 200 x 100
    nearly = Box(0.25, 0.25, 0.501, 0.75)
    found = {
        (one.asked, one.measured): (one.n, one.raw.mean, one.guarded.mean)
        for one in measures(
            [
                outcome("aspect", nearly, square, photo="a"),
                outcome("aspect", Box(0.25, 0.25, 0.6, 0.75), square, photo="b"),
                outcome("tighter", Box(0.1, 0.1, 0.9, 0.9), Box(0.3, 0.3, 0.7, 0.7), photo="c"),
                outcome("tighter+room above", Box(0.4, 0.1, 0.6, 0.5), WHOLE, photo="d"),
                outcome("cannot looser", FACTS.previous, WHOLE, photo="e"),
            ]
        )
    }
    assert found["a ratio, first turn", "exact in pixels"] == (2, 0.5, 1.0)
    assert found["a ratio, first turn", "as exact as the codec's grid allows"] == (2, 0.5, 1.0)
    assert found["a ratio, first turn", "relative error of the ratio"][1] == pytest.approx((0.004 + 0.4) / 2)
    assert found["tighter", "area shrinks"] == (2, 0.5, 0.5)
    assert found["tighter", "a subject that was whole still is"] == (2, 0.5, 1.0)
    assert found["tighter, nothing else", "area over the one before"][1] == pytest.approx(0.64 / 0.36)
    assert found["room above", "upper edge moves up"] == (1, 1.0, 1.0)
    assert found["any later turn", "all that was asked is done"] == (2, 0.5, 0.5)
    assert found["what the photo does not allow", "the crop stays"] == (1, 1.0, 0.0)


def test_balanced_accuracy_weighs_both_kinds_alike() -> None:
    crop = Box(0.1, 0.1, 0.5, 0.5)
    asked = [outcome(KEEP, WHOLE, WHOLE, WHOLE, "a"), *(outcome(KEEP, WHOLE, crop, crop, name) for name in "bcd")]
    found = balanced_accuracy(asked)
    assert found is not None
    assert (found.raw.mean, found.guarded.mean) == pytest.approx((0.5, 1.0))
    assert balanced_accuracy(asked[1:]) is None


def test_the_report_holds_every_outcome_and_a_table(folder: Path, tmp_path: Path) -> None:
    report, _ = asked(folder, lambda dialog: dialog.answer.decision.box)
    made = write_dialog_report(report, tmp_path)
    value = json.loads(made[0].read_text())
    assert value["format"] == "dialogs/1"
    assert len(value["outcomes"]) == report.n
    table = made[1].read_text()
    assert "| tighter | area shrinks |" in table
    assert "teacher forcing" in table


def test_intervals_resample_photos_with_their_parts() -> None:
    one = outcome("everything", WHOLE, WHOLE, photo="a~keep")
    assert one.photo == "a"
    report = summarize([one, outcome("everything", None, WHOLE, photo="a")], "toy", "test", "x")
    assert report.n_photos == 1
    assert report.measures[0].raw == Interval(0.5, 0.5, 0.5, 2)


def test_evaluate_refuses_dialogues_of_a_baseline_and_of_data_without_them(folder: Path, tmp_path: Path) -> None:
    def sentence(*args: object) -> str:
        code, _, problem = command("evaluate", *args)
        assert code
        return str(problem)

    where = ["--out", tmp_path, "--dialogs", "--data"]
    assert "--dialogs needs a model" in sentence(*where, folder, "--baseline", "whole_image")
    assert "no dialogues for split 'val'" in sentence(*where, folder, "--split", "val", "--model", "none")
