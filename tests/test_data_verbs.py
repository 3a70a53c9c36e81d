"""The verbs `data build | check | shard | show | stats`, run as a user runs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from crop_reasoning.cli.data import app
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.reasoning.store import read_pair_rationales, read_rationales
from crop_reasoning.records import SPLITS, read_pairs, read_records
from tests.fcdb_copy import picture, write_fcdb


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def refused(*args: str | Path) -> CropReasoningError:
    problem = run(*args).exception
    assert isinstance(problem, CropReasoningError), repr(problem)
    return problem


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    result = run("build", "fcdb", "--root", write_fcdb(tmp_path / "FCDB"), "--out", folder, "--copy")
    assert result.exit_code == 0, result.exception
    return folder


def alter(path: Path, line: int, change: Callable[[dict[str, Any]], None]) -> None:
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    change(lines[line])
    path.write_text("".join(json.dumps(value) + "\n" for value in lines))


def test_build_says_what_came_of_it(tmp_path: Path) -> None:
    root = write_fcdb(tmp_path / "FCDB")
    next((root / "data").iterdir()).unlink()
    result = run("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert "9 records" in result.stdout
    assert "18 pairs" in result.stdout
    assert "listed: train 8 (official 1,369), test 2 (official 345)" in result.stdout
    assert "dropped: 1 × missing" in result.stdout


def test_build_json_is_the_manifest(tmp_path: Path) -> None:
    result = run("build", "fcdb", "--root", write_fcdb(tmp_path / "FCDB"), "--out", tmp_path / "built", "--json")
    manifest = json.loads(result.stdout)
    assert manifest == json.loads((tmp_path / "built" / "manifest.json").read_text())
    assert manifest["counts"]["records"] == {"train": 7, "val": 1, "test": 2}
    lines = {"records.jsonl", "pairs.jsonl", "rationales.jsonl", "pair_rationales.jsonl"}
    assert manifest["files"].keys() == lines | {f"parquet/{split}-00000-of-00001.parquet" for split in SPLITS}


def test_build_toy_then_check_it(tmp_path: Path) -> None:
    sizes = ("--train", "4", "--val", "1", "--test", "1", "--workers", "1")
    assert run("build", "toy", "--out", tmp_path / "toy", *sizes).exit_code == 0
    result = run("check", tmp_path / "toy", "--deep")
    assert result.exit_code == 0, result.exception
    assert "no problem" in result.stdout


def test_build_refuses_what_it_cannot_mean(tmp_path: Path, built: Path) -> None:
    unknown = refused("build", "fcbd", "--out", tmp_path / "x")
    assert (unknown.exit_code, str(unknown)) == (
        2,
        "data set 'fcbd': expected one of cpc, fcdb, flms, gaicd_v1, gaicd_v2, gnmc, hcic, kupcp, label_studio, "
        "sacd, toy",
    )
    foreign = refused("build", "fcdb", "--out", tmp_path / "x", "--train", "4")
    assert str(foreign) == "data set fcdb takes no --train; it takes --copy, --workers"
    taken = refused("build", "toy", "--out", built)
    assert taken.exit_code == 3
    assert "holds the data set fcdb, not toy" in str(taken)


def test_check_without_deep_opens_no_photo_and_sees_a_changed_one_by_its_size(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for record in read_records(built):
        (built / record.image.path).chmod(0)
    monkeypatch.setattr("data_builders.check_lines.sha256_of", lambda path: pytest.fail(f"{path} was hashed"))
    monkeypatch.setattr("data_builders.check_lines.load_upright", lambda path: pytest.fail(f"{path} was decoded"))
    findings = json.loads(run("check", built, "--json").stdout)
    assert findings["problems"] == []
    assert findings["counts"]["photos looked up"] == 10
    photo = built / read_records(built)[0].image.path
    photo.chmod(0o644)
    photo.write_bytes(photo.read_bytes() + b"more")
    assert re.search(
        r"records.jsonl:1: record .* is not the one recorded: it has [\d,]+ bytes", str(refused("check", built))
    )


def test_check_sees_a_photo_of_the_same_size_and_other_bytes_with_deep_alone(built: Path) -> None:
    photo = built / read_records(built)[0].image.path
    content = bytearray(photo.read_bytes())
    content[-10] ^= 1
    photo.write_bytes(content)
    assert run("check", built).exit_code == 0
    assert "is not the one recorded (sha256 differs)" in str(refused("check", built, "--deep"))


def test_check_of_parquet_looks_at_the_end_and_hashes_with_deep(built: Path) -> None:
    shard = built / "parquet" / "train-00000-of-00001.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    assert "parquet/train-00000-of-00001.parquet: does not end as a Parquet file does" in str(refused("check", built))
    shard.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert run("check", built).exit_code == 0
    assert "train-00000-of-00001.parquet: was changed since manifest.json" in str(refused("check", built, "--deep"))


def test_check_finds_the_same_in_one_process_and_in_several(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are numbered, twins and leaks found across parts, wherever the parts are read."""
    records = built / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    copies = [line.replace('"id": "fcdb-', f'"id": "copy{n}-') for n in range(5) for line in lines]
    records.write_text("".join([*lines, "\n", *copies, lines[3], '{"id": "cut']))
    alter_split = json.loads(lines[4]) | {"id": "leak", "split": "test"}
    records.write_text(records.read_text() + "\n" + json.dumps(alter_split) + "\n")
    spoil_rationale(built, {})
    whole = json.loads(run("check", built, "--json").stdout)
    assert {"records.jsonl:62", "records.jsonl:63", "rationales.jsonl:1"} <= {one["where"] for one in whole["problems"]}
    monkeypatch.setattr("data_builders.check_lines.PART_BYTES", 700)
    monkeypatch.setattr("data_builders.check_lines.DEEP_PART_BYTES", 700)
    for deep in ([], ["--deep"]):
        parted = json.loads(run("check", built, "--json", *deep).stdout)
        assert sorted(map(str, parted["problems"])) == sorted(map(str, whole["problems"]))


