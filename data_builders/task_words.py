"""What people say for each intent: the users' words of dialogues.

Some of it `serving.wishes` reads as well, the rest only a model can understand. Each phrase comes with how much it asks
for: 1 is a plain request, 0.5 a bit, 2 a lot.
"""

from __future__ import annotations

import numpy as np

Rng = np.random.Generator
Said = tuple[str, float]

WORDS: dict[str, tuple[Said, ...]] = {
    "tighter": (
        *(("tighter", 1.0), ("tighter please", 1.0), ("make it tighter", 1.0), ("go closer", 1.0)),
        *(("crop closer to the subject", 1.0), ("come in more", 1.0), ("there is too much around it", 1.0)),
        *(("a bit tighter", 0.5), ("slightly tighter, please", 0.5), ("a little closer", 0.5), ("much tighter", 2.0)),
    ),
    "looser": (
        *(("looser", 1.0), ("a looser crop please", 1.0), ("make it looser", 1.0), ("show more of the photo", 1.0)),
        *(("give it more air", 1.0), ("step back", 1.0), ("that is too tight", 1.0)),
        *(("a bit looser", 0.5), ("slightly looser, please", 0.5), ("much looser", 2.0)),
    ),
    "wider": (
        *(("wider", 1.0), ("wider please", 1.0), ("make it wider", 1.0), ("a wider crop", 1.0)),
        *(("show more on both sides", 1.0), ("a bit wider", 0.5), ("much wider", 2.0)),
    ),
    "room above": (
        *(("more sky", 1.0), ("more sky please", 1.0), ("more room above", 1.0), ("more headroom", 1.0)),
        *(("leave more space at the top", 1.0), ("show more of what is above", 1.0), ("a bit more sky", 0.5)),
        ("a lot more sky", 2.0),
    ),
    "room below": (
        *(("more foreground", 1.0), ("more foreground please", 1.0), ("more room below", 1.0), ("more ground", 1.0)),
        *(("leave more space at the bottom", 1.0), ("show more of what is below", 1.0), ("a bit more foreground", 0.5)),
    ),
    "room left": (
        *(("more room on the left", 1.0), ("leave more space on the left", 1.0)),
        *(("show more of the left side", 1.0), ("more air on the left please", 1.0)),
        *(("the left side is too tight", 1.0), ("a bit more on the left", 0.5)),
    ),
    "room right": (
        *(
            ("more room on the right", 1.0),
            ("leave more space on the right", 1.0),
            ("show more of the right side", 1.0),
        ),
        *(
            ("more air on the right please", 1.0),
            ("the right side is too tight", 1.0),
            ("a bit more on the right", 0.5),
        ),
    ),
    **{
        f"move {way}": (
            *((f"move it {way}", 1.0), (f"move {way}", 1.0), (f"shift it to the {way}", 1.0)),
            *((f"move the crop {way}, please", 1.0), (f"further {way}", 1.0), (f"pan {way}", 1.0)),
            *((f"move it a bit to the {way}", 0.5), (f"shift the frame slightly {way}", 0.5)),
        )
        for way in ("left", "right")
    },
    **{
        f"move {way}": (
            *((f"move it {way}", 1.0), (f"move {way}", 1.0), (f"shift it {way}", 1.0)),
            *((f"move the crop {way}, please", 1.0), (f"further {way}", 1.0), (f"bring it {way}", 1.0)),
            *((f"move it a bit {way}", 0.5), (f"shift the frame slightly {way}", 0.5)),
        )
        for way in ("up", "down")
    },
    "include": (
        *(("include the subject", 1.0), ("include all of the subject", 1.0), ("do not cut the subject", 1.0)),
        *(("get the subject in whole", 1.0), ("the subject is cut off", 1.0), ("show the whole subject", 1.0)),
    ),
    "everything": (
        *(("keep everything", 1.0), ("keep everything please", 1.0), ("use the whole photo", 1.0)),
        *(("leave it uncropped", 1.0), ("back to the full frame", 1.0), ("no crop at all", 1.0)),
    ),
}
"""Intent to phrases; a ratio's are made by `ratio_words`."""
_RATIO: tuple[Said, ...] = (
    *(("{0}:{1}", 1.0), ("{0}:{1} please", 1.0), ("make it {0}:{1}", 1.0), ("crop it to {0}:{1}", 1.0)),
    *(("as {0}:{1}", 1.0), ("{0}x{1} please", 1.0), ("I need it in {0}:{1}", 1.0)),
)
_SQUARE: tuple[Said, ...] = (("make it square", 1.0), ("square please", 1.0), ("a square crop", 1.0), ("square", 1.0))


def say(intents: tuple[str, ...], aspect: tuple[int, int] | None, rng: Rng) -> tuple[str, tuple[float, ...]]:
    """Words for one or more intents, and how much each of them asks for. `aspect` is the ratio that is named."""
    parts = [ratio_words(aspect, rng) if name == "ratio" and aspect else _drawn(WORDS[name], rng) for name in intents]
    joint = (" and ", ", ")[rng.integers(2)]
    return joint.join(words for words, _ in parts), tuple(much for _, much in parts)


def ratio_words(aspect: tuple[int, int], rng: Rng) -> Said:
    """Words for a ratio; a square is named as one half of the time."""
    if aspect == (1, 1) and rng.random() < 0.5:
        return _drawn(_SQUARE, rng)
    words, much = _drawn(_RATIO, rng)
    return (words.format(*aspect), much)


def _drawn(phrases: tuple[Said, ...], rng: Rng) -> Said:
    return phrases[rng.integers(len(phrases))]
