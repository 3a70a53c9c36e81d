"""`data build` harms nothing that it did not write: foreign folders, finished builds, two at once, killed ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crop_reasoning.errors import CropReasoningError, DataError, EnvironmentProblem, Interrupted, RecipeError
from crop_reasoning.locks import held
from crop_reasoning.records import read_records
from data_builders import build as build_module
from data_builders.build import build_dataset
from data_builders.check import check_folder
from data_builders.importing import digests
from data_builders.out_folder import LOCK
from data_builders.photos import JOURNAL
from tests.copies import COPIES, WH, dump, photo, write_flms, write_label_studio

TOY = {"train": 3, "val": 1, "test": 1, "workers": 1}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_flms(tmp_path / "FLMS")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "built"


def refused(root: Path | None, out: Path, name: str = "flms", **options: Any) -> CropReasoningError:
    """The error of a build, which must leave every byte of `out` as it was."""
    before = contents(out)
    with pytest.raises(CropReasoningError) as problem:
        build_dataset(name, root, out, options)
    assert contents(out) == before
    return problem.value


# --- folders of somebody else's


@pytest.mark.parametrize("name", ["flms", "toy"])
@pytest.mark.parametrize(
    "file",
    ["README.md", "records.jsonl", "pair_rationales.jsonl", "parquet/mine.parquet", "shards/mine.txt", "images/a"],
)
def test_a_foreign_folder_is_refused_and_keeps_every_byte(name: str, file: str, root: Path, out: Path) -> None:
    (out / file).parent.mkdir(parents=True)
    (out / file).write_text("precious")
    problem = refused(None if name == "toy" else root, out, name)
    assert isinstance(problem, DataError)
    assert f"{out}: holds something else already ({file.partition('/')[0]})" in str(problem)


def test_the_copy_itself_is_no_place_to_build_into(root: Path) -> None:
    assert "is the folder that is read (--root)" in str(refused(root, root.parent / "FLMS" / ".." / "FLMS"))


def test_a_plain_file_as_out_is_named_as_one(root: Path, out: Path) -> None:
    out.write_text("precious")
    with pytest.raises(DataError, match="built: is a file, expected a folder to write to"):
        build_dataset("flms", root, out, {})
    assert out.read_text() == "precious"


def test_what_is_made_from_a_built_folder_is_not_built_over(root: Path, out: Path) -> None:
    dump(out / "manifest.json", {"dataset": "flms", "settings": {}, "files": {}, "made_from": {}})
    assert "made from another built folder" in str(refused(root, out))


def test_only_stale_shards_of_ours_are_removed_from_parquet(root: Path, out: Path) -> None:
    build_dataset("flms", root, out, {})
    stale = out / "parquet" / "test-00001-of-00002.parquet"
    kept = [out / "parquet" / name for name in ("mine.parquet", "folder/notes.txt", "test-1-of-2.parquet")]
    for path in [stale, *kept]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    build_dataset("flms", root, out, {})
    assert not stale.exists()
    assert all(path.read_text() == "x" for path in kept)


def test_nothing_is_left_of_a_build_that_could_not_begin(root: Path, out: Path) -> None:
    (root / "image_crops.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        build_dataset("flms", root, out, {})
    assert not out.exists()


# --- finished builds


def test_another_root_over_a_finished_build_is_refused_by_the_files_name(root: Path, out: Path, tmp_path: Path) -> None:
    build_dataset("flms", root, out, {})
    other = write_flms(tmp_path / "other")
    dump(other / "image_crops.json", {"a_Large.jpg": [[10, 10, 310, 230]]})
    assert "was built from another image_crops.json; choose another --out" in str(refused(other, out))


def test_another_export_file_over_a_finished_import_is_refused(tmp_path: Path, out: Path) -> None:
    file = write_label_studio(tmp_path / "project")
    build_dataset("label_studio", file, out, {})
    other = file.with_name("other.json")
    dump(other, json.loads(file.read_text())[:1])
    assert "was built from export.json; got other.json" in str(refused(other, out, "label_studio"))


@pytest.mark.parametrize("name", sorted({*COPIES, "toy"} - {"hcic"}))
def test_the_same_build_again_changes_nothing_and_leaves_no_lock(name: str, tmp_path: Path, out: Path) -> None:
    root = None if name == "toy" else COPIES[name](tmp_path / name)
    given = TOY if name == "toy" else {}
    build_dataset(name, root, out, given)
    before = contents(out)
    build_dataset(name, root, out, given)
    assert contents(out) == before
    assert LOCK not in before


def test_sources_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "people.json" for folder in ("FCDB", "FLMS")]
    for number, path in enumerate(paths):
        dump(path, number)
    assert digests([*paths, paths[0]]).keys() == {"FCDB/people.json", "FLMS/people.json"}


# --- two builds at once


def test_a_second_build_into_a_folder_that_is_being_built_is_refused(root: Path, out: Path, monkeypatch: Any) -> None:
    finish, seen = build_module._finish, []

    def meanwhile(*args: Any) -> Any:
        seen.append(refused(root, out))
        return finish(*args)

    monkeypatch.setattr(build_module, "_finish", meanwhile)
    build_dataset("flms", root, out, {})
    assert isinstance(seen[0], EnvironmentProblem)
    assert str(seen[0]) == f"{out}: another build is writing here; wait for it, or choose another --out"
    assert check_folder(out, deep=True).problems == []


def test_a_worker_of_a_killed_process_does_not_hold_its_lock_on(tmp_path: Path) -> None:
    script = f"""