def test_check_passes_a_good_folder(built: Path) -> None:
    result = run("check", built, "--deep", "--json")
    findings = json.loads(result.stdout)
    assert result.exit_code == 0
    assert findings["problems"] == []
    assert findings["counts"]["photos decoded"] == findings["counts"]["rationales.jsonl"] == 10
    assert findings["counts"]["pair_rationales.jsonl"] == findings["counts"]["pairs.jsonl"] == 20


def test_check_prints_all_problems_not_only_the_first(built: Path) -> None:
    records = built / "records.jsonl"
    alter(records, 0, lambda line: line.update(split="training"))
    alter(records, 1, lambda line: line["crops"][0].update(box=[0.5, 0.1, 0.4, 0.9]))
    alter(records, 2, lambda line: line.update(id=json.loads(records.read_text().splitlines()[3])["id"]))
    alter(records, 4, lambda line: line.update(taks="free"))
    alter(records, 5, lambda line: line.update(crops=[]))
    records.write_text(records.read_text()[:-40])  # the last line is cut
    alter(built / "pairs.jsonl", 18, lambda line: line.update(margin=0))
    (built / json.loads(records.read_text().splitlines()[6])["image"]["path"]).unlink()
    problem = refused("check", built)
    assert problem.exit_code == 3
    text = str(problem)
    for expected in (
        "records.jsonl:1: record fcdb-",
        "split 'training', expected one of train, val, test",
        "records.jsonl:2: ",
        "box (0.5, 0.1, 0.4, 0.9)",
        "stands in records.jsonl:3 already",
        "records.jsonl:5: record fcdb-",
        "unknown field 'taks' of the record, expected id, ",
        "records.jsonl:6: record fcdb-",
        "has no crop",
        "records.jsonl:10: not a JSON object",
        "is missing; was it or the data set moved?",
        "margin 0, expected above 0",
        "is not in records.jsonl",
        "records.jsonl: was changed since manifest.json was written",
    ):
        assert expected in text
    assert text.count("taks") == 1


def spoil_photo(folder: Path, record: dict[str, Any]) -> None:
    picture(99).save(folder / record["image"]["path"])


def spoil_size(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "records.jsonl", 0, lambda line: line["image"].update(wh=[300, 400]))


