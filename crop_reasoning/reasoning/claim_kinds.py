"""The claim language: rows of tokens that mean something measurable, one rule a form, from the special to the plain.

A rule that matches accounts for the tokens it covers; what no rule accounts for is not understood (`claims`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from re import Match

from crop_reasoning.reasoning.places import place_of

TARGET = r"(?:(?:ORD\d(?:(?: ,| AND| OR)+ ORD\d)*)|OTHERS|PHOTO)"
ELEMENT_OF = {
    "HORIZON": "horizontal",
    "VERTICAL": "vertical",
    "DIAGONAL": "diagonal",
    "CONVERGE": "diagonal",
    "VANISHING": "diagonal",
    "CURVE": "curved",
    "TRIANGLE": "triangle",
    "SYMMETRY": "symmetric",
    "AXIS": "symmetric",
    "PATTERN": "pattern",
    "RULEOFTHIRDS": "rule of thirds",
    "GOLDEN": "golden ratio",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something measurable that a sentence says: its kind, what it needs to be checked, whether it is affirmed, and
    whether it is hedged ("almost"). `topic` is the frame spoken of ("ORD2", "OTHERS", "PHOTO", "" for the text's own),
    `than` those it is compared with; `only` adds that it is true of no other proposal."""

    kind: str
    args: dict[str, str] = field(default_factory=dict, hash=False)
    positive: bool = True
    hedged: bool = False
    than: str = ""
    topic: str = ""
    only: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of tokens and what it claims: `read` gives None where the row means something else after all."""

    pattern: re.Pattern[str]
    read: Callable[[Match[str], str], Claim | None]


def _rule(kind: str, pattern: str, **fixed: str) -> Rule:
    return Rule(re.compile(rf"(?<!\S)(?:{_expanded(pattern)})(?!\S)"), partial(_plain, kind, fixed))


_MACROS = {
    "~": r"(?:(?:BE|STAND|PUT|HAVE|KEEP|NEARLY|BOTH|STRAIGHT) )*",  # verbs that link
    "NO?": r"(?:(?P<no>NOT|NO|NEVER|WITHOUT|LACK(?: OF)?|NEITHER|LOSE|AVOID) (?:OF )?)?",
    "ANY": r"(?:[a-z]+ ){0,3}",
    "ELEMENT": "|".join(ELEMENT_OF),
    "TARGET": TARGET,
    "SIDE": "LEFT|RIGHT|TOP|BOTTOM|ABOVE|BELOW",
    "RUN": r"(?:(?:ON|IN|TO|OF|AND|BETWEEN|BOTH|NEARLY) )*(?:LEFT|RIGHT|TOP|BOTTOM|ABOVE|BELOW|THIRD|GOLDEN|MIDDLE|POINT)"
    r"(?: (?:LEFT|RIGHT|TOP|BOTTOM|ABOVE|BELOW|THIRD|GOLDEN|MIDDLE|POINT|LINE|HALF|SIDE|CORNER|HORIZONTALLY|VERTICALLY"
    r"|RULEOFTHIRDS|&|(?:OF|AND|ON|IN|BETWEEN|BOTH|NEARLY)(?= (?:LEFT|RIGHT|TOP|BOTTOM|ABOVE|BELOW|THIRD|GOLDEN|MIDDLE|POINT|VERTICALLY|HORIZONTALLY|BOTH|ON))))*"
    r"(?: (?:OF|IN) (?:FRAME|CROP|SELF|IT))?",
    "NUMBER": r"(?P<number>[\d.]+ PERCENT|FRACTION[\d.]+)",
    "BOUND": r"(?:(?P<bound>MORE THAN|LESS THAN|ABOVE|BELOW|AS LEAST|AS MOST|ON LEAST|ON MOST|UP TO) )?",
}


def _expanded(pattern: str) -> str:
    for name, macro in _MACROS.items():
        pattern = pattern.replace(f"<{name}>", macro)
    return pattern


def _plain(kind: str, fixed: dict[str, str], match: Match[str], against: str) -> Claim | None:
    groups = {name: value for name, value in match.groupdict().items() if value is not None}
    no = sum(name.startswith("no") for name in groups)
    than = groups.get("than", "")
    if kind.startswith("more ") and not than:
        than = against
        if not than:
            return None
    if "run" in groups:
        run = re.sub(r"(?:OF|IN) (?:FRAME|CROP|SELF|IT)$", "", groups["run"]).strip()
        if place_of(run) is None:
            return None
        groups["run"] = run
    hedged = "NEARLY" in match.group()
    return Claim(kind, {**fixed, **groups}, positive=no % 2 == 0, hedged=hedged, than=than)


_COMPARED = r"(?: THAN (?:IN |ON |OF )?(?P<than><TARGET>))?"
RULES: tuple[Rule, ...] = (
    _rule("keep", r"KEEPWORDS"),
    # compared with other frames
    _rule("more subject size", rf"<~>SUBJECT <~>(?P<no>NOT |NO )?(?P<more>LARGER|SMALLER)(?: IN FRAME)?{_COMPARED}"),
    _rule("more subject size", rf"<~>(?P<more>LARGER|SMALLER) SUBJECT{_COMPARED}"),
    _rule("more subject kept", rf"KEEP (?P<more>MORE|LESS) (?:OF )?SUBJECT{_COMPARED}"),
    _rule("more subject lost", rf"(?:LOSE|CUT|REMOVE) (?P<more>MORE|LESS) (?:OF )?SUBJECT{_COMPARED}"),
    _rule("more area", rf"(?:KEEP|HAVE) (?P<more>MORE|LESS) (?:OF )?(?:PHOTO|FRAME|scene){_COMPARED}"),
    _rule("more cuts", rf"CUT (?P<more>MORE|LESS)(?: THING| FACE)*(?: (?:ON|by) EDGE)?{_COMPARED}"),
    _rule("more empty", rf"<~>(?P<more>EMPTIER|(?:MORE|LESS) SPACE){_COMPARED}"),
    _rule("more balanced", rf"<~>(?P<more>BETTER|MORE|LESS|WORSE) BALANCE{_COMPARED}"),
    _rule("more element", rf"<~>(?P<more>STRONGER|WEAKER) (?P<element><ELEMENT>){_COMPARED}"),
    _rule("more element", rf"<~>(?P<element><ELEMENT>) <~>(?P<more>STRONGER|WEAKER){_COMPARED}"),
    _rule("more area", rf"(?P<no>NOT |NO )?(?P<more>TIGHTER|WIDER|LARGER|SMALLER)(?: CROP| FRAME)?{_COMPARED}"),
    _rule("most area", r"(?P<most>TIGHTEST|WIDEST|SMALLEST|LARGEST)(?: CROP| FRAME)?(?: OTHERS)?"),
    _rule("most subject kept", r"KEEP (?P<most>MOST|LEAST) (?:OF )?SUBJECT(?: OTHERS)?"),
    _rule("most area", r"KEEP (?P<most>MOST|LEAST) (?:OF )?(?:PHOTO|FRAME|scene)(?: OTHERS)?"),
    _rule("most cuts", r"CUT (?P<most>MOST|LEAST)(?: THING)?(?: OTHERS)?"),
    _rule("most empty", r"<~>(?P<most>EMPTIEST|(?:MOST|LEAST) SPACE)(?: OTHERS)?"),
    _rule("most balanced", r"<~>(?P<most>BEST|MOST) BALANCE(?: OTHERS)?"),
    _rule("most element", r"<~>(?P<most>STRONGEST|WEAKEST) (?P<element><ELEMENT>)(?: OTHERS)?"),
    # the frame's own shape and size
    _rule(
        "aspect",
        r"<~>(?P<no>NOT )?<~>(?P<shape>ASPECTWIDE|ASPECTTALL|ASPECTSQUARE|ASPECTSAME)(?: ASPECT)?(?: (?:AS|OF) PHOTO)?",
    ),
    _rule("aspect", r"(?:<~>ASPECT (?:OF |BE )*)?RATIO(?P<ratio>\d+:\d+)(?: ASPECT)?"),
    _rule(
        "share",
        r"(?P<what>KEEP|HAVE) <BOUND>(?:NEARLY )?<BOUND2><NUMBER> OF (?P<of>PHOTO|FRAME|AREA|SUBJECT|scene)".replace(
            "<BOUND2>", ""
        ),
    ),
    _rule(
        "share",
        r"(?P<what>REMOVE|LOSE|CUT) (?:OFF |AVOID )?<BOUND>(?:NEARLY )?<NUMBER> OF (?P<of>PHOTO|FRAME|AREA|SUBJECT|scene)",
    ),
    _rule(
        "share",
        r"<BOUND>(?:NEARLY )?<NUMBER> OF (?P<of>PHOTO|SUBJECT) (?:BE )?(?P<what>KEEP|REMOVE|LOSE|CUT|IN CROP|IN FRAME|GONE)",
    ),
    _rule("share", r"<BOUND>(?:NEARLY )?<NUMBER> OF (?P<of>PHOTO)", what="KEEP"),
    _rule("empty share", r"<BOUND>(?:NEARLY )?<NUMBER> (?:OF (?:FRAME|CROP|IT) )?(?:BE )?SPACE"),
    _rule("whole frame", r"^PHOTO$|KEEP (?:ALL OF |WHOLE )PHOTO"),
    _rule(
        "size",
        r"^<~>(?P<size>(?:VERY )?(?:TIGHT|WIDE|MEDIUM))(?: CROP| FRAME)?$|(?P<size2>(?:VERY )?(?:TIGHT|WIDE|MEDIUM)) (?:CROP|FRAME)",
    ),
    _rule("position", r"^(?P<run>(?:TOP|BOTTOM)?(?: ?(?:LEFT|RIGHT))?|MIDDLE)$"),
    _rule("position", r"<~>(?:CROP |SELF |IT )?<~>(?P<run><RUN>) (?:HALF |PART |AREA )?(?:OF|IN) PHOTO"),
    # faces and subjects
    _rule(
        "cut faces",
        r"(?:(?P<no>NOT|NEVER|WITHOUT) )?CUT (?:through |INTO |IN |OFF )?(?P<count>NO |\d |SEVERAL |BOTH |EVERY )?(?:OF )?FACE",
    ),
    _rule("cut faces", r"(?P<count>NO |NEITHER |\d |SEVERAL |BOTH )?FACE <~>(?P<no>NOT )?<~>CUT(?: (?:by|ON) EDGE)?"),
    _rule(
        "cut nothing",
        r"(?:CROP |FRAME |EDGE )*(?:<~>)(?:CUT NO(?: THING)?|NO (?:THING )?<~>CUT|(?:NOT|WITHOUT) CUT EVERY(?: ?THING)?)(?: (?:ON|by) EDGE)?",
    ),
    _rule("subject cut", r"(?:(?P<no>NOT|NEVER|WITHOUT) )?CUT (?:through |INTO |IN |OFF |PART OF )*(?:SUBJECT|IT)"),
    _rule("subject cut", r"SUBJECT <~>(?P<no>NOT )?<~>CUT(?: (?:by|ON) EDGE)?"),
    _rule(
        "subject whole",
        r"(?P<no>NOT )?KEEP (?:(?:WHOLE|ALL OF) (?:SUBJECT|IT)|(?:SUBJECT|IT) <~>(?:WHOLE|IN FRAME|IN view))(?: IN FRAME| IN view)?",
    ),
    _rule(
        "subject whole", r"SUBJECT <~>(?P<no>NOT )?<~>(?:WHOLE|KEEP|IN FRAME|IN view)(?: (?:WHOLE|IN FRAME|IN view))*"
    ),
    _rule("subject whole", r"(?P<no>NOT )?<~>WHOLE SUBJECT(?: <~>(?:IN FRAME|IN view))?"),
    _rule("subject kept", r"(?P<no>NOT )?KEEP (?:SUBJECT|IT)"),
    _rule(
        "subject lost",
        r"(?P<no>NOT |WITHOUT )?(?:LOSE|REMOVE) (?:SUBJECT|IT)(?: OFF)?|SUBJECT <~>(?P<no2>NOT )?<~>(?:LOSE|REMOVE|GONE)",
    ),
    _rule(
        "no subject",
        r"there BE NO(?: [a-z]+){0,2} SUBJECT(?: that STAND out)?|NO(?: [a-z]+){0,2} (?:SUBJECT|THING)? ?STAND out|NO (?:[a-z]+ )?SUBJECT",
    ),
    _rule("faces", r"(?P<count>NO|WITHOUT|\d|SEVERAL|BOTH) (?:[a-z]+ )?(?:FACE|PERSON)"),
    _rule("faces", r"FACE", count="SEVERAL"),
    # the horizon
    _rule(
        "tilt",
        r"HORIZON <~>(?P<no>NOT )?TILT(?: (?:by|NEARLY|down))*(?: (?P<degrees>[\d.]+) DEGREE)?(?: (?:down|TO|BOTTOM|ON))*(?: (?P<side>LEFT|RIGHT))?",
    ),
    _rule("level", r"<~>HORIZON <~>(?P<no>NOT )?<~>(?:LEVEL|STRAIGHT)(?: AND NOT TILT)?|(?P<no2>NOT )?LEVEL HORIZON"),
    _rule("horizon place", r"(?:PUT )?HORIZON <~>(?P<no>NOT )?<~>(?P<run><RUN>)"),
    _rule(
        "line share",
        r"(?P<element>HORIZON|VERTICAL|DIAGONAL)(?: OF (?P<degrees>\d+) DEGREE)? <~>(?:ABOVE |across |NEARLY )*<NUMBER> OF (?:WIDTH|HEIGHT|DIAGONAL)",
    ),
    _rule(
        "line share",
        r"(?P<element>HORIZON) <~>(?:[a-z]+ )?<~>FULLWIDTH(?: OF (?:PHOTO|FRAME|CROP))?",
        number="FRACTION1",
    ),
    _rule(
        "line share",
        r"(?P<element>VERTICAL) <~>(?:[a-z]+ )?<~>FULLHEIGHT(?: OF (?:PHOTO|FRAME|CROP))?",
        number="FRACTION1",
    ),
    # mirrored sides and meeting lines
    _rule("element", r"(?:2 |BOTH )(?:SIDE|HALF) <~>(?P<no>NOT )?<~>(?P<element>SYMMETRY)"),
    _rule("axis", r"LEFT AND RIGHT (?:(?:HALF|SIDE) )?<~>(?P<no>NOT )?SYMMETRY(?: images)?(?: OTHERS)?", way="upright"),
    _rule("axis", r"TOP AND BOTTOM (?:(?:HALF|SIDE) )?<~>(?P<no>NOT )?SYMMETRY(?: images)?(?: OTHERS)?", way="level"),
    _rule("lines meet", r"(?P<count>\d) CONVERGE"),
    # space, weight
    _rule("space side", r"<~>SPACE <~>(?P<run><RUN>)(?: OF (?:SUBJECT|IT))?"),
    _rule("space around", r"<~>SPACE (?:NEARLY (?:SUBJECT|IT)|ON (?:EVERY|ALL|BOTH) SIDE)"),
    _rule("space", r"<NO?>(?P<amount>little |much |ample |plenty OF )?SPACE"),
    _rule("balance", r"(?:WEIGHT <~>)?(?P<no>NOT )?(?:BALANCE|(?P<no2>UNBALANCED))|WEIGHT <~>[a-z]+ NEARLY MIDDLE"),
    _rule("weight", r"(?:WEIGHT|HEAVY) <~>(?P<no>NOT )?<~>(?P<run><RUN>)"),
    # the subject's place
    _rule("place", r"(?:SUBJECT |IT )?<~>(?P<no>NOT |NO longer |NEVER )?<~>(?:SUBJECT |IT |<ANY>)?(?P<run><RUN>)"),
    _rule("place", r"(?P<run>MIDDLE) SUBJECT"),
    _rule("off center", r"(?P<no>OFFCENTER)", run="MIDDLE"),
    # elements
    _rule("element", r"(?P<element><ELEMENT>) (?:BE )?(?P<no>LOSE|GONE|CUT)"),
    _rule(
        "element",
        r"(?:(?P<no>NOT|NO|WITHOUT|LACK(?: OF)?|LOSE|NEITHER) (?:OF )?(?:[a-z]+ ){0,2})?(?P<element><ELEMENT>)",
    ),
    _rule("subject", r"SUBJECT"),
    # what is kept or cut is named in words that cannot be measured
    _rule("", r"(?:KEEP|CUT|LOSE|REMOVE|CUT OFF) (?:OFF |[a-z]+ )*[a-z]+"),
    _rule("", r"(?:by )?(?:KEEP|CUT|REMOVE)$"),
)
