"""The claim language: rows of tokens that mean something measurable, from the special to the plain.

A row of the table is `kind :: pattern :: what is fixed`; a backslash carries it on. Patterns are regular expressions
over tokens, with the macros below. A pattern accounts for the tokens it covers; `leave=TOKEN` puts one back for the
rules that follow. Without a kind the words are color: what is kept or cut away is often a thing that nobody measured.
"""

from __future__ import annotations

import re
from itertools import count

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
    "LEVELAXIS": "symmetric",
    "UPRIGHTAXIS": "symmetric",
    "PATTERN": "pattern",
    "RULEOFTHIRDS": "rule of thirds",
    "GOLDEN": "golden ratio",
}
TARGET = r"(?:ORD\d(?:(?: ,| AND| OR)+ ORD\d)*|OTHERS|PHOTO|SELF)"
_SIDES = "LEFT|RIGHT|TOP|BOTTOM|ABOVE|BELOW"
_SPOTS = f"{_SIDES}|THIRD|GOLDEN|MIDDLE|POINT|RULEOFTHIRDS"
_PREPOSITIONS = "ON|IN|TO|OF|AND|BETWEEN|BOTH|NEARLY|TOWARD"
_MORE_SPOTS = (
    rf"(?: (?:{_SPOTS}|LINE|HALF|SIDE|CORNER|HORIZONTALLY|VERTICALLY|&"
    rf"|(?:{_PREPOSITIONS})(?= (?:{_SPOTS}|SIDE|VERTICALLY|HORIZONTALLY|BOTH|ON|OF))))*"
)

MACROS = {
    "~": r"(?:(?:BE|STAND|PUT|HAVE|KEEP|NEARLY|BOTH|STRAIGHT|that) )*",  # verbs that link
    "no": r"(?:(?P<no>NOT|NEVER|WITHOUT) )?",
    "not": r"(?:(?P<no>NOT|NO longer|NEVER) )?",
    "object": r"(?:(?:PUT|KEEP|HAVE|STAND) (?:[a-z]+ ){1,3})",
    "element": rf"(?P<element>{'|'.join(ELEMENT_OF)})",
    "than": rf"(?: THAN (?:IN |ON |OF |WITH )?(?P<than>{TARGET}))?",
    "as": rf"AS (?:IN |ON )?(?P<than>{TARGET})",
    "run": rf"(?P<run>(?:(?:{_PREPOSITIONS}) )*(?:{_SPOTS}){_MORE_SPOTS}(?: (?:OF|IN) (?:FRAME|CROP|SELF|IT))?)",
    "onto": rf"(?P<run>(?:(?:{_PREPOSITIONS}) )+(?:{_SPOTS}){_MORE_SPOTS}(?: (?:OF|IN) (?:FRAME|CROP|SELF|IT))?)",
    "sides": rf"(?P<sides>(?:(?:{_PREPOSITIONS}) )*(?:{_SIDES})"
    rf"(?: (?:{_SIDES}|SIDE|EDGE|HALF|AND|TO|ON|OF|,)(?! THIRD))*)",
    "number": r"(?P<number>[\d.]+ PERCENT|FRACTION[\d.]+)",
    "bound": r"(?:(?P<bound>MORE THAN|LESS THAN|ABOVE|BELOW|AS LEAST|AS MOST|ON LEAST|ON MOST|UP TO) )?(?:NEARLY )?",
    "whole": r"(?:PHOTO|FRAME|AREA|scene)",
    "all": r"(?: (?:IN|OF))?(?: OTHERS)?",
    "count": r"(?P<count>NO |NEITHER |\d+ |SEVERAL |BOTH |EVERY )?",
}