def spoil_split(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "records.jsonl", 9, lambda line: line.update(image=record["image"]))


def spoil_pair(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "pairs.jsonl", 0, lambda line: line.update(record_id="fcdb-0"))


def spoil_rationale(folder: Path, record: dict[str, Any]) -> None:
    alter(folder / "rationales.jsonl", 0, lambda line: line["rationale"].pop("decision"))


def spoil_pair_rationale(folder: Path, record: dict[str, Any]) -> None:
    decision = {"box": [0.0, 0.0, 0.3, 0.3], "why": ""}
    alter(folder / "pair_rationales.jsonl", 0, lambda line: line["chosen"].update(decision=decision))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (spoil_photo, "is not the one recorded (sha256 differs)"),
        (spoil_size, "400x300 px upright, the record says 300x400"),
        (spoil_split, "the same photo stands in several splits"),
        (spoil_pair, "pairs.jsonl:1: record 'fcdb-0' is not in records.jsonl"),
        (spoil_rationale, "rationales.jsonl:1: its answer: rationale without field 'decision'"),
        (spoil_pair_rationale, "the chosen answer decides on another crop than the pair's"),
    ],
)
def test_check_names_each_fault(built: Path, spoil: Callable[[Path, dict[str, Any]], None], expected: str) -> None:
    spoil(built, json.loads((built / "records.jsonl").read_text().splitlines()[0]))
    result = run("check", built, "--deep", "--json")
    assert isinstance(result.exception, CropReasoningError)
    assert result.exception.exit_code == 3
    problems = json.loads(result.stdout)["problems"]
    assert any(expected in f"{problem['where']}: {problem['what']}" for problem in problems)


def change_element(line: dict[str, Any]) -> None:
    line["scene"] = {"elements": [{"line": [0, 0, 1, 1]}]}


def change_decision(line: dict[str, Any]) -> None:
    line["rationale"]["decision"]["box"] = [0.0, 0.0, 0.3, 0.3]


def change_why(line: dict[str, Any]) -> None:
    line["rationale"]["decision"]["why"] = 5


def change_serves(line: dict[str, Any]) -> None:
    line["rationale"]["proposals"][0]["serves"] = "center"


UNREADABLE = [
    ("records.jsonl", change_element, "element 1 of the scene: field 'name' is missing"),
    ("records.jsonl", lambda line: line["crops"][0].update(scoer=1), "unknown field 'scoer' of the crop"),
    ("records.jsonl", lambda line: line.update(licence=4), "licence is 4, expected text"),
    ("pairs.jsonl", lambda line: line.update(vote=5), "unknown field 'vote' of the pair"),
    ("rationales.jsonl", change_why, "why is 5, expected text"),
    ("rationales.jsonl", change_serves, "serves is 'center', expected a list"),
    ("rationales.jsonl", lambda line: line.pop("record_id"), "field 'record_id' is missing"),
    ("rationales.jsonl", lambda line: line.update(rationale="a crop"), "rationale cannot be read"),
    ("pair_rationales.jsonl", lambda line: line.update(pair=5), "pair is 5, expected an object"),
    ("pair_rationales.jsonl", lambda line: line["pair"].update(vote=5), "unknown field 'vote' of the pair"),
    ("pair_rationales.jsonl", lambda line: line["chosen"]["decision"].update(why=None), "why is None, expected text"),
]
READERS = {
    "records.jsonl": read_records,
    "pairs.jsonl": read_pairs,
    "rationales.jsonl": read_rationales,
    "pair_rationales.jsonl": read_pair_rationales,
}


@pytest.mark.parametrize(("name", "change", "expected"), UNREADABLE)
def test_a_broken_line_is_refused_by_its_reader_and_named_by_check(
    built: Path, name: str, change: Callable[[dict[str, Any]], None], expected: str
) -> None:
    alter(built / name, 1, change)
    with pytest.raises(DataError, match=re.escape(expected)) as problem:
        READERS[name](built)
    assert f"{name}, item 2: " in str(problem.value)
    found = [line for line in str(refused("check", built)).splitlines() if line.startswith(f"{name}:2: ")]
    assert len(found) == 1
    assert expected in found[0]


