"""Dialogues: what they ask is what their answers do, every claim in them is true, and no test photo is learnt from."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crop_reasoning.authors.boxes import ORDINALS
from crop_reasoning.authors.tasks import BEFORE, PHRASES
from crop_reasoning.codecs import decode, encode, thousandths
from crop_reasoning.errors import DataError, RecipeError
from crop_reasoning.evaluation.dialogs import facts_of
from crop_reasoning.geometry import WHOLE, Box, inside, iou, to_xyxy_px
from crop_reasoning.images import ImagePlan, load_upright, sha256_of
from crop_reasoning.reasoning.dialogs import Dialog
from crop_reasoning.reasoning.intents import (
    CANNOT,
    CHECKS,
    INTENTS,
    KEEP,
    WHOLE_SUBJECT,
    Facts,
    fulfilled,
    has_aspect,
    intents_of,
)
from crop_reasoning.reasoning.store import DIALOGS, TASK_RECORDS, read_dialog_records, read_dialogs
from crop_reasoning.records import CropRecord, read_records
from crop_reasoning.serving.guards import MODEL, SHRINK, guard
from crop_reasoning.serving.wishes import read_wishes
from data_builders import toy
from data_builders.rationales import write_rationales
from data_builders.task_photos import cropped, frame_around, within_frame
from data_builders.task_targets import ASPECTS, answer_to, cannot
from data_builders.task_words import WORDS, ratio_words, say
from data_builders.tasks import TASKS, write_dialogs
from tests.strategies import boxes
from tests.verbs import run

PLAN = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes with dialogues; nobody may write into it."""
    made = tmp_path_factory.mktemp("tasks") / "scenes"
    toy.build(None, made, train=70, val=4, test=16, workers=1)
    write_rationales(made)
    write_dialogs(made, seed=3)
    return made


@pytest.fixture(scope="module")
def dialogs(folder: Path) -> list[tuple[Dialog, CropRecord, Facts]]:
    records = read_dialog_records(folder)
    return [
        (one, records[one.record_id], facts_of(one, records[one.record_id].image.wh)) for one in read_dialogs(folder)
    ]


# --- what is asked is done


def test_every_answer_does_what_its_task_asks(dialogs) -> None:
    seen = Counter(name for one, *_ in dialogs for name in intents_of(one.task))
    assert set(seen) == set(INTENTS)
    for one, _, facts in dialogs:
        if facts.previous:
            assert fulfilled(one.task, one.answer.decision.box, facts), one


def test_the_decision_is_among_distinct_proposals_and_stands_anywhere(dialogs) -> None:
    places = Counter()
    for one, *_ in dialogs:
        found = [proposal.box for proposal in one.answer.proposals]
        places[found.index(one.answer.decision.box)] += 1
        assert len(set(found)) == len(found) >= 2
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) < 0.4 * len(dialogs)


def test_a_ratio_is_exact_in_pixels_after_decoding_and_no_guard_has_to_act(dialogs) -> None:
    asked = 0
    for one, _, facts in dialogs:
        if facts.aspect is None:
            continue
        asked += 1
        for box in [proposal.box for proposal in one.answer.proposals if proposal.box != facts.previous]:
            assert has_aspect(box, facts.aspect, facts.wh), one
        decoded = decode(encode(one.answer.decision.box, thousandths, PLAN), thousandths, PLAN)
        guarded = guard(decoded, facts.previous, read_wishes(one.ask.words), facts.aspect, facts.wh)
        if not one.task.startswith(CANNOT):
            assert guarded.provenance.box == MODEL
            assert guarded.box_px == to_xyxy_px(one.answer.decision.box, facts.wh)
    assert asked > 60


