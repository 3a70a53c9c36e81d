"""Contact sheets of real photos to look at: where each of the ten elements is strongest, and just above the threshold.

    python benchmarks/element_sheets.py PHOTOS --out SHEETS

PHOTOS is a folder of photos, or a built data set, of which the test photos are looked at. Each tile shows the evidence,
its strength and its words. `nothing.png` holds photos in which none of the ten was seen. Prints how often each element
is seen, as Markdown. Analyses are kept in `--cache`.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

from benchmarks.element_scores import share
from crop_reasoning.composition.analysis import VERSION, Analysis, Evidence
from crop_reasoning.composition.batch import analyse_all
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.composition.overlay import overlay
from crop_reasoning.composition.subject import detectors
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.files import written_whole
from crop_reasoning.images import load_upright
from crop_reasoning.log import say
from crop_reasoning.reasoning.rationale import Element
from crop_reasoning.records import RECORDS, read_records
from data_builders.show import TILE, contact_sheet
from data_builders.sources import photos_in

SHOWN = 12
_CAPTION_LETTERS = 46


Seen = tuple[Path, Evidence]
"""An element and the photo in which it was seen."""


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--out", type=Path, required=True, metavar="SHEETS", help="folder for the sheets")
    parser.add_argument("--cache", type=Path, default=Path("data/cache"), help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    options = parser.parse_args()
    try:
        photos = photos_of(options.folder)
        batch = analyse_all(photos, options.workers, options.cache)
        for path, reason in batch.unreadable.items():
            say(f"left out: {path}: {reason}")
        if not batch.analyses:
            raise DataError(f"{options.folder}: holds no readable photo")
        print(frequencies(batch.analyses, len(batch.unreadable)))
        write_sheets(batch.analyses, options.out)
    except CropReasoningError as problem:
        say(f"element_sheets: {problem}")
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        say("element_sheets: stopped by hand; what was analysed is kept, run it again")
        sys.exit(130)


def photos_of(folder: Path) -> list[Path]:
    """The test photos of a built data set, or all photos of another folder."""
    if (folder / RECORDS).is_file():
        return list(dict.fromkeys(folder / record.image.path for record in read_records(folder, "test")))
    return photos_in(folder)


def frequencies(analyses: Mapping[Path, Analysis], unreadable: int) -> str:
    """In how many photos each element is seen, how many are seen in one photo, and in how many none is."""
    n = len(analyses)
    counts = [len(analysis.elements) for analysis in analyses.values()]
    rows = {
        name: sum(name in {each.name for each in analysis.elements} for analysis in analyses.values())
        for name in ELEMENTS
    }
    rows["nothing"] = counts.count(0)
    at_work = f"detectors: {VERSION}, {detectors()}"
    lines = [f"{n} photos ({unreadable} unreadable), {np.mean(counts):.2f} elements each; {at_work}.", ""]
    lines += ["| element | photos | share, with 95 % interval (Wilson) |", "|---|---|---|"]
    for name, count in rows.items():
        of = share(count, n)
        lines.append(f"| {name} | {count} | {of['value']:.3f} [{of['low']:.3f}, {of['high']:.3f}] |" if of else "")
    return "\n".join(lines)


def write_sheets(analyses: Mapping[Path, Analysis], out: Path) -> None:
    """Two sheets an element, `SHOWN` photos each: the strongest, and of the others those nearest to the threshold."""
    for name in ELEMENTS:
        seen: list[Seen] = [
            (photo, each) for photo, analysis in analyses.items() for each in analysis.elements if each.name == name
        ]
        seen.sort(key=lambda one: (-one[1].strength, one[0].name))
        weakest = seen[SHOWN:][::-1][:SHOWN]
        for kind, chosen in (("strongest", seen[:SHOWN]), ("threshold", weakest)):
            if chosen:
                title = f"{name}: {len(chosen)} of {len(seen)} photos in which it is seen, {kind} first"
                tiles = (drawn(*one) for one in chosen)
                captions = [_caption(*one) for one in chosen]
                _save(contact_sheet(tiles, captions, title), out / f"{name.replace(' ', '_')}_{kind}.png")
    empty = [photo for photo, analysis in analyses.items() if not analysis.elements]
    if empty:
        chosen_empty = empty[:: max(1, len(empty) // (2 * SHOWN))][: 2 * SHOWN]
        captions = [_strengths(photo, analyses[photo]) for photo in chosen_empty]
        title = f"nothing seen: {len(chosen_empty)} of {len(empty)} photos"
        _save(contact_sheet((drawn(photo) for photo in chosen_empty), captions, title), out / "nothing.png")


def drawn(photo: Path, evidence: Evidence | None = None) -> Image.Image:
    """The photo within a tile, with the geometry of one piece of evidence."""
    image = load_upright(photo)
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return overlay(image, elements=strokes(evidence) if evidence else ())


def strokes(evidence: Evidence) -> list[Element]:
    """The evidence's geometry in the shapes that the overlay draws; the pieces are nameless, the caption names them."""
    corners = (*evidence.polygon, evidence.polygon[0]) if evidence.polygon else evidence.path or ()
    drawn_lines = [(*start, *end) for start, end in pairwise(corners)]
    drawn_lines += evidence.leading or ([evidence.line] if evidence.line else [])
    points = [point for point in (evidence.point, evidence.vanishing) if point and 0 <= min(point) <= max(point) <= 1]
    return [
        *(Element("", "", line=line) for line in drawn_lines),
        *(Element("", "", point=point) for point in points),
        *([Element("", "", box=evidence.box)] if evidence.box else []),
    ]


def _caption(photo: Path, evidence: Evidence) -> str:
    words = textwrap.wrap(evidence.words, _CAPTION_LETTERS)
    return "\n".join([f"{photo.stem[:28]} · {evidence.strength:.2f}", *words])


def _strengths(photo: Path, analysis: Analysis) -> str:
    nearest = sorted(analysis.strengths.items(), key=lambda pair: -pair[1])[:2]
    return "\n".join([photo.stem[:28], ", ".join(f"{name} {strength:.2f}" for name, strength in nearest)])


def _save(sheet: Image.Image, path: Path) -> None:
    with written_whole(path) as file:
        sheet.save(file, "PNG")


if __name__ == "__main__":
    main()
