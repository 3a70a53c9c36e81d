"""A conversation about one photo in a terminal or through a pipe: a line a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from crop_reasoning.engines.base import Engine
from crop_reasoning.errors import CropReasoningError, DataError
from crop_reasoning.serving.answer import CropAnswer, CropRequest, Turn, prepare, stream
from crop_reasoning.serving.batch import output_for
from crop_reasoning.serving.present import printable, summary
from crop_reasoning.serving.render import write_crop
from crop_reasoning.serving.wishes import Aspect

HELP = "say what to change (tighter, looser, 4:5, move left, keep everything ...), /save [FILE.jpg], /quit"


def converse(
    engine: Engine, photo: Path, aspect: Aspect | None, lines: Iterable[str], show: Callable[[str, str], None]
) -> int:
    """Crop `photo`, then follow `lines` until they end or say /quit; how many lines could not be followed.

    `show(text, style)` prints; style is `reasoning` (pieces, as they come), `crop` or `problem`. A line that fails
    changes nothing. `DataError` if the photo itself cannot be used.
    """
    answered = _ask(engine, photo, CropRequest(aspect=aspect), show)
    history = [Turn("", answered.shown)]
    failed = 0
    for line in lines:
        words = line.strip()
        if words == "/quit":
            break
        try:
            if words.startswith("/"):
                show(_save(photo, words, answered), "crop")
            elif words:
                request = CropRequest(words=words, aspect=aspect, history=tuple(history))
                answered = _ask(engine, photo, request, show)
                history.append(Turn(words, answered.shown))
        except CropReasoningError as problem:
            failed += 1
            show(str(problem), "problem")
    return failed


def _ask(engine: Engine, photo: Path, request: CropRequest, show: Callable[[str, str], None]) -> CropAnswer:
    for event in stream(prepare(engine, photo, request)):
        if isinstance(event, CropAnswer):
            show(printable(summary(event)), "crop")
            return event
        show(printable(event), "reasoning")
    raise AssertionError("a stream ends with its answer")


def _save(photo: Path, words: str, answered: CropAnswer) -> str:
    command, _, name = words.partition(" ")
    if command != "/save":
        raise DataError(f"{command}: no such command; {HELP}")
    out = Path(name.strip()) if name.strip() else output_for(photo, None)
    if out.suffix.lower() not in (".jpg", ".jpeg"):
        raise DataError(f"{out}: crops are saved as JPEG; expected a name that ends in .jpg")
    if out.exists() and not (photo.exists() and out.samefile(photo)):
        raise DataError(f"{out}: exists already; remove it, or name another file: /save FILE.jpg")
    lost = write_crop(photo, answered.box_px, out)
    return f"saved {out}" + "".join(f"; left out: {part}" for part in lost)