def test_check_finds_an_answer_that_does_not_decide_on_the_best_crop(built: Path) -> None:
    alter(built / "rationales.jsonl", 1, change_decision)
    text = str(refused("check", built))
    assert "rationales.jsonl:2: record fcdb-" in text
    assert "decides on [0, 0, 0.3, 0.3], expected a crop of the record's highest score, [0.1, 0.1, 0.6, 0.6]" in text


def test_check_takes_any_of_several_best_crops_and_boxes_of_more_decimals(built: Path) -> None:
    def tie(line: dict[str, Any]) -> None:
        line["crops"] = [{"box": [0.0, 0.0, 1.0, 1.0], "score": 1.0, "source": "a"}, *line["crops"]]

    alter(built / "records.jsonl", 0, tie)
    alter(built / "records.jsonl", 1, lambda line: line["crops"][0].update(box=[0.1000004, 0.1, 0.6, 0.6]))
    assert "1 problems (1 in records.jsonl)" in str(refused("check", built))  # its hash


def test_check_of_no_data_set_says_so(tmp_path: Path) -> None:
    assert "build it first" in str(refused("check", tmp_path))


def test_stats_are_those_of_the_records(built: Path) -> None:
    figures = json.loads(run("stats", built, "--json").stdout)
    assert figures.keys() == {"train", "val", "test"}
    train = figures["train"]
    assert (train["records"], train["pairs"], train["rationales"]) == (7, 14, 7)
    assert train["crop area"]["mean"] == 0.25
    assert train["crop aspect"]["50 %"] == 1.333
    assert train["IoU with the best crop"]["whole"] == pytest.approx(0.25)
    assert train["margins"] == {"up to 0.6": 7, "up to 1.0": 7}
    assert train["bigger wins, unequal size"] == {"n": 7, "right": 1.0}
    assert train["center wins, equal size"] == {"n": 7, "right": 1.0}
    table = run("stats", built).stdout
    assert "bigger wins, unequal size" in table
    assert "0.250" in table


def test_stats_of_a_folder_without_pairs_and_rationales(built: Path) -> None:
    for path in built.glob("*.jsonl"):
        if path.name != "records.jsonl":
            path.unlink()
    assert json.loads(run("stats", built, "--json").stdout)["test"]["pairs"] == 0
    assert run("stats", built).exit_code == 0


def test_show_draws_the_crop_where_it_is(built: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheets" / "sheet.png"
    result = run("show", built, "--out", sheet, "--n", "1")
    assert "1 records" in result.stdout
    from data_builders.show import CAPTION, GAP, TILE

    image = Image.open(sheet)
    left, top, height = GAP, GAP + CAPTION, TILE * 3 // 4
    top += (TILE - height) // 2
    pinkish = [
        (x - left, y - top)
        for x in range(left, left + TILE)
        for y in range(top, top + height)
        if _near(image.getpixel((x, y)), (0xFB, 0x71, 0x85))
    ]
    xs, ys = [x for x, _ in pinkish], [y for _, y in pinkish]
    assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx(
        (0.1 * TILE, 0.6 * TILE, 0.1 * height, 0.6 * height), abs=4
    )


def _near(pixel: Any, color: tuple[int, int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, color, strict=True)) < 40


def test_show_writes_a_page_that_needs_nothing_else(built: Path, tmp_path: Path) -> None:
    page = tmp_path / "sheet.html"
    shown = json.loads(run("show", built, "--out", page, "--n", "3", "--seed", "7", "--json").stdout)["records"]
    text = page.read_text()
    assert len(shown) == text.count("data:image/jpeg;base64,") == 3
    assert all(record_id in text for record_id in shown)
    assert "http" not in text
    assert refused("show", built, "--out", tmp_path / "sheet.gif").exit_code == 2


def spoil_record(line: dict[str, Any], kind: str) -> None:
    line["crops"][0]["box"] = {
        "a best crop that keeps little": [0.1, 0.1, 0.2, 0.2],
        "a strip": [0.0, 0.4, 1.0, 0.5],
        "nearly the whole": [0.0, 0.0, 1.0, 0.99],
        "a subject cut off": [0.0, 0.0, 0.5, 1.0],
        "two best crops apart": [0.0, 0.0, 0.4, 0.9],
    }[kind]
    if kind == "a subject cut off":
        line["subject"] = [0.6, 0.2, 0.9, 0.8]
    if kind == "two best crops apart":
        line["crops"].append({"box": [0.5, 0.0, 0.9, 0.9], "score": 1.0, "source": "b"})


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a best crop that keeps little", "best crop keeps only 1%"),
        ("a strip", "best crop is 13.3 times as wide as high"),
        ("nearly the whole", "best crop cuts only 1.0% off"),
        ("a subject cut off", "100% of the subject cut off"),
        ("two best crops apart", "best crops with an IoU of 0.00"),
    ],
)
def test_show_worst_puts_the_suspicious_record_first_with_its_reason(
    built: Path, tmp_path: Path, kind: str, reason: str
) -> None:
    alter(built / "records.jsonl", 6, lambda line: spoil_record(line, kind))
    page = tmp_path / "worst.html"
    shown = json.loads(run("show", built, "--out", page, "--worst", "--json").stdout)
    assert shown["records"][0] == read_records(built)[6].id
    assert shown["reasons"][0] == reason
    assert reason in page.read_text()
    assert run("show", built, "--out", tmp_path / "worst.png", "--worst").exit_code == 0


