"""What is wrong with a user's copy or disk, tried through `data build`: one sentence, and finished work is kept."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crop_reasoning.cli.data import app
from crop_reasoning.errors import CropReasoningError
from data_builders.check import check_folder
from tests.copies import COPIES, dump, photo, write_cpc, write_flms
from tests.fcdb_copy import TRAIN_IDS, file_of, write_fcdb

PHOTOS = 60


def build(name: str, root: Path, out: Path, *more: str) -> dict[str, Any]:
    args = ["build", name, "--root", str(root), "--out", str(out), "--json", *more]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.exception
    manifest: dict[str, Any] = json.loads(result.stdout)
    return manifest


def refused(code: int, name: str, root: Path, out: Path, *more: str) -> str:
    problem = CliRunner().invoke(app, ["build", name, "--root", str(root), "--out", str(out), *more]).exception
    assert isinstance(problem, CropReasoningError), repr(problem)
    assert problem.exit_code == code
    assert "\n" not in str(problem)
    return str(problem)


def reasons(manifest: dict[str, Any]) -> dict[str, str]:
    return {entry["item"]: entry["reason"] for entry in manifest["dropped"]}


def child(*args: str, log: Path | None = None, limit: int = 0) -> subprocess.Popen[str]:
    """The real command line in a process of its own; the names of the photos that it reads go into `log`."""
    script = (
        "import sys\nfrom pathlib import Path\nimport data_builders.photos as photos\n"
        "inspect = photos.inspect_photo\n"
        f"log = {str(log) if log else os.devnull!r}\n"
        "def logged(path):\n"
        "    with open(log, 'a') as lines: lines.write(path.name + '\\n')\n"
        "    return inspect(path)\n"
        "photos.inspect_photo = logged\n"
        "from crop_reasoning.cli.main import main\n"
        f"sys.argv = ['crop-reasoning', 'data', *{list(args)!r}]\n"
        "main()\n"
    )

    def limited() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limited
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "built"


# --- copies that are not whole


def test_half_a_download_is_built_from_what_is_there_and_completed_later(tmp_path: Path, out: Path) -> None:
    root = write_fcdb(tmp_path / "FCDB")
    (tmp_path / "later").mkdir()
    for photo_id in TRAIN_IDS[:4]:
        (root / "data" / file_of(photo_id)).rename(tmp_path / "later" / file_of(photo_id))
    assert reasons(build("fcdb", root, out)) == {file_of(i): "missing: no such file" for i in TRAIN_IDS[:4]}
    for path in (tmp_path / "later").iterdir():
        path.rename(root / "data" / path.name)
    assert reasons(build("fcdb", root, out)) == {}
    assert check_folder(out, deep=True).problems == []


CUT = {
    "cpc": "CollectedAnnotationsRaw/0.jpg.txt",
    "fcdb": "ranking_annotation.json",
    "flms": "image_crops.json",
    "gaicd_v1": "annotations/211.txt",
    "gnmc": "json/train.json",
    "kupcp": "train_label.txt",
    "sacd": "train.json",
}


@pytest.mark.parametrize("name", sorted(CUT))
def test_an_annotation_file_that_was_cut_short_is_named(name: str, tmp_path: Path, out: Path) -> None:
    """A file a photo costs that photo, one for all stops the build."""
    root = COPIES[name](tmp_path / name)
    path = root / CUT[name]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 3])
    if name in ("cpc", "gaicd_v1"):
        dropped = reasons(build(name, root, out))
        assert len(dropped) == 1
        assert path.name in " ".join([*dropped, *dropped.values()])
    else:
        assert path.name in refused(3, name, root, out)
        assert not (out / "records.jsonl").exists()


@pytest.mark.parametrize("name", sorted(COPIES))
def test_a_zip_instead_of_a_folder_is_to_be_unpacked(name: str, tmp_path: Path, out: Path) -> None:
    root = COPIES[name](tmp_path / name)
    archive = tmp_path / "download"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (root if root.is_dir() else root.parent).rglob("*"):
            file.write(path, path.relative_to(tmp_path))
    what = "JSON file in it" if name == "label_studio" else "folder as --root"
    assert f"{archive}: is an archive; unpack it first and give the {what}" in refused(3, name, archive, out)


def test_gaicd_of_the_other_version_is_named(tmp_path: Path, out: Path) -> None:
    assert "build gaicd_v2 from it" in refused(3, "gaicd_v1", COPIES["gaicd_v2"](tmp_path / "g2"), out)
    assert "build gaicd_v1 from it" in refused(3, "gaicd_v2", COPIES["gaicd_v1"](tmp_path / "g1"), out)


# --- photos that are none


def zeros(path: Path, side: int) -> None:
    """A true PNG of side x side black pixels, 1 bit each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def test_a_cut_jpeg_a_bomb_and_links_to_nowhere_are_listed_and_the_others_built(tmp_path: Path, out: Path) -> None:
    root = write_fcdb(tmp_path / "FCDB")
    cut, bomb, big, loop, nowhere = (root / "data" / file_of(photo_id) for photo_id in TRAIN_IDS[:5])
    cut.write_bytes(cut.read_bytes()[:2000])
    zeros(bomb, 20_000)
    zeros(big, 8_000)
    for link, target in ((loop, loop), (nowhere, tmp_path / "nowhere")):
        link.unlink()
        link.symlink_to(target)
    start = time.monotonic()
    manifest = build("fcdb", root, out)
    assert time.monotonic() - start < 20
    found = reasons(manifest)
    assert found.keys() == {path.name for path in (cut, bomb, big, loop, nowhere)}
    assert "cannot be decoded (image file is truncated" in found[cut.name]
    assert found[bomb.name] == "far above 50 megapixels; scale it down first"
    assert found[big.name] == "8000x8000 is 64 megapixels, expected at most 50; scale it down first"
    assert found[loop.name] == found[nowhere.name] == "missing: a link that leads nowhere"
    assert sum(manifest["counts"]["records"].values()) == 5
    assert check_folder(out, deep=True).problems == []