def test_the_given_subject_is_kept_whole_and_half_of_the_bold_scenes_have_two(dialogs) -> None:
    given_subjects = [(one, record) for one, record, _ in dialogs if one.task == "subject"]
    other = 0
    for one, record in given_subjects:
        assert one.ask.subject is not None
        assert inside(one.ask.subject, one.answer.decision.box) >= WHOLE_SUBJECT
        assert one.ask.subject == one.answer.subject == record.subject
        source = record.id.partition("~")[0]
        other += any(r.id == source and r.subject != record.subject for _, r, _ in dialogs)
    assert other > 5


def test_photos_to_keep_and_photos_to_crop_have_the_same_sizes(dialogs) -> None:
    presented = [(one, record) for one, record, _ in dialogs if one.task == KEEP and "~" in record.id]
    sizes: dict[bool, list[object]] = {True: [], False: []}
    for one, record in presented:
        assert record.id.endswith("~keep") == one.answer.decision.keep
        sizes[one.answer.decision.keep].append(record.image.wh)
    assert sizes[True] == sizes[False] != []


def test_tighter_shrinks_by_the_guards_factor_and_keeps_the_subject(dialogs) -> None:
    shares = []
    for one, _, facts in dialogs:
        if one.task == "tighter" and facts.previous:
            shares.append(one.answer.decision.box.area / facts.previous.area)
            if facts.subject and inside(facts.subject, facts.previous) >= WHOLE_SUBJECT:
                assert inside(facts.subject, one.answer.decision.box) >= WHOLE_SUBJECT
    assert np.median(shares) == pytest.approx(SHRINK**2, abs=0.02)


# --- what is said is true


def test_every_sentence_about_the_crop_before_is_true(dialogs) -> None:
    for one, _, facts in dialogs:
        box, why = one.answer.decision.box, one.answer.decision.why
        for name, phrase in PHRASES.items():
            if phrase in why:
                assert CHECKS[name](box, facts), (name, one)
        for proposal in one.answer.proposals:
            assert proposal.reason.startswith(BEFORE) == (proposal.box == facts.previous)
        if one.task.startswith(CANNOT):
            assert facts.previous is not None
            said = cannot(one.task.removeprefix(CANNOT), facts.previous, facts.subject)
            assert said
            assert why.startswith(said)


def test_comparisons_by_place_are_true(dialogs) -> None:
    for one, *_ in dialogs:
        found = [proposal.box for proposal in one.answer.proposals]
        _, _, after = one.answer.decision.why.partition("tighter than the ")
        for place, name in enumerate(ORDINALS[: len(found)]):
            if name in after.partition(",")[0].split():
                assert one.answer.decision.box.area < found[place].area


# --- the data set


def test_the_same_folder_and_seed_give_the_same_bytes_whatever_is_asked_for(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    names = (DIALOGS, TASK_RECORDS)
    before = {name: (folder / name).read_bytes() for name in names}
    photos = sorted(path.name for path in (folder / "images" / "tasks").rglob("*.jpg"))
    write_dialogs(tmp_path / "copy", seed=4)
    assert (tmp_path / "copy" / DIALOGS).read_bytes() != before[DIALOGS]
    write_dialogs(tmp_path / "copy", seed=3)
    assert {name: (tmp_path / "copy" / name).read_bytes() for name in names} == before
    assert sorted(path.name for path in (tmp_path / "copy" / "images" / "tasks").rglob("*.jpg")) == photos
    write_dialogs(tmp_path / "copy", seed=3, tasks=["refine"], split="test")
    part = read_dialogs(tmp_path / "copy")
    assert part == [one for one in read_dialogs(folder, "test") if one.history]


def test_nothing_of_a_test_photo_leaks_into_train(folder: Path) -> None:
    own = {record.id: record for record in read_records(folder)}
    made = [record for name, record in read_dialog_records(folder).items() if name not in own]
    assert len(made) > 40
    for record in made:
        source = own[record.id.partition("~")[0]]
        assert record.split == source.split
        assert f"/{record.split}/" in record.image.path
        assert sha256_of(folder / record.image.path) == record.image.sha256
        assert load_upright(folder / record.image.path).size == record.image.wh
    train = {one.record_id.partition("~")[0] for one in read_dialogs(folder, "train")}
    assert {own[name].split for name in train} == {"train"}


def test_plain_cropping_does_not_see_the_photos_made_for_dialogues(folder: Path) -> None:
    assert not any("~" in record.id for record in read_records(folder))


def test_a_dialogue_of_an_unknown_record_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / TASK_RECORDS).unlink()
    with pytest.raises(DataError, match="a dialogue of no known record"):
        read_dialogs(tmp_path / "copy")


