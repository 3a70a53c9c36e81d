"""Idioms: several tokens that mean one, and how prose says that a photo is best as it is.

Rows are `TOKEN :: patterns`, tried from top to bottom: each sees what the rows above it made. `_` drops the words.
"""

from __future__ import annotations

import re

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")

_TABLE = r"""
_ :: RIGHT(?= (?:IN|ON) (?:MIDDLE|LEFT|RIGHT|TOP|BOTTOM))|AS first sight|first OF ALL|ON OTHER hand|(?<=LEFT )hand
_ :: STRAIGHT(?= TO)|FROM(?= [a-z])|BEST(?= PUT)|sense OF (?:HEIGHT|SPACE|scale)|(?<=BE )given(?= TO)
_ :: (?<=RIGHT )hand|looking(?= SPACE)|breathing(?= SPACE)|head(?= SPACE)|(?<=SPACE )TO (?:breathe|look|move)
SPACE :: (?:negative|EMPTY|open|blank|clear|breathing|MORE EMPTY) (?:SPACE|AREA)|EMPTY (?=LEFT|RIGHT|TOP|BOTTOM)
RULEOFTHIRDS :: rules? OF (?:THIRDS|third)(?: grid| LINE)?
GOLDEN :: (?:golden|GOLDEN) (?:ASPECT|section|mean|spiral|proportion|CUT|POINT|LINE)|golden (?:points?|POINT|LINE)|phi
MODAL :: used TO
IN view :: visible|IN sight
IN FRAME :: (?<=SUBJECT )fits?(?: IN)?(?: FRAME)?
MODAL :: same (?:LINE|SIDE|HALF|PUT|placement|spot)
AVOID :: (?:short|clear) OF|(?<=MIDDLE )(?:free|clear|vacant|open|bare)
TIGHT :: close up
BOTTOM :: (?:foot|base)(?= OF (?:FRAME|PHOTO|CROP))
CURVE :: s shaped?
TILT :: (?<=HORIZON )(?:BE )?LEAN
_ :: ONLY(?= (?:NEARLY )?(?:FRACTION|1 (?:third|half|quarter|fifth|eighth|tenth)|\d+ PERCENT))
POINT :: power (?:points?|POINT)|POINT power
MIDDLE :: (?:FRAME|CROP|HALFWAY) MIDDLE
OFFCENTER :: (?:OFF|AVOID FROM) MIDDLE(?! OF)
LOSE :: (?:HAVE|LEFT) out(?: OF (?:FRAME|CROP|PHOTO|SELF))?|out OF (?:FRAME|view|CROP)|LOSE altogether
SUBJECT :: (?:1 |MOTIF )?(?:clear )?(?:single|sole|lone) SUBJECT
1 :: (?:single|lone|sole|solitary)(?= PERSON| FACE)
SUBJECT :: focal points?|(?:point|MIDDLE) OF interest
SUBJECT :: (?:main |primary |principal |key |single |sole |lone )*SUBJECT(?: matter)?
SUBJECT :: (?:main|MIDDLE) (?:THING|MOTIF|figure)
ASPECTWIDE :: (?:WIDER|BROAD) THAN (?:IT |BE )*TALL|(?:LANDSCAPE|LEVEL) (?:ASPECT|shape|CROP|FRAME)
ASPECTTALL :: TALLER THAN (?:IT |BE )*(?:WIDE|BROAD)|(?:PORTRAIT|VERTICAL) (?:ASPECT|shape|CROP|FRAME)
ASPECTSQUARE :: SQUARE(?: (?:ASPECT|shape|CROP|FRAME))*
_ :: (?:ABOVE|across|through|throughout) (?:WHOLE )?(?:FRAME|PHOTO|CROP)
PHOTO :: (?:WHOLE |PHOTO )+(?:FRAME|PHOTO|CROP|scene|view|shot)|PHOTO (?:FRAME|CROP)|PHOTO
ASPECTSAME :: (?:same|PHOTO)(?: PHOTO)? ASPECT(?: (?:AS|OF) PHOTO)?|ASPECT OF PHOTO|same ASPECT AS PHOTO
THIRD :: (?:(?<=LEFT )|(?<=RIGHT )|(?<=TOP )|(?<=BOTTOM ))(?:third|THIRDS)|third(?= LINE| POINT)|(?<!\d )THIRDS
FRACTION0.667 :: 2 THIRDS
FRACTION0.75 :: 3 quarters?
FRACTION0.333 :: 1 third(?! (?:CROP|LINE))
FRACTION0.05 :: 1 twentieth
FRACTION0.1 :: 1 tenth
FRACTION0.125 :: 1 eighth
FRACTION0.2 :: 1 fifth(?! (?:CROP|LINE))
FRACTION0.4 :: 2 fifths
FRACTION0.6 :: 3 fifths
FRACTION0.8 :: 4 fifths
FRACTION0.25 :: 1 quarter|quarter(?= OF)
FRACTION0.5 :: (?<!LEFT )(?<!RIGHT )(?<!TOP )(?<!BOTTOM )HALF(?! AND)
@ORDINALS
ORD0 :: LAST(?: (?:1|CROP))?
SELF :: (?:SELF|chosen|decided|selected) (?:CROP|1|FRAME)|ORD0(?= decision)
_ :: EACH OTHER(?! CROP| 1)|1 another
EVERYCROP :: ^(?:ALL|EVERY|EACH)(?: OF)?(?: \d)? CROP|^CROP (?:ALL|BOTH|EACH)
NOOTHER :: NO (?:OF )?(?:OTHERS|OTHER(?: CROP| 1)?)|NEITHER (?:OF )?OTHERS?(?: CROP)?
OTHERS :: (?:OF )?(?:ALL |EVERY |EACH |ALL OF |EVERY OF )?(?:OTHERS(?: \d)?|OTHER(?: \d)?(?: CROP| 1)?)(?: CROP)?
OTHERS :: (?:OF )?(?:ALL|EVERY)(?: OF)?(?: \d)? CROP|OF (?:ALL )?[2-6](?: CROP)?$|OF (?:ALL )?[2-6](?: CROP)?(?= ,)
OTHERS :: OF ALL(?= ,|$)
AVOID :: (?:ALL|EVERY|EACH|OTHERS|NOOTHER|NO|CROP|THING) BUT
VANISHING :: VANISHING (?:points?|POINT)
CONVERGE :: (?:LEADING )?LINE (?:that )?(?:LEADING|lead|CONVERGE|meet)(?: TO| ON| IN)?(?: 1| single| common\
    | same)* (?:point|VANISHING)
CONVERGE :: CONVERGE(?: DIAGONAL)?(?: LINE)?|LINE CONVERGE
DIAGONAL :: (?:LEADING |DIAGONAL |TILT )+LINE|LEADING DIAGONAL|TILT LINE
LEVELAXIS :: (?:MIRROR |SYMMETRY |MIDDLE )*LEVEL (?:MIRROR |SYMMETRY )*AXIS(?: OF (?:bilateral |MIRROR )?SYMMETRY)?
UPRIGHTAXIS :: (?:MIRROR |SYMMETRY |MIDDLE )*VERTICAL (?:MIRROR |SYMMETRY )*AXIS(?: OF (?:bilateral |MIRROR )?SYMMETRY)?
AXIS :: (?:MIRROR |SYMMETRY |MIDDLE )*AXIS(?: OF (?:bilateral |MIRROR )?SYMMETRY)?
SYMMETRY :: 2 MIRROR (?:HALF|FRACTION0.5)
SYMMETRY :: (?:NEARLY )?MIRROR(?: (?:SYMMETRY|EACH OTHER|1 another|images?))*(?: OF EACH OTHER| OF 1 another)?|MIRROR
HORIZON :: LEVEL (?:LINE|EDGE)|HORIZON LINE
VERTICAL :: VERTICAL (?:LINE|EDGE|VERTICAL)|TALL VERTICAL
CURVE :: s CURVE|CURVE (?:LINE|CURVE)|long smooth CURVE
PATTERN :: (?:REPEAT )+(?:PATTERN|MOTIF|shapes?|LINE)|(?:same |1 )?MOTIF REPEAT|REPEAT|PATTERN OF REPEAT
WEIGHT :: visual WEIGHT
FULLWIDTH :: WHOLE WIDTH|FROM LEFT (?:EDGE )?TO RIGHT(?: EDGE)?|FROM SIDE TO SIDE|FROM EDGE TO EDGE
FULLHEIGHT :: WHOLE HEIGHT|FROM TOP (?:EDGE )?TO BOTTOM(?: EDGE)?|FROM BOTTOM TO TOP
"""