def test_a_photo_folder_that_links_to_itself_is_named(tmp_path: Path, out: Path) -> None:
    root = write_fcdb(tmp_path / "FCDB")
    shutil.rmtree(root / "data")
    (root / "data").symlink_to(root / "data")
    assert f"{root / 'data'}: no such folder" in refused(3, "fcdb", root, out)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert f"{tmp_path / 'loop'}: a link that leads nowhere" in refused(3, "flms", tmp_path / "loop", out)


def test_a_folder_that_holds_a_link_to_itself_is_read_once(tmp_path: Path, out: Path) -> None:
    root = COPIES["gaicd_v1"](tmp_path / "g")
    (root / "images" / "train" / "more").symlink_to(root / "images")
    assert build("gaicd_v1", root, out)["counts"]["records"] == {"train": 2, "val": 0, "test": 1}


# --- two files with one name


def test_two_photos_of_one_name_in_two_splits_stop_the_build(tmp_path: Path, out: Path) -> None:
    root = COPIES["gaicd_v1"](tmp_path / "g")
    photo(root / "images" / "test" / "211.jpg", 7)
    text = refused(3, "gaicd_v1", root, out)
    assert "211.jpg is listed twice" in text
    assert "both would be record 'gaicd_v1-211'; remove one" in text


def test_two_photos_of_one_name_in_two_folders_are_both_copied(tmp_path: Path, out: Path) -> None:
    """HCIC joins data sets that call their photos by number: a copy of one must not write over the other's."""
    write_flms(tmp_path / "flms")
    shutil.move(tmp_path / "flms" / "image" / "a_Large.jpg", tmp_path / "flms" / "image" / "0.jpg")
    dump(tmp_path / "flms" / "image_crops.json", {"0.jpg": [[20, 30, 300, 200]]})
    gaicd = COPIES["gaicd_v1"](tmp_path / "gaicd")
    for folder, name in ((gaicd / "images" / "test", "0.jpg"), (gaicd / "annotations", "0.txt")):
        shutil.move(folder / name.replace("0", "213"), folder / name)
    people = tmp_path / "hcic" / "human_bboxes"
    dump(people / "FLMS" / "human_bboxes.json", {"0.jpg": [60, 40, 120, 180]})
    dump(people / "GAICD" / "human_bboxes.json", {"0.jpg": [60, 40, 120, 180]})
    joined = ("--join", f"flms={tmp_path / 'flms'}", "--join", f"gaicd_v1={gaicd}")
    manifest = build("hcic", tmp_path / "hcic", out, "--copy", *joined)
    assert sum(manifest["counts"]["records"].values()) == 2, manifest
    assert check_folder(out, deep=True).problems == []


# --- disks that refuse, hands that stop


def test_an_output_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    text = refused(4, "cpc", write_cpc(tmp_path / "c"), tmp_path / "file" / "built")
    assert text.startswith(str(tmp_path / "file"))
    assert "check the path, your rights and the disk's space" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_an_output_folder_that_is_read_only_is_named(tmp_path: Path, out: Path) -> None:
    out.mkdir(mode=0o555)
    assert "Permission denied" in refused(4, "cpc", write_cpc(tmp_path / "c"), out)


def test_an_output_folder_of_a_read_only_file_system_is_named(tmp_path: Path) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc here, which nobody can write to")
    assert refused(4, "cpc", write_cpc(tmp_path / "c"), Path("/proc/built")).startswith("/proc/built")


def test_a_full_disk_is_a_sentence_and_the_build_goes_on_with_space(tmp_path: Path, out: Path) -> None:
    """Files above 8 kB are refused, as a full disk would: the journal fits, the Parquet file does not."""
    root, log = write_cpc(tmp_path / "c"), tmp_path / "log"
    args = ("build", "cpc", "--root", str(root), "--out", str(out))
    process = child(*args, log=log, limit=8192)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4, errors
    assert "check the path, your rights and the disk's space, then run the same command again" in errors
    assert "Traceback" not in errors
    process = child(*args, log=log)
    assert process.communicate(timeout=60)[1].count("Traceback") == process.returncode == 0
    assert Counter(log.read_text().split()) == {"0.jpg": 1, "1.jpg": 1}
    assert check_folder(out, deep=True).problems == []


def test_ctrl_c_halfway_then_the_same_command_reads_no_photo_twice(tmp_path: Path, out: Path) -> None:
    root, log = tmp_path / "flms", tmp_path / "log"
    content = photo(root / "image" / "0.jpg", 0, (2400, 1600)).read_bytes()
    for index in range(PHOTOS):
        (root / "image" / f"{index}.jpg").write_bytes(content + bytes([index]))
    crops = {f"{index}.jpg": [[20, 30, 2000, 1200]] for index in range(PHOTOS)}
    dump(root / "image_crops.json", crops)
    args = ("build", "flms", "--root", str(root), "--out", str(out), "--workers", "3")
    process = child(*args, log=log)
    journal = out / "photos.journal"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if journal.is_file() and journal.read_bytes().count(b"\n") >= 5:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"{out}: stopped by hand and not finished; the same command builds it" in errors
    assert "Traceback" not in errors
    assert not (out / "records.jsonl").exists()
    assert 5 <= len(log.read_text().split()) < PHOTOS
    process = child(*args, log=log)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert Counter(log.read_text().split()) == dict.fromkeys(crops, 1)
    assert check_folder(out).problems == []