def test_every_line_says_who_wrote_it(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / DIALOGS).read_text().splitlines()]
    assert {(line["author"], line["seed"], line["grammar"]) for line in lines} == {("tasks/1", 3, "rationale/1")}


def test_an_unknown_task_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match="task 'tilt': expected some of aspect, subject, keep, refine"):
        write_dialogs(folder, tasks=["tilt"])


def test_the_verb_counts_what_it_made_and_what_it_could_not(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    result = run("tasks", tmp_path / "copy", "--seed", 3, "--json")
    assert result.exit_code == 0, result.exception
    counts = json.loads(result.stdout)
    assert counts["dialogs"] == len(read_dialogs(folder)) == sum(sum(of.values()) for of in counts["tasks"].values())
    assert counts["skipped"]["subject: no subject stands out"] > 0
    shown = run("tasks", tmp_path / "copy", "--only", "aspect").stdout
    assert "train: 70 dialogues (aspect 70)" in shown


# --- words


def test_every_intent_has_six_ways_to_say_it_and_no_guard_reads_another_one() -> None:
    for name, phrases in WORDS.items():
        assert len({words for words, _ in phrases}) >= 6
        for words, _ in phrases:
            wishes = read_wishes(words)
            assert wishes.aspect is None
            assert wishes.keep == (wishes.keep and name == "everything")
            assert wishes.scale in (None, name)
            x, y = wishes.move
            ways = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
            assert (x, y) in ((0, 0), ways.get(name.removeprefix("move "), (0, 0)))
    assert set(WORDS) == set(INTENTS) - {"ratio"}


def test_a_ratio_is_read_from_every_way_to_say_it() -> None:
    rng = np.random.default_rng(0)
    for aspect in ASPECTS:
        found = {ratio_words(aspect, rng)[0] for _ in range(60)}
        assert len(found) >= 6
        for words in found:
            assert read_wishes(words).aspect == aspect, words


@pytest.mark.parametrize("words", ["show the whole square", "include the square please", "more of the square, please"])
def test_a_square_in_the_photo_is_no_ratio(words: str) -> None:
    assert read_wishes(words).aspect is None


# --- geometry


AMOUNTS = st.sampled_from([0.5, 1.0, 2.0])


@given(boxes(), boxes(), st.sampled_from(INTENTS), st.sampled_from([None, *ASPECTS]), AMOUNTS)
def test_an_answer_does_what_was_asked_or_there_is_none(
    previous: Box, subject: Box, name: str, aspect: tuple[int, int] | None, amount: float
) -> None:
    assume(name != "ratio" or aspect)
    facts = Facts(previous, subject, aspect, (640, 480))
    box = answer_to((name,), (amount,), facts)
    if box is None:
        return
    assert fulfilled(name, box, facts)
    if aspect and name != "everything":
        assert has_aspect(box, aspect, facts.wh)
    if name == "tighter" and not aspect and inside(subject, previous) >= WHOLE_SUBJECT:
        assert inside(subject, box) >= WHOLE_SUBJECT - 1e-9


@given(boxes(), boxes(), st.sampled_from(sorted(CHECKS)))
def test_what_cannot_be_done_is_not_done(previous: Box, subject: Box, name: str) -> None:
    facts = Facts(previous, subject, None, (640, 480))
    if name != "tighter" and cannot(name, previous, subject):
        assert answer_to((name,), (1.0,), facts) is None


def test_a_crop_at_the_border_cannot_go_further() -> None:
    at_top = Box(0.2, 0.0, 0.8, 0.6)
    assert cannot("room above", at_top, None) == "the crop before touches the upper edge"
    assert not cannot("room below", at_top, None)
    assert cannot("looser", WHOLE, None) == "the crop before is the whole frame"
    assert cannot("tighter", Box(0.4, 0.4, 0.54, 0.6), None) == "the crop before is as tight as is of use"
    assert cannot("tighter", Box(0.2, 0.2, 0.7, 0.7), Box(0.2, 0.3, 0.7, 0.6)) == "a tighter crop would cut the subject"


def test_more_room_above_goes_as_far_as_the_photo_does() -> None:
    facts = Facts(Box(0.2, 0.05, 0.8, 0.65), None, None, (400, 300))
    assert answer_to(("room above",), (1.0,), facts) == Box(0.2, 0.0, 0.8, 0.65)


def test_a_part_of_a_photo_keeps_its_facts_in_its_own_frame(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    record = next(one for one in read_records(folder) if one.scene["kind"] == "lines")
    frame = Box(0.1, 0.1, 0.9, 0.95)
    made = cropped(record, tmp_path / "copy", frame, record.best, "part", (120, 100))
    assert load_upright(tmp_path / "copy" / made.image.path).size == made.image.wh == (120, 100)
    assert iou(made.best, within_frame(record.best, frame)) == 1
    assert record.subject is not None
    assert made.subject == within_frame(record.subject, frame)
    for before, after in zip(record.scene["elements"], made.scene["elements"], strict=True):
        x1, y1, x2, y2 = before["line"]
        for x, y in (after["line"][:2], after["line"][2:]):
            assert 0 <= x <= 1
            assert 0 <= y <= 1
            px, py = frame.x1 + x * frame.width, frame.y1 + y * frame.height
            assert abs((x2 - x1) * (py - y1) - (y2 - y1) * (px - x1)) < 1e-6  # still on the line


@given(boxes(), st.integers(0, 1000))
def test_a_frame_around_a_crop_holds_it_and_has_its_shape(best: Box, seed: int) -> None:
    frame = frame_around(best, np.random.default_rng(seed))
    if frame is not None:
        assert inside(best, frame) > 1 - 1e-6
        assert frame.width / frame.height == pytest.approx(best.width / best.height)
        assert frame.area > 1.6 * best.area


def test_words_for_two_intents_ask_for_both() -> None:
    words, amounts = say(("tighter", "ratio"), (4, 5), np.random.default_rng(1))
    assert read_wishes(words).aspect == (4, 5)
    assert len(amounts) == 2
    assert tuple(TASKS) == ("aspect", "subject", "keep", "refine")


# --- what is supervised


@pytest.mark.parametrize("name", ["qwen3_vl", "qwen2_5_vl"])
def test_exactly_the_last_answer_of_every_kind_of_dialogue_is_supervised(folder: Path, name: str) -> None:
    from crop_reasoning.models.families import FAMILIES
    from crop_reasoning.reasoning.lengths import audit
    from crop_reasoning.reasoning.rationale import render
    from crop_reasoning.training.batches import IGNORED, Samples, collator
    from crop_reasoning.training.samples import encode, samples_of
    from tests import tiny

    family = FAMILIES[name]
    processor = tiny.build_processor(family)
    taught = samples_of(folder, "test", "dialogs", "crop-brief/1", family, tiny.budget(family))[16:]
    asked = read_dialogs(folder, "test")
    kinds = {(one.task, len(one.history)): place for place, one in enumerate(asked)}  # one of each
    rows = encode([taught[place] for place in kinds.values()], processor)
    items, collate = Samples(rows), collator(processor, "sft")
    for place, row, number in zip(kinds.values(), rows, range(len(rows)), strict=True):
        batch = collate([items[number]])
        labels = batch["labels"][0]
        supervised = processor.tokenizer.decode(labels[labels != IGNORED])
        assert supervised == render(asked[place].answer, family.codec, row.sample.plan) + "<|im_end|>\n"
        given = processor.tokenizer.decode(batch["input_ids"][0][labels == IGNORED])
        assert given.count("<decision>") == len(asked[place].history)
        assert row.tokens == batch["input_ids"].shape[1]  # what the audit counts: every turn and the picture
    lengths = sorted((row.tokens, row.sample.id) for row in rows)
    refused = audit(((row.sample.id, row.tokens) for row in rows), lengths[-1][0] - 1).refused
    assert refused == ((lengths[-1][1], lengths[-1][0]),)


def test_base_training_learns_the_last_answer_of_a_conversation_without_its_photo(folder: Path) -> None:
    from crop_reasoning.models.families import FAMILIES
    from crop_reasoning.training.base_batches import collate_dialogs
    from crop_reasoning.training.batches import IGNORED
    from tests import tiny

    family = FAMILIES["qwen3_vl"]
    processor = tiny.build_processor(family)
    asked = [one for one in read_dialogs(folder, "train") if len(one.history) == 1][:3]
    batch, labels = collate_dialogs(asked, processor, family)
    assert "pixel_values" not in batch
    assert not (batch["input_ids"] == processor.image_token_id).any()
    for one, row, label in zip(asked, batch["input_ids"], labels, strict=True):
        supervised = processor.tokenizer.decode(label[label != IGNORED])
        assert supervised.count("<decision>") == 1
        assert f'"why":"{one.answer.decision.why}"' in supervised
        assert one.ask.words in processor.tokenizer.decode(row[label == IGNORED])


def test_a_conversation_in_brief_asks_and_answers_the_same(folder: Path) -> None:
    from crop_reasoning.reasoning.rationale import Rationale
    from crop_reasoning.training.base_batches import in_brief

    for one in read_dialogs(folder, "train"):
        if not one.history:
            continue
        brief = in_brief(one)
        assert brief.answer.decision.box == one.answer.decision.box
        assert one.answer.decision.why.startswith(brief.answer.decision.why)
        assert brief.answer.decision.box in [proposal.box for proposal in brief.answer.proposals]
        assert len(brief.answer.proposals) <= 2 + len(one.history) - 1
        for before, after in zip(one.history, brief.history, strict=True):
            assert isinstance(before.answer, Rationale)
            assert isinstance(after.answer, Rationale)
            assert (before.ask, before.answer.decision) == (after.ask, after.answer.decision)
            assert not after.answer.proposals


def test_a_photo_without_a_known_subject_gets_a_measured_one(tmp_path: Path) -> None:
    from PIL import Image, ImageDraw

    from crop_reasoning.records import ImageRef, ScoredCrop, write_jsonl

    drawn = [Box(0.3, 0.35, 0.55, 0.7), None]
    records = []
    for number, place in enumerate(drawn):
        image = Image.new("RGB", (400, 300), (70, 110, 90))
        if place:
            x1, y1, x2, y2 = to_xyxy_px(place, image.size)
            ImageDraw.Draw(image).ellipse((x1, y1, x2, y2), fill=(240, 60, 30))
        path = tmp_path / f"{number}.png"
        image.save(path)
        crops = (ScoredCrop(Box(0.1, 0.1, 0.8, 0.9), 1.0, "people"), ScoredCrop(Box(0.4, 0.1, 1, 1), 0.2, "people"))
        ref = ImageRef(path.name, sha256_of(path), image.size)
        records.append(CropRecord(f"photo-{number}", "photos", "train", ref, crops))
    write_jsonl(tmp_path / "records.jsonl", records)
    counts = write_dialogs(tmp_path, tasks=["subject"])
    assert counts["skipped"] == {"subject: no subject stands out": 1}
    (found,) = read_dialogs(tmp_path)
    assert found.ask.subject is not None
    assert drawn[0] is not None
    assert iou(found.ask.subject, drawn[0]) > 0.8
    assert found.answer.decision.box == Box(0.1, 0.1, 0.8, 0.9)
