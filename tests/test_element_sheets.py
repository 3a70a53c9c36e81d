"""Contact sheets of what was seen: which photos stand on them, and that the evidence is drawn where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.element_sheets import SHOWN, drawn, frequencies, photos_of, strokes, write_sheets
from crop_reasoning.composition.analysis import Analysis, Evidence
from crop_reasoning.geometry import Box
from crop_reasoning.records import CropRecord, ImageRef, write_jsonl

LINE = (0.0, 0.5, 1.0, 0.5)


def photo(folder: Path, number: int) -> Path:
    path = folder / f"{number:02d}.png"
    Image.new("RGB", (60, 40), (20, 20, 20)).save(path)
    return path


def seen(strength: float, *names: str) -> Analysis:
    return Analysis((60, 40), tuple(Evidence(name, strength, "words", line=LINE) for name in names))


def test_the_strongest_and_those_at_the_threshold_have_a_sheet_each(tmp_path: Path) -> None:
    photos = [photo(tmp_path, number) for number in range(SHOWN + 3)]
    analyses = {path: seen(1 - 0.01 * number, "horizontal") for number, path in enumerate(photos[:-1])}
    analyses[photos[-1]] = seen(0)
    write_sheets(analyses, tmp_path / "sheets")
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "sheets").iterdir()}
    assert set(sizes) == {"horizontal_strongest.png", "horizontal_threshold.png", "nothing.png"}
    assert sizes["horizontal_strongest.png"][1] > 2 * sizes["horizontal_threshold.png"][1] > 0


def test_what_is_seen_how_often_is_told(tmp_path: Path) -> None:
    analyses = {
        Path("a"): seen(0.9, "horizontal", "curved"),
        Path("b"): seen(0.6, "horizontal"),
        Path("c"): seen(0),
        Path("d"): seen(0),
    }
    text = frequencies(analyses, 1)
    assert text.startswith("4 photos (1 unreadable), 0.75 elements each")
    for line in ("| horizontal | 2 | 0.500 [", "| curved | 1 | 0.250 [", "| pattern | 0 | 0.000 [", "| nothing | 2 |"):
        assert line in text


def test_evidence_is_drawn_where_it_is(tmp_path: Path) -> None:
    path = photo(tmp_path, 0)
    plain = np.asarray(drawn(path)).astype(int)
    for evidence in (
        Evidence("horizontal", 1, "", line=LINE),
        Evidence("triangle", 1, "", polygon=((0.2, 0.2), (0.8, 0.2), (0.5, 0.5))),
        Evidence("curved", 1, "", path=((0.1, 0.5), (0.5, 0.4), (0.9, 0.5))),
        Evidence("diagonal", 1, "", vanishing=(0.5, 0.5), leading=((0, 0, 0.5, 0.5), (1, 0, 0.5, 0.5))),
        Evidence("center", 1, "", point=(0.5, 0.5)),
        Evidence("pattern", 1, "", box=Box(0.1, 0.1, 0.9, 0.5)),
    ):
        changed = np.abs(np.asarray(drawn(path, evidence)).astype(int) - plain).sum(axis=2) > 60
        assert changed[:28].any(), evidence.name
        assert not changed[32:].any(), evidence.name


def test_a_vanishing_point_outside_the_frame_is_not_drawn() -> None:
    lines = ((0.0, 0.0, 0.5, 0.5), (1.0, 0.0, 0.5, 0.5))
    pieces = strokes(Evidence("diagonal", 1, "", line=lines[0], vanishing=(0.5, 1.7), leading=lines))
    assert [piece.line for piece in pieces] == list(lines)


def test_of_a_built_data_set_the_test_photos_are_looked_at_and_of_a_folder_all(tmp_path: Path) -> None:
    paths = [photo(tmp_path, number) for number in range(3)]
    assert photos_of(tmp_path) == paths
    records = [
        CropRecord(f"r{number}", "d", "test" if number else "train", ImageRef(path.name, "0" * 64, (60, 40)), ())
        for number, path in enumerate(paths)
    ]
    write_jsonl(tmp_path / "records.jsonl", records)
    assert photos_of(tmp_path) == paths[1:]
