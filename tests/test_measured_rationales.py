"""Writing measured answers into a built folder: same bytes however it is run, nothing lost, nothing unverified."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from crop_reasoning.authors.boxes import AUTHOR as BOXES
from crop_reasoning.authors.facts import known
from crop_reasoning.authors.measured import AUTHOR
from crop_reasoning.composition.analysis import measure
from crop_reasoning.errors import DataError, EnvironmentProblem, RecipeError
from crop_reasoning.images import load_upright, sha256_of
from crop_reasoning.locks import held
from crop_reasoning.reasoning.rationale import GRAMMAR
from crop_reasoning.reasoning.store import (
    PAIR_RATIONALES,
    RATIONALES,
    REFUSED,
    rationale_from_json,
    read_pair_rationales,
    read_rationales,
)
from crop_reasoning.records import RECORDS, read_jsonl, read_pairs, read_records
from crop_reasoning.verification.verify import VERSION, Contradiction, verify
from data_builders import toy
from data_builders.check import check_folder
from data_builders.manifest import read_manifest, write_manifest
from data_builders.measuring import JOURNAL, Job, Outcome, jobs, measured_outcomes, summed
from data_builders.rationale_files import LOCK, judged, write_lines
from data_builders.rationales import write_rationales

FILES = (RATIONALES, PAIR_RATIONALES)


@pytest.fixture(scope="module")
def boxes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "toy"
    toy.build(None, folder, train=2, val=1, test=1, workers=1)
    write_rationales(folder)
    write_manifest(folder, "toy", {"seed": 0}, {})
    return folder


@pytest.fixture(scope="module")
def measured_folder(boxes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(boxes_folder, tmp_path_factory.mktemp("measured"))
    write_rationales(folder, author="measured")
    return folder


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target / "toy")
    return target / "toy"


def all_jobs(folder: Path) -> list[Job]:
    records = read_records(folder)
    return jobs(records, read_pairs(folder), [record.id for record in records])


def content(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_the_lines_of_the_author_of_boxes_are_what_they_were(tmp_path: Path):
    """Published figures of nano rest on these bytes."""
    toy.build(None, tmp_path, train=36, val=2, test=4, workers=1)
    assert write_rationales(tmp_path) == {"rationales": 42, "pair_rationales": 82}
    digests = [hashlib.sha256(each).hexdigest()[:16] for each in content(tmp_path)]
    assert digests == ["af6ad5c00ea440ef", "4139648352901209"]


def test_several_processes_write_the_bytes_of_one(boxes_folder: Path, measured_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    write_rationales(folder, author="measured", workers=2)
    assert content(folder) == content(measured_folder)
    assert content(folder) != content(boxes_folder)


def test_every_stored_answer_is_verified_and_says_where_it_is_from(measured_folder: Path):
    records = {record.id: record for record in read_records(measured_folder)}
    lines = list(read_jsonl(measured_folder / RATIONALES))
    assert {line["record_id"] for line in lines} == set(records)
    for line in lines:
        assert (line["author"], line["grammar"], line["seed"]) == (AUTHOR, GRAMMAR, 0)
        assert (line["prompt_id"], line["model"]) == ("", "")
        assert line["verified"]["version"] == VERSION
        assert line["verified"]["claims"] > 4
        record = records[line["record_id"]]
        facts = known(record, measure(load_upright(measured_folder / record.image.path)))
        answer = rationale_from_json(line["rationale"], record.id)
        assert verify(answer, facts, aspect=record.aspect).contradictions == ()
        assert answer.decision.box == record.best
    assert not (measured_folder / REFUSED).exists()
    assert all(chosen.proposals == rejected.proposals for _, chosen, rejected in read_pair_rationales(measured_folder))


def test_the_folder_passes_its_check_and_old_lines_still_read(boxes_folder: Path, measured_folder: Path):
    for folder in (boxes_folder, measured_folder):
        assert check_folder(folder).problems == []
        assert len(read_rationales(folder)) == 4
    files = read_manifest(measured_folder)["files"]
    assert files[RATIONALES] == hashlib.sha256((measured_folder / RATIONALES).read_bytes()).hexdigest()


def test_a_split_and_a_limit_leave_the_other_lines_as_they_are(
    boxes_folder: Path, measured_folder: Path, tmp_path: Path
):
    folder = copied(boxes_folder, tmp_path)
    counts = write_rationales(folder, author="measured", split="train", limit=1)
    authors = [line["author"] for line in read_jsonl(folder / RATIONALES)]
    assert authors == [AUTHOR] + [BOXES] * 3
    assert counts["rationales"] == 4
    assert counts["diversity"]["answers"] == 1  # of those written now alone
    before, after = (list(read_jsonl(each / RATIONALES)) for each in (measured_folder, folder))
    assert after[0] == before[0]  # a record's draws do not hang on who else is asked for
    write_rationales(folder, split="train", limit=1)
    assert content(folder) == content(boxes_folder)


def test_a_stopped_run_goes_on_from_its_journal(boxes_folder: Path, measured_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    with pytest.raises(ZeroDivisionError), measured_outcomes(folder, all_jobs(folder), 0, 1):
        raise ZeroDivisionError  # nothing was written yet
    assert content(folder) == content(boxes_folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    marked = lines[1].replace(b'"seed": 0', b'"seed": 77')
    (folder / JOURNAL).write_bytes(lines[0] + marked + lines[2][:-40])  # the second outcome was torn
    write_rationales(folder, author="measured")
    one, *others = read_jsonl(folder / RATIONALES)
    assert one["seed"] == 77
    assert others == list(read_jsonl(measured_folder / RATIONALES))[1:]
    assert not (folder / JOURNAL).exists()


def test_a_journal_of_another_seed_is_not_believed(boxes_folder: Path, measured_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    with pytest.raises(ZeroDivisionError), measured_outcomes(folder, all_jobs(folder)[:1], 1, 1):
        raise ZeroDivisionError
    write_rationales(folder, author="measured")
    assert content(folder) == content(measured_folder)


def test_photos_that_cannot_be_read_are_named_and_their_lines_stay(boxes_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    first, second = read_records(folder)[:2]
    (folder / first.image.path).unlink()
    (folder / second.image.path).write_bytes(b"no photo")
    counts = write_rationales(folder, author="measured", limit=2)
    assert len(counts["unreadable"]) == 2
    assert first.image.path in counts["unreadable"][0]
    assert content(folder) == content(boxes_folder)


def test_nothing_is_said_of_a_photo_that_changed_since_it_was_recorded(boxes_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    record = read_records(folder)[0]
    Image.new("RGB", record.image.wh, (90, 90, 90)).save(folder / record.image.path)
    [problem] = write_rationales(folder, author="measured", limit=1)["unreadable"]
    assert "the file was changed" in problem
    assert content(folder) == content(boxes_folder)


def test_a_photo_that_was_mended_after_a_stop_is_looked_at_again(
    boxes_folder: Path, measured_folder: Path, tmp_path: Path
):
    folder = copied(boxes_folder, tmp_path)
    photo = folder / read_records(folder)[0].image.path
    whole = photo.read_bytes()
    photo.write_bytes(b"no photo")
    with pytest.raises(ZeroDivisionError), measured_outcomes(folder, all_jobs(folder)[:1], 0, 1):
        raise ZeroDivisionError
    photo.write_bytes(whole)
    assert write_rationales(folder, author="measured", limit=1)["unreadable"] == []
    assert next(read_jsonl(folder / RATIONALES)) == next(read_jsonl(measured_folder / RATIONALES))


@pytest.mark.parametrize("author", ["boxes", "measured"])
def test_a_split_that_does_not_exist_is_refused(boxes_folder: Path, author: str):
    with pytest.raises(DataError, match="'trian', expected one of train, val, test"):
        write_rationales(boxes_folder, author=author, split="trian")


def test_refused_answers_are_listed_and_counted_by_kind(boxes_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    record = read_records(folder)[0]
    lies = [Contradiction("tilt", "decision.why", "tilts", "level"), Contradiction("place", "decision.why", "a", "b")]
    refused = {"record_id": record.id, "verified": judged(3, lies)}
    counted = summed([Outcome(record.id, refused=(refused, refused)), Outcome("b", unreadable="b: gone")])
    assert counted == {
        "verified": 0,
        "refused": 2,
        "contradictions": {"tilt": 2, "place": 2},
        "unreadable": ["b: gone"],
    }
    write_lines(folder, read_records(folder), [], [record.id], lambda index: None, lambda index: None, [refused])
    assert [json.loads(line) for line in (folder / REFUSED).read_text().splitlines()] == [refused]
    assert content(folder) == content(boxes_folder)
    assert REFUSED in read_manifest(folder)["files"]


def test_one_run_at_a_time_and_authors_that_exist(boxes_folder: Path, tmp_path: Path):
    folder = copied(boxes_folder, tmp_path)
    with held(folder / JOURNAL, "mine"), pytest.raises(EnvironmentProblem, match="another run is writing rationales"):
        write_rationales(folder, author="measured", limit=1)
    with pytest.raises(RecipeError, match="author 'poet': expected one of boxes, measured"):
        write_rationales(folder, author="poet")


def test_a_photo_of_nothing_gets_an_answer_that_says_so(tmp_path: Path, boxes_folder: Path):
    folder = copied(boxes_folder, tmp_path)
    record = read_records(folder)[0]
    photo = folder / record.image.path
    Image.new("RGB", record.image.wh, (90, 90, 90)).save(photo)
    lines = (folder / RECORDS).read_text().replace(record.image.sha256, sha256_of(photo))
    (folder / RECORDS).write_text(lines)
    counts = write_rationales(folder, author="measured", limit=1)
    assert (counts["refused"], counts["unreadable"]) == (0, [])


def test_two_commands_of_different_authors_do_not_write_at_once(tmp_path: Path, toy_data: Path) -> None:
    folder = tmp_path / "toy"
    shutil.copytree(toy_data, folder)
    before = (folder / "rationales.jsonl").read_bytes()
    with held(folder / LOCK, "held"), pytest.raises(EnvironmentProblem, match="another command is writing answers"):
        write_rationales(folder, seed=5)
    assert (folder / "rationales.jsonl").read_bytes() == before
    (folder / LOCK).unlink()
    write_rationales(folder, seed=5)
    assert not (folder / LOCK).exists()