_TABLE = r"""
keep :: <no>(?:BE )?KEEPWORDS
# compared with other frames
more subject size :: <~>(?:SUBJECT|FACE|PERSON)(?: [a-z]+){0,2} <~><not>(?P<more>LARGER|SMALLER)(?: IN FRAME)?<than>
more subject size :: <~>(?P<more>LARGER|SMALLER) (?:SUBJECT|FACE)(?: IN FRAME)?<than>
same subject size :: SUBJECT <~>same size <as>|same SUBJECT size <as>|SUBJECT <~>AS (?:LARGE|SMALL) <as>
same area :: <~>same size(?: <as>)?|<~>AS (?:LARGE|SMALL|TIGHT|WIDE) <as>
more subject kept :: <no>KEEP (?P<more>MORE|LESS) (?:OF )?SUBJECT<than>
more subject kept :: SUBJECT <~><not>(?:BE )?KEEP :: leave=SUBJECT
subject lost :: <no>(?:LOSE|CUT|REMOVE) (?:OFF )?(?P<more>MORE|LESS) (?:OF )?SUBJECT<than>
more area :: <no>(?:KEEP|HAVE) (?P<more>MORE|LESS) (?:OF )?<whole><than>
more cuts :: <no>CUT (?P<more>MORE|LESS)(?: THING| FACE)*(?: (?:ON|by) EDGE)?<than>
more empty :: <~><not>(?P<more>EMPTIER|(?:MORE|LESS) (?:SPACE|EMPTY))<than>
more balanced :: <~><not>(?P<more>BETTER|MORE|LESS|WORSE) BALANCE<than>
more element :: <~><not>(?P<more>STRONGER|WEAKER|MORE|LESS) (?:[a-z]+ )?<element><than>
more element :: <~><element> <~><not>(?P<more>STRONGER|WEAKER)<than>
more area :: <~><not>(?P<more>TIGHTER|WIDER|LARGER|SMALLER)(?: CROP| FRAME)?<than>
tighter than the photo :: <~><not>TIGHTER (?:CROP|FRAME)|CROP TIGHTER|CROP IN
most subject size :: SUBJECT(?: [a-z]+){0,2} <~><not>(?:ON )?(?P<most>SMALLEST|LARGEST)<all>
most area :: <~><not>(?P<most>TIGHTEST|WIDEST|SMALLEST|LARGEST)(?: CROP| FRAME)?<all>
most subject kept :: <no>KEEP (?P<most>MOST|LEAST) (?:OF )?SUBJECT<all>
most area :: <no>(?:KEEP|HAVE) (?P<most>MOST|LEAST) (?:OF )?<whole><all>
most area :: <no>(?:KEEP|HAVE) (?P<most>MOST|LEAST)(?= (?:OF )?(?:PATTERN|SYMMETRY|HORIZON|CURVE|VERTICAL))
most cuts :: <no>CUT (?P<most>MOST|LEAST)(?: THING)?<all>
most empty :: <~><not>(?P<most>EMPTIEST|(?:MOST|LEAST) (?:SPACE|EMPTY))<all>
most balanced :: <~><not>(?P<most>BEST|MOST|LEAST|WORSE) BALANCE<all>
most element :: <~><not>(?P<most>STRONGEST|WEAKEST) <element><all>
# the frame's shape, size and place
panorama :: <~><not>PANORAMA(?: (?:CROP|FRAME|ASPECT))?
aspect :: <~><not>(?P<shape>ASPECTWIDE|ASPECTTALL|ASPECTSQUARE|ASPECTSAME)(?: ASPECT)?(?: (?:AS|OF) PHOTO)?
aspect :: <~><not>(?:ASPECT (?:OF |BE )*)?RATIO(?P<ratio>\d+:\d+)(?: ASPECT)?
share :: <no>(?P<what>KEEP|HAVE) (?:little )?<bound><number> OF (?P<of>PHOTO|FRAME|AREA|SUBJECT|scene)
share :: <no>(?P<what>REMOVE|LOSE|CUT) (?:OFF |AVOID )?<bound><number> OF (?P<of>PHOTO|FRAME|AREA|SUBJECT|scene)
share :: <bound><number> OF (?P<of>PHOTO|SUBJECT) (?:BE )?<not>(?P<what>KEEP|REMOVE|LOSE|CUT|IN FRAME|GONE)
share :: <bound><number> OF (?P<of>PHOTO) :: what=KEEP
share :: MOST OF (?P<of>PHOTO|SUBJECT)(?: [a-z]+)?$ :: what=KEEP :: bound=MORE THAN :: number=FRACTION0.5
subject share :: SUBJECT <~>OCCUPY <bound><number>(?: OF (?:FRAME|CROP|IT|AREA))?
subject share :: (?:(?:SUBJECT|FACE|IT) )?<~><not>OCCUPY (?:PHOTO|FRAME|CROP\
    |MOST OF FRAME) :: bound=MORE THAN :: number=FRACTION0.5
element :: <noelement><element>(?: OF [a-z ]+)? OCCUPY (?:FRAME|CROP|PHOTO|WHOLE|IT|PATTERN)
empty share :: <bound><number> (?:OF (?:FRAME|CROP|IT) )?(?:BE |BE LEFT )?(?:SPACE|EMPTY)
whole frame :: ^PHOTO$|KEEP (?:ALL OF |WHOLE )PHOTO|KEEP ALL$
size :: ^<~><not>(?P<size>(?:VERY )?(?:TIGHT|WIDE|MEDIUM))(?: CROP| FRAME)?$
size :: <not>(?P<size>(?:VERY )?(?:TIGHT|WIDE|MEDIUM)) (?:CROP|FRAME)
position :: ^(?P<run>(?:TOP|BOTTOM)(?: (?:LEFT|RIGHT))?|LEFT|RIGHT|MIDDLE)$
position :: <no>(?:(?:CROP|SELF|IT|OCCUPY|KEEP|HAVE|FROM|STAND|BE) )*<run> (?:PART |AREA |EDGE )?(?:OF|IN) PHOTO
# what a border cuts; who is in the frame
cut faces :: <no>CUT (?:through |INTO |IN |OFF )?<count>(?:OF )?FACE
cut faces :: <count>FACE <~><not><~>CUT(?: OFF)?(?: (?:by|ON) EDGE)?
cut nothing :: (?:CROP |FRAME |EDGE )*<~>(?:CUT NO(?: THING)?|NO (?:THING )?<~>CUT|WITHOUT CUT EVERY(?: ?THING)?)\
    (?: (?:ON|by) EDGE)?
cut nothing :: NOT CUT EVERY(?: ?THING)?
subject cut :: <no>CUT (?:through |INTO |IN |OFF |PART OF |EDGE OF )*(?:SUBJECT|IT)<atside>
subject cut :: (?:SUBJECT|IT) <~><not><~>CUT(?: IN FRACTION0.5)?(?:<atside>| (?:by|ON) (?:EDGE|HALF|FRAME))
subject whole :: <no>KEEP (?:WHOLE|ALL OF) (?:SUBJECT|IT)(?: <~>(?:IN FRAME|IN view|WHOLE))* :: leave=SUBJECT
subject whole :: <no>KEEP (?:SUBJECT|IT) <~>(?:WHOLE|IN FRAME|IN view)+(?: IN FRAME| IN view)? :: leave=SUBJECT
subject whole :: (?:SUBJECT|IT) <~><not><~>(?:WHOLE|KEEP WHOLE|IN FRAME|IN view)(?: (?:WHOLE|IN FRAME\
    |IN view))* :: leave=SUBJECT
subject whole :: <no><~>(?:WHOLE|ALL OF) SUBJECT(?: <~><not>(?:IN FRAME|IN view|KEEP))? :: leave=SUBJECT
subject kept :: <no>KEEP (?:SUBJECT|IT) :: leave=SUBJECT
subject lost :: <no>(?:LOSE|REMOVE) (?:SUBJECT|IT)(?: OFF)?|WITHOUT SUBJECT
subject lost :: SUBJECT(?: [a-z]+)? <~><not><~>(?:LOSE|REMOVE|GONE)
several subjects :: (?P<count>\d+|SEVERAL) (?:[a-z]+ )?(?:SUBJECT|THING <~>STAND out)
no subject :: (?:there BE )?(?:NO|WITHOUT|LACK(?: OF)?)(?: [a-z]+){0,2} (?:SUBJECT|THING)(?: <~>STAND out)?\
    |NO STAND out
faces :: (?:KEEP |HAVE )*(?P<count>NO|WITHOUT|\d+|SEVERAL|BOTH) (?:[a-z]+ )?(?:FACE|PERSON)(?: <~><not><~>\
    (?:WHOLE|IN FRAME|IN view))*
faces :: <no>(?:KEEP )?(?:FACE|PERSON) :: count=SEVERAL
subject large :: SUBJECT <not>(?:dominates?|commands?)(?: FRAME| CROP)? :: large=LARGE
subject large :: (?:HAVE )?(?:SUBJECT|IT) <~><not>(?:VERY )?(?P<large>SMALL|LARGE)(?: IN FRAME)?|(?:VERY )?\
    (?P<large>SMALL|LARGE) (?:SUBJECT|IN FRAME)
# level lines
tilt :: HORIZON <~><not>TILT<tilted>
tilt :: <no>TILT HORIZON :: leave=HORIZON
level :: <no>(?:LEVEL|STRAIGHT) HORIZON :: leave=HORIZON
level :: HORIZON <~><not><~>(?:LEVEL|STRAIGHT)(?! [a-z]*(?: HORIZON)?(?:across|through)) :: leave=HORIZON
horizon place :: HORIZON <~>(?:FRAME )?(?:OFFCENTER AND )?<not><~><run>
horizon place :: HORIZON <~><not>(?:bisects?|halves|splits?|HALF) (?:FRAME|PHOTO|CROP) :: run=MIDDLE
horizon off center :: HORIZON <~><not>(?P<off>OFFCENTER)
line share :: (?P<element>HORIZON|VERTICAL|DIAGONAL)(?: OF (?P<degrees>\d+) DEGREE)? <~>\
    (?:ABOVE |across |NEARLY )*<number> OF (?:WIDTH|HEIGHT|DIAGONAL)
line share :: (?:KEEP )?(?P<element>HORIZON) <~>(?:[a-z]+ )?<~>FULLWIDTH(?: OF (?:PHOTO|FRAME\
    |CROP))? :: number=FRACTION1
line share :: (?:KEEP )?(?P<element>VERTICAL) <~>(?:[a-z]+ )?<~>FULLHEIGHT(?: OF (?:PHOTO|FRAME\
    |CROP))? :: number=FRACTION1
# mirrored sides, meeting lines
axis :: <noelement>LEVELAXIS :: way=level :: leave=AXIS
axis :: <noelement>UPRIGHTAXIS :: way=upright :: leave=AXIS
axis :: LEFT AND RIGHT (?:(?:HALF|SIDE) )?<~><not>SYMMETRY :: way=upright
axis :: TOP AND BOTTOM (?:(?:HALF|SIDE) )?<~><not>SYMMETRY :: way=level
element :: <no>(?:KEEP )?(?:2 |BOTH )?(?:SIDE|HALF) (?:OF )?<~><not><element>
axis :: ON LEFT <~><not>SYMMETRY ON RIGHT|ON RIGHT <~><not>SYMMETRY ON LEFT :: way=upright
axis place :: AXIS <~><not>(?:down |through )?<run>
vanishing place :: (?:CONVERGE (?:LINE )?)?(?:VANISHING|CONVERGE) <~><not><run>
lines meet :: (?P<count>\d+|SEVERAL) CONVERGE
# room, emptiness, weight
trim :: (?:REMOVE|CUT|LOSE) (?:OFF |AVOID )*(?:[a-z]+ )*(?P<empty>(?:EMPTY|SPACE) )?(?:[a-z]+ )*<sides>
trim :: (?:REMOVE|CUT|LOSE) (?:OFF |AVOID )*(?:[a-z]+ )*(?P<empty>EMPTY|SPACE)(?: [a-z]+)*
 :: HAVE (?:MORE|LESS) SPACE TO [a-z]+
space equal :: (?:equal|even|same) SPACE <~>(?:ON |TO |OF )*(?:BOTH SIDE|either SIDE|LEFT AND RIGHT)\
    (?: OF (?:SUBJECT|IT))? :: way=across
space equal :: (?:equal|even|same) SPACE <~>(?:ABOVE AND BELOW|TOP AND BOTTOM)(?: (?:SUBJECT|IT))? :: way=down
space around :: (?:[a-z]+ )?<~>SPACE (?:NEARLY (?:SUBJECT|IT)|ON (?:EVERY|ALL|BOTH) SIDE|ON BOTH)\
    (?: OF (?:SUBJECT|IT))?
space side :: (?P<of>SUBJECT) <~><nospace>SPACE <~><sides>
space side :: <nospace><~>SPACE <~><sides>(?: (?:OF )?(?P<of>SUBJECT|IT))?
space :: <nospace>(?:LARGE )?SPACE
balance :: (?:WEIGHT <~>)?<not>(?:LEFT AND RIGHT )?(?:BALANCE|(?P<no>UNBALANCED))
balance :: WEIGHT <~><not>(?:[a-z]+ )?NEARLY MIDDLE
weight :: (?:WEIGHT|HEAVY)(?: OF FRAME)? <~><not><~><run>
# the subject's place
place :: (?:SUBJECT |IT )?<~><not><~>(?:SUBJECT |IT |<object>)?<onto>
place :: (?:(?:SUBJECT|IT) <~><not><~>|(?:STAND|PUT|BE|OCCUPY) )(?:OCCUPY )?(?:SUBJECT )?<run>|^<run>$
place :: <no>(?P<run>MIDDLE) (?:WHOLE )?SUBJECT :: leave=SUBJECT
place :: (?P<run>MIDDLE) (?:placement|FRAME|CROP)(?: OF SUBJECT)?
off center :: <not>(?P<off>OFFCENTER) :: run=MIDDLE
# elements
element :: <element> <~>(?P<no>LOSE|GONE|CUT)
element :: (?P<no>(?:NOT|NEVER) )?(?:KEEP )?<element> (?:[a-z]+ )?<~><not>(?:KEEP|WHOLE)(?: WHOLE)?
element :: <noelement>(?:EVERY |SEVERAL )?(?:(?:KEEP|HAVE) )*(?:WHOLE )?(?:3 (?:[a-z]+ )*(?:STRAIGHT )?(?:EDGE\
    |LINE|WEIGHT|THING) (?:(?:STAND|ON|CORNER|OF|TO|[a-z]+) )*)?<element>(?: (?:WHOLE|KEEP))*
element :: (?:parallel )?LINE <not>(?:leads?|LEADING|meets?|draws?|pulls?|guides?)(?! TO form) :: element=DIAGONAL
subject kept :: <no>HAVE SUBJECT
subject :: SUBJECT
 :: (?:KEEP|CUT|LOSE|REMOVE)(?: OFF| AVOID)?(?: (?:OF|AND|[a-z]+))*(?: [a-z]+)
 :: (?:MORE|LESS|MOST) (?:OF )?[a-z]+
named :: ^(?P<than>ORD\d(?: (?:AND |OR )?ORD\d)*|OTHERS|PHOTO|SELF)(?: (?:BE|HAVE|STAND|[a-z]+))*$
"""
MACROS |= {
    "atside": r"(?: (?:by|ON) (?P<side>LEFT|RIGHT|TOP|BOTTOM)(?: (?:EDGE|SIDE|HALF|FRAME))?(?! THIRD))?",
    "tilted": r"(?: (?:by|NEARLY|down))*(?: (?P<degrees>[\d.]+) DEGREE)?"
    r"(?: (?:down|TO|BOTTOM|ON))*(?: (?P<side>LEFT|RIGHT))?",
    "nospace": r"(?:(?P<no>NO|WITHOUT|LACK(?: OF)?|NOT|little) (?:HAVE )?(?:[a-z]+ )?)?",
    "noelement": r"(?:(?P<no>NOT|NO|WITHOUT|LACK(?: OF)?|LOSE|NEITHER) (?:(?:OF|HAVE) )?(?:[a-z]+ ){0,2})?",
}


def _expanded(pattern: str) -> re.Pattern[str]:
    pattern = re.sub(r"(?<!\?P)<([a-z~]+)>", lambda macro: MACROS[macro[1]], pattern)
    number = count()  # a group of one name may stand in a pattern twice: "no_0", "no_3"
    pattern = re.sub(r"\(\?P<(\w+)>", lambda group: f"(?P<{group[1]}_{next(number)}>", pattern)
    return re.compile(rf"(?<!\S)(?:{pattern})(?!\S)")


def _rows() -> tuple[tuple[str, re.Pattern[str], dict[str, str]], ...]:
    rows = []
    for row in re.sub(r"\\\n\s*", "", _TABLE.strip("\n")).split("\n"):
        if not row.startswith("#"):
            kind, pattern, *fixed = (part.strip() for part in row.split(" :: "))
            rows.append((kind, _expanded(pattern), dict(pair.split("=") for pair in fixed)))
    return tuple(rows)


ROWS = _rows()
"""(kind, pattern, what is fixed), to be tried in this order."""
