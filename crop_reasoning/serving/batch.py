"""Many photos, one after the other: what fails is named with its reason, and the rest is done all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.log import say
from crop_reasoning.serving.answer import CropAnswer, CropRequest, answer
from crop_reasoning.serving.render import SUFFIX, check_output, write_crop
from crop_reasoning.serving.wishes import Aspect

ANALYSIS_SUFFIX = ".analysis.png"
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")
_OURS = (SUFFIX, ANALYSIS_SUFFIX)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photo: an answer and the file written, or the reason why there is none.

    `lost` names the metadata that could not be kept.
    """

    photo: Path
    output: Path
    answer: CropAnswer | None = None
    lost: tuple[str, ...] = ()
    problem: str = ""


def find_photos(paths: Sequence[Path]) -> list[Path]:
    """The photos that paths name: files as given, folders as the photos in them (by name, without our own pictures).

    `DataError` for a folder that holds no photo.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        files = [file for file in sorted(path.iterdir()) if file.is_file()]
        inside = [f for f in files if f.suffix.lower() in PHOTO_SUFFIXES and not f.name.endswith(_OURS)]
        if len(inside) < len(files):
            say(f"{path}: {len(files) - len(inside)} of {len(files)} files are our pictures or no photos, left alone")
        if not inside:
            raise DataError(f"{path}: holds no photo; looked for {', '.join(PHOTO_SUFFIXES)}, not in folders inside it")
        found += inside
    return found


def output_for(photo: Path, out: Path | None) -> Path:
    """Where a photo's crop goes: beside it, or in the folder `out`.

    >>> output_for(Path("trip/a.png"), None).as_posix()
    'trip/a.crop.jpg'
    """
    return (out or photo.parent) / f"{photo.stem}{SUFFIX}"


class Outputs:
    """The files that one command writes: none of them a photo it reads, no two of them the same."""

    def __init__(self, photos: Sequence[Path]) -> None:
        self._originals = {photo.resolve() for photo in photos}
        self._claimed: dict[Path, Path] = {}

    def claim(self, photo: Path, output: Path, *, force: bool) -> None:
        """Reserve `output` for `photo`; `DataError` if it must not be written, or not without `force`."""
        target = output.resolve()
        if target in self._originals:
            raise DataError(f"{output}: is one of the photos themselves; choose another place with --out")
        if target in self._claimed:
            raise DataError(f"{output}: {self._claimed[target]} writes the same file; use separate --out folders")
        self._claimed[target] = photo
        check_output(photo, output, force=force)


def crop_photos(
    engine: Engine, photos: Sequence[Path], aspect: Aspect | None, out: Path | None, *, force: bool = False
) -> Iterator[Outcome]:
    """Crop each photo and write its file; an outcome a photo, in their order. Nothing is raised for a single photo."""
    taken = Outputs(photos)
    for photo in photos:
        output = output_for(photo, out)
        try:
            taken.claim(photo, output, force=force)  # before the model's time is spent
            made = answer(engine, photo, CropRequest(aspect=aspect, id=str(photo)))
            lost = write_crop(photo, made.box_px, output, force=force)
            yield Outcome(photo, output, made, lost)
        except CropReasoningError as problem:
            yield Outcome(photo, output, problem=str(problem))