import os, signal, time
from pathlib import Path
from crop_reasoning.locks import held
with held(Path({str(tmp_path / "lock")!r}), "held"):
    worker = os.fork()
    if not worker:
        time.sleep(60)
    print(worker, flush=True)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        try:
            with pytest.raises(EnvironmentProblem, match="held"), held(tmp_path / "lock", "held"):
                pass
            process.wait()
            with held(tmp_path / "lock", "held"):
                os.kill(worker, 0)  # the worker lives
        finally:
            os.kill(worker, signal.SIGKILL)


# --- builds that were stopped


STEPS = ["import_sources", "write_rationales", "write_parquet", "write_manifest", "write_card", "remove_shards"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_build_that_is_stopped_anywhere_goes_on_by_the_same_command(
    step: str, after: bool, root: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_dataset("flms", root, out, {"copy": True})
    whole = contents(out)
    out.rename(tmp_path / "whole")
    module = "data_builders.rationales" if step == "write_rationales" else "data_builders.build"
    real: Callable[..., Any] = getattr(__import__(module, fromlist=[step]), step)

    def stopped(*args: Any, **options: Any) -> Any:
        if after:
            real(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{step}", stopped)
        with pytest.raises(Interrupted, match="the same command builds it"):
            build_dataset("flms", root, out, {"copy": True})
    build_dataset("flms", root, out, {"copy": True})
    assert contents(out) == whole


def test_an_unfinished_build_is_not_gone_on_with_under_other_settings(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(build_module, "write_parquet", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            build_dataset("flms", root, out, {"seed": 1})
    assert "holds an unfinished build of flms of seed 1; got seed 2" in str(refused(root, out, seed=2))
    assert "holds an unfinished build of the data set flms, not toy" in str(refused(None, out, "toy"))
    assert build_dataset("flms", root, out, {"seed": 1})["settings"] == {"seed": 1}


@pytest.mark.parametrize("name", ["flms", "toy"])
def test_a_build_that_is_killed_at_any_time_goes_on_by_the_same_command(name: str, root: Path, tmp_path: Path) -> None:
    """Killed for good, with its workers, at times that are spread over its work."""
    toy = ["--train", "100", "--val", "1", "--test", "1"]
    own = toy if name == "toy" else ["--root", str(root), "--copy"]

    def start(out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "crop_reasoning", "data", "build", name, "--out", str(out), *own]
        return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    out, whole = tmp_path / "out" / "a", tmp_path / "whole" / "a"
    whole_build = start(whole)
    assert whole_build.wait() == 0, whole_build.communicate()
    for number in range(3):
        build = start(out)
        deadline = time.monotonic() + 30
        while not (out / LOCK).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05 * number)
        os.killpg(build.pid, signal.SIGKILL)
        build.communicate()
    last = start(out)
    said, _ = last.communicate()
    assert last.returncode == 0, said
    assert {record.id: record.image.sha256 for record in read_records(out)} == {
        record.id: record.image.sha256 for record in read_records(whole)
    }
    assert check_folder(out, deep=True).problems == []
    assert not (out / LOCK).exists()


def test_a_journal_that_was_cut_short_loses_that_line_alone(root: Path, out: Path) -> None:
    build_dataset("flms", root, out, {})
    whole = (out / JOURNAL).read_bytes()
    (out / JOURNAL).write_bytes(whole[:-20])
    build_dataset("flms", root, out, {})
    mended = (out / JOURNAL).read_bytes()
    assert mended == whole[:-20] + b"\n" + whole.splitlines(keepends=True)[-1]
    build_dataset("flms", root, out, {})
    assert (out / JOURNAL).read_bytes() == mended


# --- names


BYTES = "\udcff"  # how Python writes the byte 0xff of a name


def test_a_photo_whose_name_is_not_utf8_is_listed_and_the_others_are_built(root: Path, out: Path) -> None:
    crops = json.loads((root / "image_crops.json").read_text())
    photo(root / "image" / "c.png", 7, WH).rename(root / "image" / f"c{BYTES}.png")
    dump(root / "image_crops.json", {**crops, f"c{BYTES}.png": [[10, 10, 310, 230]]})
    photo(root / "image" / "d.png", 8, WH).rename(root / "image" / f"d{BYTES}.png")  # which no crop is of
    manifest = build_dataset("flms", root, out, {})
    assert manifest["dropped"] == [
        {"item": "d\\udcff.png", "reason": "not in image_crops.json"},
        {"item": "c\\udcff.png", "reason": "its name is not UTF-8; rename it"},
    ]
    assert len(read_records(out)) == len(crops)


@pytest.mark.parametrize("option", ["root", "out", "images"])
def test_a_folder_whose_name_is_not_utf8_is_refused_up_front(option: str, root: Path, out: Path) -> None:
    bad = root.parent / f"x{BYTES}"
    name = "label_studio" if option == "images" else "flms"
    given = {"root": root, "out": out, option: bad}
    options = {"images": str(bad)} if option == "images" else {}
    with pytest.raises(RecipeError, match=f"--{option} .*its name is not UTF-8"):
        build_dataset(name, given["root"], given["out"], options)
    assert not bad.exists()


def test_two_records_of_one_photo_under_one_id_name_the_id(tmp_path: Path, out: Path) -> None:
    file = write_label_studio(tmp_path / "project")
    tasks = json.loads(file.read_text())
    dump(file, [tasks[0], tasks[0]])
    with pytest.raises(DataError, match=r"0\.jpg is listed twice as record '.+' \(in train\); remove one"):
        build_dataset("label_studio", file, out, {})