def test_show_worst_names_clipped_boxes_and_flat_scores(built: Path, tmp_path: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())
    record = read_records(built)[2]
    manifest["clipped"] = [{"item": f"{Path(record.image.path).name} pair 1", "overflow_px": 2}]
    (built / "manifest.json").write_text(json.dumps(manifest))
    lines = [json.loads(line) for line in (built / "records.jsonl").read_text().splitlines()]
    for number, line in enumerate(lines):
        other = {"box": [0.0, 0.0, 0.9, 0.9], "score": 0.9 if number == 4 else 0.1, "source": "b"}
        line["crops"].append(other)
    (built / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shown = json.loads(run("show", built, "--out", tmp_path / "w.html", "--worst", "--json").stdout)
    assert dict(zip(shown["records"], shown["reasons"], strict=True)) == {
        record.id: "a box was clipped by 2 px",
        lines[4]["id"]: "scores within 0.1, usual are 0.9",
    }


def test_show_worst_of_a_data_set_without_suspicion_says_so(built: Path, tmp_path: Path) -> None:
    problem = refused("show", built, "--out", tmp_path / "w.png", "--worst")
    assert str(problem).endswith("nothing speaks against any of 10 records; leave out --worst")


def test_show_does_not_write_over_a_photo_of_the_data_set(built: Path) -> None:
    photo = built / "images" / "one.png"
    picture(0).save(photo)
    alter(built / "records.jsonl", 3, lambda line: line["image"].update(path="images/one.png"))
    before = photo.read_bytes()
    problem = refused("show", built, "--out", built / "images" / ".." / "images" / "one.png", "--n", "1")
    assert str(problem).endswith("one.png: is a photo of the data set itself; choose another --out")
    assert problem.exit_code == 3
    assert photo.read_bytes() == before


def test_data_verbs_run_without_torch(built: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from crop_reasoning.cli.data import app\n"
        "app(['check', sys.argv[1]], standalone_mode=False); app(['stats', sys.argv[1]])"
    )
    result = subprocess.run([sys.executable, "-c", script, str(built)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "no problem" in result.stdout


@pytest.mark.parametrize("verb", ["build", "check", "shard", "show", "stats"])
def test_each_verb_has_help_with_an_example(verb: str) -> None:
    assert f"Example: crop-reasoning data {verb}" in run(verb, "--help").stdout


def test_ctrl_c_in_a_build_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    root = write_fcdb(tmp_path / "FCDB")
    monkeypatch.setattr("data_builders.photos.load_upright", interrupted)
    problem = refused("build", "fcdb", "--root", root, "--out", tmp_path / "built")
    assert "the same command builds it" in str(problem)
    assert problem.exit_code == 130
