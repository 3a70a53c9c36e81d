"""Photos analysed for people: a picture of the measured composition as a file, and the analysis in words.

What a photo fails on is named with its reason, and the rest is done all the same, as in `batch`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crop_reasoning.composition.analysis import Analysis
from crop_reasoning.composition.batch import analyse_each
from crop_reasoning.composition.placement import line_word
from crop_reasoning.composition.render import render
from crop_reasoning.composition.svg import data_uri, render_svg
from crop_reasoning.errors import CropReasoningError, RecipeError
from crop_reasoning.files import written_whole
from crop_reasoning.images import PHOTO_ENDINGS, load_upright
from crop_reasoning.serving.batch import ANALYSIS_SUFFIX, Outputs

LONGEST = 1600
"""px: a picture is a photo scaled down to this side, if it is larger, and a legend."""
_SVG_SUFFIX = ".analysis.svg"


@dataclass(frozen=True, slots=True)
class Analysed:
    """What became of one photo: its analysis and the picture's file, or the reason why there is none."""

    photo: Path
    picture: Path
    analysis: Analysis | None = None
    problem: str = ""


def picture_for(photo: Path, out: Path | None, svg: bool = False) -> Path:
    """Where a photo's picture goes: beside it, into the folder `out`, or to `out` itself if that is a picture's name.

    >>> picture_for(Path("trip/a.jpg"), None).as_posix(), picture_for(Path("trip/a.jpg"), Path("b.svg")).as_posix()
    ('trip/a.analysis.png', 'b.svg')
    """
    if out and _is_file_name(out):
        return out
    return (out or photo.parent) / f"{photo.stem}{_SVG_SUFFIX if svg else ANALYSIS_SUFFIX}"


def check_out(out: Path | None, photos: int, svg: bool) -> None:
    """`RecipeError` if the pictures of so many photos cannot go to `out`."""
    if out is None or out.is_dir() or out.suffix.lower() not in (*PHOTO_ENDINGS, ".svg"):
        return
    if not _is_file_name(out) or (svg and out.suffix.lower() == ".png"):
        expected = ".svg" if svg else ".png or .svg"
        raise RecipeError(f"--out {out}: expected a folder, or a file that ends in {expected}; name another one")
    if photos != 1:
        raise RecipeError(f"--out {out}: one file for {photos} photos; name a folder")


def analyse_photos(photos: Sequence[Path], out: Path | None, *, svg: bool, force: bool) -> Iterator[Analysed]:
    """Analyse each photo and write its picture; nothing is raised for a single photo. Those whose picture must not be
    written come first."""
    taken = Outputs(photos)
    free = []
    for photo in photos:
        try:
            taken.claim(photo, picture_for(photo, out, svg), force=force)
            free.append(photo)
        except CropReasoningError as problem:
            yield Analysed(photo, picture_for(photo, out, svg), problem=str(problem))
    for photo, analysis, _ in analyse_each(free):
        picture = picture_for(photo, out, svg)
        if isinstance(analysis, str):
            yield Analysed(photo, picture, problem=analysis)
            continue
        try:
            _write(photo, analysis, picture)
            yield Analysed(photo, picture, analysis)
        except CropReasoningError as problem:
            yield Analysed(photo, picture, problem=str(problem))


def _write(photo: Path, analysis: Analysis, picture: Path) -> None:
    image = load_upright(photo)
    image.thumbnail((LONGEST, LONGEST))
    with written_whole(picture) as file:
        if picture.suffix.lower() == ".svg":
            file.write(render_svg(image.size, analysis, data_uri(image)).encode())
        else:
            render(image, analysis).save(file, "PNG")


def in_words(analysis: Analysis) -> list[str]:
    """An analysis as lines for people."""
    width = max((len(each.name) for each in analysis.elements), default=0)
    elements = [f"  {each.name:<{width}}  {each.strength:.2f}  {each.words}" for each in analysis.elements]
    balance, (x, y) = analysis.balance, analysis.balance.centroid
    return [
        f"Size: {analysis.wh[0]} x {analysis.wh[1]} px",
        f"Subject: {_subject(analysis)}",
        *(["Elements, with their strength (0 to 1):", *elements] if elements else ["Elements: none stands out"]),
        f"Balance: {_percent(balance.left)} of the weight left, {_percent(balance.right)} right, "
        f"{_percent(balance.top)} in the upper half; its center at {_percent(x)} across, {_percent(y)} down",
        f"Empty space: {_percent(analysis.negative_space)} of the frame",
        f"Tilt: {_tilt(analysis.tilt)}",
    ]


def _subject(analysis: Analysis) -> str:
    faces = sum(found.kind == "face" for found in analysis.subjects)
    counted = f"; {faces} face{'s' if faces > 1 else ''}" if faces else ""
    box = analysis.subject
    if box is None:
        return f"none stands out{counted}"
    column, row = line_word(box.center[0], "left", "right"), line_word(box.center[1], "upper", "lower")
    x1, y1, x2, y2 = (round(100 * edge) for edge in box.xyxy)
    return (
        f"x {x1} to {x2} %, y {y1} to {y2} %, {_percent(box.area)} of the frame; its center: {column}, {row}{counted}"
    )


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def _tilt(tilt: float | None) -> str:
    if tilt is None:
        return "no level line to tell it by"
    if abs(tilt) < 0.5:
        return "level within half a degree"
    return f"the level line falls {abs(tilt):.1f} degrees to the {'right' if tilt > 0 else 'left'}"


def _is_file_name(out: Path) -> bool:
    return out.suffix.lower() in (".png", ".svg") and not out.is_dir()
