"""Words to checkable wishes: a ratio, tighter, looser, wider, a direction, keep everything.

Only what a program can check is read here; everything else that people say is for the model alone. A wish that is
negated ("not tighter") or that speaks of something else ("keep everything else") is not read as one.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from crop_reasoning.errors import RecipeError

Aspect = tuple[int, int]

MAX_WORDS = 4000
"""Characters one turn may hold."""
_PUNCTUATION = tuple(".,;!?")
_SIDE = r"\d{1,4}(?:\.\d{1,2})?"
_RATIO = re.compile(rf"({_SIDE}) ?[:x×] ?({_SIDE})")
_TOKEN = re.compile(rf"{_SIDE} ?[:x×] ?{_SIDE}(?![\d:])|[\w']+|[.,;!?]")
_SCALES = {"tighter": "tighter", "closer": "tighter", "looser": "looser", "wider": "wider"}
_PHRASES: dict[tuple[str, ...], str] = {
    **dict.fromkeys([("zoom", "in"), ("come", "in"), ("go", "in"), ("push", "in")], "tighter"),
    **dict.fromkeys([("too", "loose"), ("too", "wide"), ("too", "much", "around")], "tighter"),
    **dict.fromkeys([("zoom", "out"), ("step", "back"), ("pull", "back"), ("back", "off"), ("too", "tight")], "looser"),
}
_WHOLE = re.compile(r"(?:use|keep|show|take|back to) (?:the )?(?:whole|full|entire) (?:photo|frame|picture|image)")
_ONE_SIDE = {"side", "left", "right", "top", "bottom", "edge", "above", "below"}
_DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_MOVES = ("move", "shift", "pan", "bring", "further")
_BETWEEN = {"it", "the", "crop", "frame", "box", "a", "bit", "little", "slightly", "more", "further", "to", "and"}
_SHAPED = ("it", "crop", "photo", "picture", "image", "frame")
_OF_SHAPE = ("crop", "format", "ratio", "aspect")
_NOT = {"not", "no", "never", "without", "don't", "doesn't", "isn't", "less", "dont"}
_PLAIN = {
    *("crop", "cropped", "make", "can", "could", "you", "please", "now", "for", "me", "to", "in", "as", "at", "with"),
    *("this", "that", "it", "the", "a", "an", "my", "photo", "photograph", "picture", "image"),
    *("ratio", "aspect", "format", *_PUNCTUATION),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a turn asks for explicitly. `scale` is `tighter`, `looser`, `wider` or None; `move` is a step in x and y."""

    aspect: Aspect | None = None
    free_aspect: bool = False
    scale: str | None = None
    move: tuple[int, int] = (0, 0)
    keep: bool = False

    @property
    def relative(self) -> bool:
        """Whether the wish compares with the crop before."""
        return self.scale is not None or self.move != (0, 0)


def parse_aspect(text: str) -> Aspect:
    """A ratio written as `width:height` (or with x), in whole numbers; `RecipeError` for anything else.

    >>> parse_aspect("4:5"), parse_aspect("1.91:1")
    ((4, 5), (191, 100))
    """
    found = _RATIO.fullmatch(text.strip().lower())
    sides = [Fraction(side) for side in found.groups()] if found else []
    if not sides or not all(sides):
        raise RecipeError(f"aspect {text.strip()!r}: expected width:height, both above 0 and below 10000, such as 4:5")
    if all(side.denominator == 1 for side in sides):
        return (int(sides[0]), int(sides[1]))
    return (sides[0] / sides[1]).as_integer_ratio()


def read_wishes(words: str) -> Wishes:
    """The checkable wishes in a turn's words. The last ratio counts; opposite wishes of size cancel each other.

    >>> read_wishes("a bit tighter, and move it left. 4:5 please")
    Wishes(aspect=(4, 5), free_aspect=False, scale='tighter', move=(-1, 0), keep=False)
    >>> read_wishes("not tighter; keep everything else")
    Wishes(aspect=None, free_aspect=False, scale=None, move=(0, 0), keep=False)
    >>> read_wishes("make it square").aspect, read_wishes("show the whole square").aspect
    ((1, 1), None)
    """
    tokens = _TOKEN.findall(words.lower().replace("’", "'"))
    aspect, free, keep, scales, move = None, False, False, set(), (0, 0)
    for index, token in enumerate(tokens):
        if _negated(tokens, index):
            continue
        after = tokens[index + 1] if index + 1 < len(tokens) else "."
        if _RATIO.fullmatch(token):
            aspect, free = parse_aspect(token), False
        elif token == "square" and _asks_for_square(tokens[index - 1] if index else ".", after):
            aspect, free = (1, 1), False
        elif scale := _SCALES.get(token) or _phrase(tokens, index):
            scales.add(scale)
        elif token in _MOVES:
            move = _direction(tokens[index + 1 :])
        elif token == "keep" and after == "everything":
            keep = index + 2 == len(tokens) or tokens[index + 2] in (*_PUNCTUATION, "please")
        elif whole := _WHOLE.match(" ".join(tokens[index:])):
            rest = tokens[index + len(whole[0].split()) :]
            keep = not rest or rest[0] in (*_PUNCTUATION, "please")
        elif token in ("free", "any") and after in ("ratio", "aspect", "format"):
            aspect, free = None, True
    return Wishes(aspect, free, scales.pop() if len(scales) == 1 else None, move, keep)


def aspect_after(turns: Iterable[str], start: Aspect | None = None) -> Aspect | None:
    """The ratio in force after these turns: the last one named, until "any ratio" or "keep everything" lifts it.

    >>> aspect_after(["4:5", "tighter"])
    (4, 5)
    """
    aspect = start
    for words in turns:
        wishes = read_wishes(words)
        if wishes.aspect or wishes.free_aspect or wishes.keep:
            aspect = wishes.aspect
    return aspect


def adds_something(words: str) -> bool:
    """Whether words hold more than a plain request to crop, with or without a ratio.

    >>> adds_something("Crop this photo to 4:5, please."), adds_something("leave room on the left")
    (False, True)
    """

    def drop(token: re.Match[str]) -> str:
        return "" if token[0] in _PLAIN or _RATIO.fullmatch(token[0]) else token[0]

    rest = _TOKEN.sub(drop, words.lower())
    return any(not character.isspace() and character not in string.punctuation for character in rest)


def _phrase(tokens: list[str], index: int) -> str | None:
    """The wish of size that several words make together; a side that is too tight wants room there, not a size."""
    if _ONE_SIDE & set(tokens[max(0, index - 3) : index]):
        return None
    spoken = (scale for words, scale in _PHRASES.items() if tuple(tokens[index : index + len(words)]) == words)
    return next(spoken, None)


def _negated(tokens: list[str], index: int) -> bool:
    for token in reversed(tokens[max(0, index - 3) : index]):
        if token in _PUNCTUATION:
            return False
        if token in _NOT:
            return True
    return False


def _asks_for_square(before: str, after: str) -> bool:
    """Whether "square" between two tokens is a ratio, as in "make it square"; a town may have one, too."""
    ends = after in (*_PUNCTUATION, "and", "please") and before in (*_SHAPED, *_PUNCTUATION, "and")
    return ends or after in _OF_SHAPE


def _direction(tokens: list[str]) -> tuple[int, int]:
    x = y = 0
    for token in tokens:
        if token in _DIRECTIONS:
            dx, dy = _DIRECTIONS[token]
            x, y = x or dx, y or dy
        elif token not in _BETWEEN:
            break
    return (x, y)
