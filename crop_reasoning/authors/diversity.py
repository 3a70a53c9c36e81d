"""How varied the words of answers are. Nothing here knows who wrote them.

Texts are the evidence of elements, the reasons of proposals and the reason of the decision.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.reasoning.rationale import Rationale

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+")
_MASKED = re.compile(
    r"\b(?:\d+|first|second|third|fourth|fifth|sixth|zero|one|two|three|four|five|six|seven|eight|nine|ten|half|quarter"
    r"|(?:third|quarter|fifth|tenth)s?|left|right|upper|lower|top|bottom|middle|" + "|".join(ELEMENTS) + r")\b"
)


def texts(rationale: Rationale) -> list[str]:
    """Every text of an answer, in the order in which it is written."""
    return [
        *(element.evidence for element in rationale.elements),
        *(proposal.reason for proposal in rationale.proposals),
        rationale.decision.why,
    ]


def template(text: str) -> str:
    """A text with numbers, ordinals, sides and names of elements masked: what is left when the facts are taken out.

    >>> template("Tighter than the second and third, subject on the left third")
    'tighter than the _ and _, subject on the _ _'
    """
    return _MASKED.sub("_", text.lower())


def diversity(rationales: Iterable[Rationale]) -> dict[str, float]:
    """Figures of many answers; empty for none.

    `distinct-n` is the share of different ones among all runs of n words within a text; `words` are those of a whole
    answer. `top template` is the share of texts with the most frequent template, `top why` the same among the reasons
    of decisions alone. `names <element>` is the share of answers whose analysis names it.
    """
    runs: dict[int, Counter[tuple[str, ...]]] = {1: Counter(), 2: Counter(), 3: Counter()}
    templates, whys, named, lengths = Counter[str](), Counter[str](), Counter[str](), []
    for rationale in rationales:
        said = texts(rationale)
        words = [_WORD.findall(text.lower()) for text in said]
        lengths.append(sum(map(len, words)))
        for n, counter in runs.items():
            counter.update(run for each in words for run in zip(*(each[start:] for start in range(n)), strict=False))
        templates.update(map(template, said))
        whys.update([template(rationale.decision.why)])
        named.update({element.name for element in rationale.elements})
    if not lengths:
        return {}
    low, high = np.quantile(lengths, (0.05, 0.95))
    figures = {
        "answers": float(len(lengths)),
        **{f"distinct-{n}": len(counter) / max(counter.total(), 1) for n, counter in runs.items()},
        "words mean": float(np.mean(lengths)),
        "words sd": float(np.std(lengths)),
        "words 5 %": float(low),
        "words 95 %": float(high),
        "top template": max(templates.values()) / templates.total(),
        "top why": max(whys.values()) / len(lengths),
        **{f"names {name}": named[name] / len(lengths) for name in ELEMENTS},
    }
    return {name: round(value, 4) for name, value in figures.items()}
