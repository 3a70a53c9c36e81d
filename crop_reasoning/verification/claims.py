"""Text to claims: what a sentence of a rationale says that can be measured, and what it says that nobody understood.

A text is cut into sentences, a sentence into clauses, a clause into claims by the rules of `claim_rules`. It fails
closed: measurable vocabulary that no rule accounts for makes the clause a claim of kind `not_understood`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from re import Match

from crop_reasoning.verification.claim_rules import ROWS, TARGET
from crop_reasoning.verification.lexicon import tokens
from crop_reasoning.verification.places import place_of

NOT_UNDERSTOOD = "not_understood"
_LONGEST = 600  # characters of a sentence: nobody argues in longer ones, and patterns take time
_SENTENCES = re.compile(r"(?:(?<!\d)[.]|[.](?!\d)|[!?;\n\r\u2028\u2029])+")


def _set(row: str) -> frozenset[str]:
    return frozenset(row.split())


_NOUNS = _set("SUBJECT HORIZON AXIS VANISHING FACE PERSON PATTERN SYMMETRY CURVE TRIANGLE VERTICAL DIAGONAL CONVERGE")
_PLACED = _set("HORIZON AXIS VANISHING SUBJECT")
_SPOTS = _set("ABOVE BELOW ON IN LEFT RIGHT TOP BOTTOM MIDDLE NEARLY OFFCENTER")
_HARMLESS = _set(
    "AND OF ON IN TO IT BE HAVE PUT STAND FRAME CROP SELF LINE THING BETWEEN BOTH EACH MOTIF NEARLY LEADING VERY HERE "
    "PHOTO BROAD & , @"
)
_COLOR_ALONE = _set(
    "NOT NO NEVER WITHOUT AVOID MODAL MORE MOST LESS LEAST ALL EVERY ONLY WHOLE PART SEVERAL COMPARED LARGE SMALL AS "
    "OFF BUT LAST GONE LACK OTHER TWICE LEAN FROM WEAK BEST BETTER EDGE STRAIGHT TALL LOW"
)
"""Words that change what is said beside them: color where nothing measurable is said."""
_VERB = "(?:BE|STAND|PUT|HAVE|KEEP|CUT|LOSE|REMOVE|OCCUPY|LACK|NOT|NEVER|BALANCE|TILT|MIDDLE SUBJECT)"
_NAMED = r"ORD\d(?:(?: ,|) AND ORD\d)*"
_TOPIC = re.compile(
    rf"^(?:(?:AND|so|because|since|that|where|when|BUT|AS) )*"
    rf"(?P<who>ONLY (?:SELF|IT)|(?:ONLY )?(?:{_NAMED}|NOOTHER|OTHERS|EVERYCROP|PHOTO|SELF)"
    rf"|(?:IT|SELF) BE ONLY (?:1|CROP)(?: that| TO)?)"
    rf"(?= (?:(?:that|which|TO|BOTH|EACH|ALL) )*(?:MODAL )?{_VERB}\b)"
)
_CLAUSES = re.compile(
    rf" , (?:(?:AND|BUT) )?| BUT | (?=AND (?:{_NAMED}|OTHERS|NOOTHER|PHOTO|SELF) (?:MODAL )?{_VERB})|^BUT "
)
_FRAGMENT = re.compile(
    r"\b((?:LEFT|RIGHT)(?: THIRD)?(?: LINE)?|MIDDLE) , ((?:TOP|BOTTOM)(?: THIRD)?(?: LINE)?|MIDDLE)(?= ,|$)"
)
_ALONE = re.compile(r"^(?:which|that|AS) NOOTHER(?: (?:[a-z]+|BE|HAVE|KEEP))*$")
_OWN = re.compile(r"\b(?:KEEP|CUT|LOSE|REMOVE)\b")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something measurable that a sentence says: its kind, what it needs to be checked, whether it is affirmed, and
    whether it is hedged ("almost"). `topic` is the frame spoken of ("ORD2", "OTHERS", "PHOTO", "" for the text's own),
    `than` those it is compared with, `unlike` those of which the opposite is said. `words` is the sentence."""

    kind: str
    args: dict[str, str] = field(default_factory=dict, hash=False)
    positive: bool = True
    hedged: bool = False
    than: str = ""
    topic: str = ""
    unlike: str = ""
    words: str = ""


@lru_cache(maxsize=4096)
def claims(text: str) -> tuple[Claim, ...]:
    """Every claim of a text, in order; clauses with measurable words that no rule understands are `not_understood`."""
    sentences = (sentence.strip() for sentence in _SENTENCES.split(text))
    return tuple(claim for sentence in sentences if sentence for claim in _sentence(sentence))


