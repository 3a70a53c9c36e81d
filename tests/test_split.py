"""Splits by photo: what moves a photo, what never does, and what a changed copy of a folder holds."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crop_reasoning.errors import DataError
from crop_reasoning.images import load_upright
from crop_reasoning.reasoning.store import read_pair_rationales, read_rationales
from crop_reasoning.records import CropRecord, ImageRef, read_pairs, read_records
from data_builders.build import build_dataset
from data_builders.check import check_folder
from data_builders.split import assign, look_alikes, split_of
from data_builders.subset import write_subset
from tests.copies import COPIES, options, photo
from tests.fcdb_copy import TEST_IDS, TRAIN_IDS, file_of, write_fcdb
from tests.verbs import refused, run

shares = st.sampled_from([(0.1, 0.0), (0.3, 0.3), (0.0, 0.5), (0.0, 0.0)])
photos = st.sets(st.integers(0, 10**6), max_size=40).map(
    lambda numbers: [hashlib.sha256(str(number).encode()).hexdigest() for number in sorted(numbers)]
)


def record(sha256: str, number: int = 0, split: str = "train") -> CropRecord:
    return CropRecord(f"{sha256}-{number}", "some", split, ImageRef(f"{sha256}.jpg", sha256, (3, 2)), ())


def splits_of(records: list[CropRecord], alike: list[tuple[str, str]], *rest: Any) -> dict[str, str]:
    """The new split of each photo that is kept."""
    groups = look_alikes([one.image.sha256 for one in records], alike)
    return {one.image.sha256: one.split for one in assign(records, groups, *rest)[0]}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    root = write_fcdb(tmp_path / "FCDB")
    for index, photo_id in enumerate([*TRAIN_IDS, *TEST_IDS]):
        photo(root / "data" / file_of(photo_id), index, (400, 300))
    build_dataset("fcdb", root, tmp_path / "built", {})
    return tmp_path / "built"


# --- the rule


@given(photos, photos, shares, st.integers(0, 9))
def test_a_photo_keeps_its_split_whatever_is_added_or_removed(
    some: list[str], more: list[str], share: tuple[float, float], seed: int
) -> None:
    alone = splits_of([record(sha256) for sha256 in some], [], *share, seed, False)
    company = splits_of([record(sha256) for sha256 in {*more, *some}], [], *share, seed, False)
    assert {sha256: company[sha256] for sha256 in some} == alone


@given(photos.filter(bool), shares, st.data())
def test_records_of_one_photo_and_of_look_alikes_stand_in_one_split(
    some: list[str], share: tuple[float, float], data: st.DataObject
) -> None:
    alike = data.draw(st.lists(st.tuples(st.sampled_from(some), st.sampled_from(some))))
    records = [record(sha256, number) for number in range(3) for sha256 in some]
    groups = look_alikes(some, alike)
    kept, excluded = assign(records, groups, *share, 0, False)
    assert ([one.id for one in kept], excluded) == ([one.id for one in records], [])
    homes = defaultdict(set)
    for one in kept:
        homes[groups[one.image.sha256]].add(one.split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert all(groups[first] == groups[second] for first, second in alike)
    assert {min(photo for photo in some if groups[photo] == key) for key in homes} == set(homes)


@given(photos, st.integers(0, 9))
def test_a_greater_share_of_val_moves_photos_into_val_alone(some: list[str], seed: int) -> None:
    before = [split_of(sha256, 0.2, 0.1, seed) for sha256 in some]
    after = [split_of(sha256, 0.5, 0.1, seed) for sha256 in some]
    assert {(old, new) for old, new in zip(before, after, strict=True) if old != new} <= {("train", "val")}


def test_shares_come_out_as_asked_and_seeds_draw_anew() -> None:
    keys = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    drawn = [split_of(key, 0.1, 0.2, 0) for key in keys]
    assert [drawn.count(split) / len(keys) for split in ("train", "val", "test")] == pytest.approx(
        [0.7, 0.1, 0.2], abs=0.01
    )
    others = [split_of(key, 0.1, 0.2, 1) for key in keys]
    agreeing = sum(one == other for one, other in zip(drawn, others, strict=True)) / len(keys)
    assert agreeing == pytest.approx(0.49 + 0.01 + 0.04, abs=0.02)


def test_test_records_stay_and_what_looks_like_them_is_left_out() -> None:
    records = [record("a", split="test"), record("b"), record("c"), record("d", split="val")]
    groups = look_alikes("abcd", [("b", "a"), ("c", "d")])
    kept, excluded = assign(records, groups, 0.5, 0.0, 0, False)
    assert [one.id for one in kept] == ["a-0", "c-0", "d-0"]
    assert kept[0].split == "test"
    assert excluded == [{"item": "b-0", "reason": "looks like the test record a-0"}]
    assert [one.id for one in assign(records, groups, 0.1, 0.5, 0, True)[0]] == ["a-0", "b-0", "c-0", "d-0"]


# --- the verb


@pytest.mark.parametrize("name", ["sacd", "gnmc", "cpc", "gaicd_v2"])
def test_all_records_of_a_photo_move_together_and_check_finds_no_fault(name: str, tmp_path: Path) -> None:
    root = COPIES[name](tmp_path / name)
    build_dataset(name, root, tmp_path / "built", options(name, root))
    before = read_records(tmp_path / "built")
    shared = ("--all",) if any(one.split == "test" for one in before) else ()
    result = run("split", tmp_path / "built", "--out", tmp_path / "new", "--val", "0.3", "--test", "0.3", *shared)
    assert result.exit_code == 0, result.exception
    after = read_records(tmp_path / "new")
    assert [one.id for one in after] == [one.id for one in before]
    assert check_folder(tmp_path / "new", deep=True).problems == []
    assert [one.crops for one in after] == [one.crops for one in before]


def test_look_alikes_in_two_splits_are_brought_together(built: Path, tmp_path: Path) -> None:
    test, train = read_records(built, "test"), [one for one in read_records(built) if one.split != "test"]
    for original, copy in ((test[0], train[0]), (train[1], train[2])):
        load_upright(built / original.image.path).save(built / copy.image.path, quality=40)
    build_dataset("fcdb", tmp_path / "FCDB", tmp_path / "again", {})
    homes = set()
    for seed in range(12):
        out = tmp_path / f"seed {seed}"
        result = run("split", tmp_path / "again", "--out", out, "--val", "0.5", "--seed", str(seed), "--json")
        manifest = json.loads(result.stdout)
        assert [entry["item"] for entry in manifest["excluded"]] == [train[0].id]
        assert len(manifest["look_alikes"]) == 2
        records = {one.id: one.split for one in read_records(out)}
        assert records[train[1].id] == records[train[2].id]
        assert [one for one, split in records.items() if split == "test"] == [one.id for one in test]
        homes.add(records[train[1].id])
    assert homes == {"train", "val"}


def test_the_same_command_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("split", built, "--out", tmp_path / "a").exit_code == 0
    assert run("split", built, "--out", tmp_path / "b").exit_code == 0
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in "ab"
    )
    first.pop(Path("README.md")), second.pop(Path("README.md"))  # names its own folder
    assert first == second
    assert not list(tmp_path.glob(".*"))


def test_the_copy_loads_with_datasets(built: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    assert run("split", built, "--out", tmp_path / "new", "--val", "0.4").exit_code == 0
    loaded = load_dataset(str(tmp_path / "new"), cache_dir=str(tmp_path / "cache"))
    assert {row["id"] for split in loaded.values() for row in split} == {one.id for one in read_records(built)}
    card = (tmp_path / "new" / "README.md").read_text()
    assert f"load_dataset({str(tmp_path / 'new')!r})" in card
    assert "Made from the folder `../built`" in card


def test_shares_and_test_splits_that_cannot_be_meant_are_refused(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    assert "--val 0.7 and --test 0.3" in str(refused("split", built, "--out", out, "--val", "0.7", "--test", "0.3"))
    assert "--val nan and --test 0:" in str(refused("split", built, "--out", out, "--val", "nan"))
    assert "--test nan:" in str(refused("split", built, "--out", out, "--all", "--test", "nan"))
    assert "its 2 test records stay as they are" in str(refused("split", built, "--out", out, "--test", "0.1"))
    trained = refused("split", built, "--out", out, "--all")
    assert (trained.exit_code, "--all would train on its 2 test records" in str(trained)) == (2, True)
    assert not out.exists()


# --- a changed copy of a folder


def test_a_copy_elsewhere_holds_what_belongs_to_its_records_and_finds_its_photos(built: Path, tmp_path: Path) -> None:
    some, out = read_records(built)[1:4], tmp_path / "deep" / "er" / "copy"
    manifest = write_subset(built, out, some, {"made_by": "a test"}, {"why": "to see"})
    ids = {one.id for one in some}
    assert check_folder(out, deep=True).problems == []
    assert {one.id for one in read_records(out)} == ids == read_rationales(out).keys()
    assert read_pairs(out) == [pair for pair in read_pairs(built) if pair.record_id in ids]
    assert read_pair_rationales(out) == [one for one in read_pair_rationales(built) if one[0].record_id in ids]
    assert (manifest["why"], manifest["dataset"], manifest["made_from"]["folder"]) == (
        "to see",
        "fcdb",
        "../../../built",
    )


def test_what_is_added_is_named_in_the_manifest(built: Path, tmp_path: Path) -> None:
    def add(place: Path) -> None:
        (place / "pairs.jsonl").write_text("")
        (place / "more.jsonl").write_text("{}\n")

    manifest = write_subset(built, tmp_path / "out", read_records(built), {}, {}, add)
    assert manifest["counts"]["pairs"] == {"train": 0, "val": 0, "test": 0}
    assert "more.jsonl" in manifest["files"]


def test_an_out_that_is_taken_stays_as_it_is(built: Path, tmp_path: Path) -> None:
    out, records = tmp_path / "out", read_records(built)
    write_subset(built, out, records, {"made_by": "one"}, {})
    before = (out / "manifest.json").read_bytes()
    for settings, change in (({"made_by": "another"}, False), ({"made_by": "one"}, True)):
        if change:  # the folder that is read is another one since
            (built / "pairs.jsonl").write_text("")
        with pytest.raises(DataError, match="holds something else already"):
            write_subset(built, out, records, settings, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        write_subset(built, tmp_path / "file", records, {}, {})
    assert (out / "manifest.json").read_bytes() == before


def test_a_stopped_copy_leaves_nothing_behind(built: Path, tmp_path: Path) -> None:
    def stop(place: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_subset(built, tmp_path / "out", read_records(built), {}, {}, stop)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_pair_of_no_known_record_is_refused_by_its_line(built: Path, tmp_path: Path) -> None:
    lines = (built / "pairs.jsonl").read_text().splitlines()
    (built / "pairs.jsonl").write_text("\n".join([*lines, json.dumps({**json.loads(lines[0]), "record_id": "who"})]))
    with pytest.raises(DataError, match=r"pairs\.jsonl, item 21: record 'who' is not in records\.jsonl"):
        write_subset(built, tmp_path / "out", read_records(built), {}, {})


def test_a_folder_of_ones_own_beside_the_copy_is_left_alone(tmp_path: Path) -> None:
    """An unfinished copy once lay in `<out>.partial`, and what was there already was removed."""
    folder = tmp_path / "data"
    build_dataset("toy", None, folder, {"train": 2, "val": 1, "test": 1})
    mine = tmp_path / "copy.partial"
    mine.mkdir()
    (mine / "notes.txt").write_text("precious")
    write_subset(folder, tmp_path / "copy", read_records(folder), {"made_by": "a test"}, {})
    assert (mine / "notes.txt").read_text() == "precious"
    assert check_folder(tmp_path / "copy", deep=True).problems == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "copy.partial", "data"]