_KEEP = r"""
<photo> (?:is |works |looks )?(?:already )?(?:best|fine|strongest|complete) (?:left |kept )?<asis>
best (?:left |kept )?<asis>
(?:keep|leave)s? (?:the |this )?(?:original |whole |full |entire )*<photo>(?: framing| composition)? <asis>
(?:keep|leav)ing (?:the |this )?(?:original |whole |full |entire )*<photo>(?: framing| composition)? <asis>
(?:keep|keeping|leave) the (?:original|whole|full|entire)(?: original)? <photo>
(?:the )?(?:original|whole|full|entire) <photo>(?: is)? (?:kept|left|retained)(?= |$)
(?:so )?i (?:would )?(?:keep|leave) it(?: whole| as it is)?
(?:nothing|little) (?:is |would be |can be |could be |will be )(?:gained|won|improved)(?: (?:by|from|with) <crop>)?
(?:nothing|little) to (?:be )?(?:gain|win|improve|gained|won)(?: (?:by|from|with) <crop>)?
<crop> would (?:only )?(?:gain|add|bring|improve) nothing
no (?:tighter )?crop (?:would )?(?:improves?|betters?|beats)(?: on| upon)?(?: the| this)?<whole> <photo>
no (?:need|reason) (?:to crop|for (?:a |any )?crop(?:ping)?)|needs? no (?:crop(?:ping)?|change)
no crop(?:ping)? (?:is |was |seems )(?:needed|necessary|required|called for)
crop(?:ping)? is (?:unnecessary|needless|superfluous)
(?:does|do|need)(?: not|n't) (?:need |require )?(?:to be cropped|(?:a |any )?crop(?:ping)?)
<crop> (?:would|could|can|does|will)(?: not|n't|not| never) (?:improve|better|help|strengthen|benefit)
(?:nothing|little) to (?:be )?crop(?:ped)?
<crop> would only (?:remove|lose|cut|weaken|spoil|break)(?: away| off)?(?: part of| some of)?(?: the| its)? [a-z]+
"""
_MACROS = {
    "photo": "(?:photo(?:graph)?|image|picture|original|shot|frame|framing|composition|it)",
    "crop": "(?:a|any|the|this|no)? ?(?:tighter |closer |other )?crop(?:ping)?(?: it)?",
    "asis": "(?:as it (?:is|stands)|as is|untouched|uncropped|unchanged|alone)",
    "whole": "(?: whole| full| entire| original)*",
}


def _rows() -> tuple[tuple[str, re.Pattern[str]], ...]:
    rows: list[tuple[str, str]] = []
    for row in re.sub(r"\\\n\s*", "", _TABLE.strip("\n")).split("\n"):
        if row == "@ORDINALS":
            for number, word in enumerate(ORDINALS, 1):
                named = rf"(?:CROP |number ){number}(?! PERCENT)"
                said = rf"(?:{word}|{number}(?:st|nd|rd|th))(?: (?:1|CROP|FRAME))?"
                rows.append((f"ORD{number}", f"{named}|{said}"))
            continue
        token, _, pattern = row.partition(" :: ")
        rows.append(("" if token == "_" else token, pattern))
    return tuple((token, re.compile(rf"(?<!\S)(?:{pattern})(?!\S)")) for token, pattern in rows)


def _keep_words() -> re.Pattern[str]:
    pattern = "|".join(rf"\b(?:{row})\b" for row in _KEEP.strip().split("\n"))
    return re.compile(re.sub("<([a-z]+)>", lambda macro: _MACROS[macro[1]], pattern))


IDIOMS = _rows()
KEEP_WORDS = _keep_words()
"""How prose says that the photo is best as it is: sought in the words, before they become tokens."""
