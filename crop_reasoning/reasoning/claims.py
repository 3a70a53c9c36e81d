"""Text to claims: what a sentence of a rationale says that can be measured, and what it says that nobody understood.

A text is cut into sentences, a sentence into clauses, a clause into claims by the rules of `claim_kinds`. It fails
closed: whatever measurable vocabulary no rule accounts for makes the clause a claim of kind `not_understood`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from crop_reasoning.reasoning.claim_kinds import RULES, TARGET, Claim
from crop_reasoning.reasoning.lexicon import tokens

_SENTENCES = re.compile(r"(?:(?<!\d)[.]|[.](?!\d)|[!?;\n])+")
_HARMLESS = frozenset(
    "AND OF ON IN TO IT BE HAVE PUT STAND FRAME CROP SELF LINE POINT EDGE THING OCCUPY AS BETWEEN STRAIGHT AREA POINT "
    "FROM VERTICALLY HORIZONTALLY BOTH EACH MOTIF BEST BETTER NEARLY LEADING LEVEL VERY".split()
)
_HARMLESS_ALONE = frozenset(
    "NOT NO NEVER WITHOUT AVOID MODAL MORE MOST LESS LEAST ALL EVERY ONLY WHOLE PART SEVERAL COMPARED LARGE SMALL "
    "TALL BROAD HEAVY OFF BUT LAST GONE LACK ROOMY WIDE TIGHT STRONGER WEAKER FURTHER OTHER TWICE".split()
)
"""Words that change what is said beside them: without any claim beside them they are free color."""
_VERB = r"(?:BE|STAND|PUT|HAVE|KEEP|CUT|LOSE|REMOVE|OCCUPY|LACK|NOT|NEVER|BALANCE|TILT|LOSE|CUT)"
_TOPIC = re.compile(
    rf"^(?:(?:AND|so|because|since|that|where|when|BUT|as) )*"
    rf"(?P<who>(?:ONLY )?(?P<which>ORD\S*(?:(?: ,|) (?:AND )?ORD\d)*|NOOTHER|OTHERS|PHOTO|SELF|IT BE ONLY (?:1|CROP)|SELF BE ONLY (?:1|CROP)))"
    rf"(?= (?:(?:that|which|TO|BOTH|EACH|ALL) )*(?:MODAL )?{_VERB}\b)"
)
_CUTS = re.compile(rf" , (?:AND )?| BUT | (?=AND (?:ORD\d|OTHERS|NOOTHER|PHOTO|SELF) {_VERB})|^BUT ")
_FRAGMENT = re.compile(
    r"\b((?:LEFT|RIGHT)(?: THIRD)?(?: LINE)?|MIDDLE) , ((?:TOP|BOTTOM)(?: THIRD)?(?: LINE)?|MIDDLE)(?= ,|$)"
)


@lru_cache(maxsize=4096)
def claims(text: str) -> tuple[Claim, ...]:
    """Every claim of a text, in order; clauses with measurable words that no rule understands are `not_understood`."""
    return tuple(
        claim for sentence in _SENTENCES.split(text) if sentence.strip() for claim in _sentence(sentence.strip())
    )


def _sentence(sentence: str) -> list[Claim]:
    row = _FRAGMENT.sub(r"\1 & \2", tokens(sentence))
    row = re.sub(r"(ORD\d) ,(?: AND)? (?=ORD\d(?: ,| AND|$))", r"\1 AND ", row)
    against = ""
    compared = re.match(rf"(?:COMPARED (?:TO |HAVE |AS )?|AVOID )(?P<than>{TARGET})(?: ,)? ", row)
    if compared:
        against, row = compared["than"], row[compared.end() :]
    found: list[Claim] = []
    topic, only = "", False
    for clause in filter(None, (part.strip() for part in _CUTS.split(row))):
        named = _TOPIC.match(clause)
        if named:
            topic, only = named["which"], "ONLY" in named["who"]
            if topic.startswith(("IT ", "SELF")):
                topic = ""
            clause = clause[named.end() :].strip()
        found += [replace(each, topic=topic, only=only, words=sentence) for each in _clause(clause, against)]
    return found


def _clause(clause: str, against: str) -> list[Claim]:
    found: list[Claim] = []
    row = clause
    for rule in RULES:
        while match := rule.pattern.search(row):
            claim = rule.read(match, against)
            if claim is None:
                break
            if claim.kind:
                found.append(claim)
            row = f"{row[: match.start()]} @ {row[match.end() :]}".replace("  ", " ").strip()
    left = [word for word in row.split() if word.isupper() or word[:3] == "ORD" or word[:8] == "FRACTION"]
    strange = [word for word in left if word not in _HARMLESS and (found or word not in _HARMLESS_ALONE)]
    numbers = [word for word in row.split() if word.isdigit() and (found or left)]
    return [Claim("not_understood", args={"left": " ".join(strange + numbers)})] if strange or numbers else found
