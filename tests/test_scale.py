"""Past one machine: shards of photos read apart give the build of one machine, whatever maps them (docs/scale.md)."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from crop_reasoning.cli.data import app
from crop_reasoning.errors import CropReasoningError
from crop_reasoning.records import to_json
from data_builders.build import listed_photos
from data_builders.importing import make
from data_builders.photos import inspect_photo, journal_line
from data_builders.shards import shard_of, write_journal
from tests.copies import COPIES, options

DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"


def run(*args: str | Path) -> str:
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == 0, result.exception
    return result.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return COPIES["fcdb"](tmp_path / "FCDB")


@pytest.fixture
def alone(root: Path, tmp_path: Path) -> dict[str, bytes]:
    """What one machine builds; the folder's name stands in the card, so others must be built under the same one."""
    run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    found = contents(tmp_path / "built")
    shutil.rmtree(tmp_path / "built")
    return found


@pytest.fixture
def no_more_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        monkeypatch.setattr("data_builders.photos.inspect_photo", lambda path: pytest.fail(f"{path} was read again"))

    return forbid


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(1, 50))
def test_every_photo_is_in_exactly_one_shard_wherever_the_copy_lies(names: list[str], count: int) -> None:
    for name in names:
        photo = Path("data") / name.replace("/", "_")
        assert 1 <= shard_of(photo, count) == shard_of(Path("/elsewhere") / photo, count) <= count


def test_shards_are_of_about_equal_size() -> None:
    sizes = [0] * 8
    for number in range(8000):
        sizes[shard_of(Path("data") / f"{number}.jpg", 8) - 1] += 1
    assert max(sizes) < 1.15 * min(sizes)


@pytest.mark.parametrize("name", sorted(COPIES))
def test_two_shards_and_a_build_are_the_build_of_one_machine(
    name: str, tmp_path: Path, no_more_reading: Callable[[], None]
) -> None:
    root, out = COPIES[name](tmp_path / name), tmp_path / "built"
    join = [word for pair in options(name, root).get("join", ()) for word in ("--join", pair)]
    run("build", name, "--root", root, "--out", out, *join)
    alone = contents(out)
    shutil.rmtree(out)
    shares = [json.loads(run("shard", name, f"{k}/2", "--root", root, "--out", out, *join, "--json")) for k in (2, 1)]
    assert sum(share["photos"] for share in shares) == len(listed_photos(name, root, options(name, root)))
    no_more_reading()
    run("build", name, "--root", root, "--out", out, *join)
    assert contents(out) == alone


def test_a_lost_shard_is_read_by_the_build(root: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    said = run("shard", "fcdb", "1/2", "--root", root, "--out", tmp_path / "built")
    read = int(re.search(r"shard 1/2, (\d+) photos read, 0 of them of no use", said)[1])  # type: ignore[index]
    assert 0 < read < 10
    run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert contents(tmp_path / "built") == alone


def test_a_photo_that_changed_since_its_shard_was_read_is_read_again(root: Path, tmp_path: Path) -> None:
    for shard in ("1/2", "2/2"):
        run("shard", "fcdb", shard, "--root", root, "--out", tmp_path / "built")
    next((root / "data").iterdir()).write_bytes(b"gone")
    assert "9 records" in run("build", "fcdb", "--root", root, "--out", tmp_path / "built")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_a_shard_that_cannot_be_meant_is_refused(shard: str, root: Path, tmp_path: Path) -> None:
    args = ["shard", "fcdb", "--root", str(root), "--out", str(tmp_path / "built"), "--", shard]
    problem = CliRunner().invoke(app, args).exception
    assert isinstance(problem, CropReasoningError)
    assert "expected K/N with K from 1 to N, for instance 3/8" in str(problem)
    assert problem.exit_code == 2


def test_a_data_set_that_is_made_has_no_shards(root: Path, tmp_path: Path) -> None:
    problem = CliRunner().invoke(app, ["shard", "toy", "1/2", "--root", str(root)]).exception
    assert str(problem).startswith("data set 'toy': expected one that is read, cpc, fcdb")


def line_of(row: dict[str, str]) -> dict[str, str]:
    return {"line": journal_line(Path(row["photo"]))}


def test_datasets_map_over_photos_gives_the_same_build(
    root: Path, tmp_path: Path, alone: dict[str, bytes], no_more_reading: Callable[[], None]
) -> None:
    from datasets import Dataset

    photos = Dataset.from_dict({"photo": [str(photo) for photo in listed_photos("fcdb", root, {})]})
    lines = photos.map(line_of, num_proc=2)["line"]
    write_journal(tmp_path / "built", "datasets", reversed(list(lines)))  # in any order
    no_more_reading()
    run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert contents(tmp_path / "built") == alone


def test_ray_data_over_photos_gives_the_same_build(
    root: Path, tmp_path: Path, alone: dict[str, bytes], no_more_reading: Callable[[], None]
) -> None:
    pytest.importorskip("ray.data", reason="Ray Data is not installed (pip install 'ray[data]')")
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": ray_path()})
    try:
        photos = ray.data.from_items([{"photo": str(photo)} for photo in listed_photos("fcdb", root, {})])
        lines = [row["line"] for row in photos.repartition(2).map(line_of).take_all()]
    finally:
        ray.shutdown()
    write_journal(tmp_path / "built", "ray", lines)
    no_more_reading()
    run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert contents(tmp_path / "built") == alone


def ray_path() -> dict[str, str]:
    """Workers import this file's functions from where the tests do."""
    return {"PYTHONPATH": ":".join([str(DOCUMENT.parents[1]), *filter(None, sys.path)])}


def test_make_is_pure_and_maps_in_other_processes(root: Path, tmp_path: Path) -> None:
    """A photo and what is said of it become the record of the build, in whatever process."""
    from datasets import Dataset

    from data_builders.fcdb import read

    run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    source = read(root)

    def record_of(row: dict[str, Any]) -> dict[str, str]:
        one = source.listed[row["number"]]
        made = make(one, inspect_photo(one.photo), source.rules, f"../FCDB/data/{one.photo.name}")
        assert made.record
        return {"record": json.dumps(to_json(made.record), ensure_ascii=False)}

    rows = Dataset.from_dict({"number": list(range(len(source.listed)))}).map(record_of, num_proc=2)
    assert list(rows["record"]) == (tmp_path / "built" / "records.jsonl").read_text().splitlines()


def test_the_code_and_the_commands_of_the_document_run(
    root: Path, tmp_path: Path, alone: dict[str, bytes], no_more_reading: Callable[[], None]
) -> None:
    """Those of `datasets` and the verbs; Slurm is not here, its command is the verb's."""
    text = DOCUMENT.read_text().replace("data/fcdb", str(tmp_path / "built")).replace('"FCDB"', repr(str(root)))
    blocks = [block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "import ray" not in block]
    exec("\n".join(blocks).replace(", num_proc=2", ""), {"__name__": "document"})
    no_more_reading()
    commands = re.findall(r"^    crop-reasoning data (.*?) *(?:#.*)?$", text, re.M)
    assert [command.split()[0] for command in commands] == ["shard", "shard", "build"]
    run(*commands[-1].replace("--root FCDB", f"--root {root}").split())
    assert contents(tmp_path / "built") == alone
    assert 'crop-reasoning data shard fcdb "$SLURM_ARRAY_TASK_ID/8" --root FCDB' in text