def _sentence(sentence: str) -> list[Claim]:
    if len(sentence) > _LONGEST:
        return [Claim(NOT_UNDERSTOOD, {"left": "a sentence this long"}, words=sentence[:_LONGEST])]
    row = _FRAGMENT.sub(r"\1 & \2", tokens(sentence))
    row = re.sub(r"(ORD\d) ,(?: AND)? (?=ORD\d(?: ,| AND|$))", r"\1 AND ", row)
    row = re.sub(r"^OTHERS , ", "", row)
    against = unlike = ""
    compared = re.match(rf"(?P<how>COMPARED|AVOID) (?:TO |HAVE |AS )?(?P<than>{TARGET})(?: ,)? ", row)
    if compared:
        against, row = compared["than"], row[compared.end() :]
        unlike = against if compared["how"] == "AVOID" else ""
    ending = re.search(rf"(?: ,)? AVOID (?:IN |TO )?(?P<than>{TARGET})$", row)
    if ending:
        unlike, row = ending["than"], row[: ending.start()]
    found: list[Claim] = []
    topic, rest = "", unlike
    for clause in filter(None, (part.strip() for part in _CLAUSES.split(_resolved(row)))):
        if _ALONE.match(clause) and found:
            found = [replace(each, unlike="OTHERS") for each in found]
            continue
        named = _TOPIC.match(clause)
        if named:
            who = named["who"]
            topic = "" if "SELF" in who or "IT" in who.split() else who.removeprefix("ONLY ")
            rest = "OTHERS" if "ONLY" in who else ""
            clause = clause[named.end() :].strip()
        if "HERE" in clause.split():  # "the subject is larger here", after words about another crop
            clause, against, topic = clause.replace("HERE", "").strip(), against or topic, ""
        found += [
            replace(each, topic=each.topic or topic, unlike=rest, words=sentence)
            for each in _clause(clause, against or ("SELF" if topic else ""))
        ]
    return found


def _resolved(row: str) -> str:
    """The row with "it" as the noun it stands for, and with that noun where a clause leaves it out."""
    words, noun, out = row.split(), "", []
    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else ""
        start = index == 0 or words[index - 1] in (",", "BUT")
        if word in _NOUNS:
            noun = word
        if word == "IT" and noun and (not start or after == "STAND"):
            word = noun
        elif word == "AND" and noun and after in ("BE", "STAND", "NOT"):
            word = f", {noun}"
        elif word == "AND" and after in ("KEEP", "CUT", "LOSE", "REMOVE", "PUT", "HAVE"):
            word = ","
        elif word == "NEITHER" and noun and after in ("BE", "CUT"):
            word = f"NEITHER {noun}"
        elif start and index and noun in _PLACED and word in _SPOTS:
            word = f"{noun} {word}"
        out.append(word)
    return " ".join(out)


def _clause(clause: str, against: str) -> list[Claim]:
    found: list[Claim] = []
    row = clause
    for kind, pattern, fixed in ROWS:
        for _ in range(len(clause)):
            match = pattern.search(row)
            claim = _read(kind, fixed, match, against) if match else None
            if match is None or claim is None:
                break
            if kind:
                found.append(claim)
            row = f"{row[: match.start()]} {fixed.get('leave', '@')} {row[match.end() :]}"
            row = " ".join(row.split())
    if any(
        "subject" in each.kind and each.kind != "subject" for each in found
    ):  # that there is one goes without saying
        found = [each for each in found if each.kind != "subject"]
    left = [word for word in row.split() if not word.islower() and word not in _HARMLESS]
    bare = not any(word.islower() for word in row.split())  # "almost, but not, on the left": no clause of its own
    strange = [word for word in left if found or bare or word not in _COLOR_ALONE]
    if strange and (found or any(not word.isdigit() for word in strange)):
        return [Claim(NOT_UNDERSTOOD, {"left": " ".join(strange)})]
    if "PHOTO" in row.split() and not _OWN.search(clause):  # "the lines of the photo": no longer the crop's
        return [replace(each, topic="PHOTO") for each in found]
    return found


def _read(kind: str, fixed: dict[str, str], match: Match[str], against: str) -> Claim | None:
    """A match as a claim; None where its words name no place, or compare with nothing."""
    groups = [(name.rpartition("_")[0], value.strip()) for name, value in match.groupdict().items() if value]
    denials = sum(name == "no" for name, _ in groups)
    args = {name: value for name, value in groups if name != "no"}
    than = args.pop("than", "") or ("" if kind.startswith("most ") else against)
    if kind.startswith(("more ", "same ")) and not than:
        return None
    if "run" in args:
        args["run"] = re.sub(r"(?:OF|IN) (?:FRAME|CROP|SELF|IT)$", "", args["run"]).strip()
        if place_of(args["run"]) is None:
            return None
    return Claim(kind, fixed | args, positive=denials % 2 == 0, hedged="NEARLY" in match.group(), than=than)
