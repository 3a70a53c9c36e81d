"""The vocabulary of claims: the words of a sentence as the tokens that the claim language is written in.

Tokens in capitals carry measurable meaning or change it (`SUBJECT`, `LEFT`, `NOT`); words in small letters are free
color. This module knows words and idioms; what a row of tokens claims is for `claim_rules`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from crop_reasoning.verification.idioms import IDIOMS, KEEP_WORDS

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_ONES += [f"{ten}teen" for ten in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_WRITING = (
    (r"[‘’`´]", "'"),
    (r"\s*[—–―]\s*|\s-+\s|[()\[\]{}“”\"]", " , "),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"'(?:s|re)\b|(?<=s)'(?=\s)", ""),
    (r"°", " degrees "),
    (r"\bper ?cent\b|\bpct\b|%", " percent "),
    (r"(?<![\d.])(\d{1,2})(?:\s*[:×x]\s*|\s?-?by-?\s?)(\d{1,2})(?![\d.]| percent)", r" RATIO\1:\2 "),
    (r"#(?=\d)", "number "),
    (r"(?<=\w)-(?=\w)", " "),
    (r"(?<!\d):|:(?!\d)", " , "),
    (r"/", " and "),
    (r",(?!\d)|(?<!\d),", " , "),
    (r"(?<!\d)\.|\.(?!\d)", " "),
    (r"'", " "),
    (r"[^\w\s.,:]+", " UNREADABLE "),
)
"""Marks as words: applied to one sentence in small letters."""

_VOCABULARY = """
.: a an the does do did its their his her own quite really exactly precisely perfectly dead
.: squarely neatly nicely cleanly comfortably naturally beautifully gently calmly clearly plainly simply just firmly
.: exact precise slightly somewhat well truly indeed also too still
.: now already thus therefore hence then overall entirely fully wholly
.: completely strongly generously safely pleasantly elegantly prominently visually strictly distinctly
.: immediately instantly intimately intentionally instinctively inherently uniquely unmistakably unusually
.: invitingly impressively intensely increasingly undoubtedly undeniably understandably
VERY: very
LOW: low
LEFT: left leftmost leftward leftwards lefthand
RIGHT: right rightmost rightward rightwards righthand
TOP: upper top topmost uppermost
BOTTOM: lower bottom bottommost lowermost
ABOVE: above overhead over
BELOW: below beneath underneath
THIRDS: thirds
MIDDLE: center centre centers centres centered centred middle central centrally centering centring
HORIZONTALLY: horizontally sideways
VERTICALLY: vertically
POINT: intersection intersections crossing crossings crosspoint
CORNER: corner corners quadrant quadrants
HALF: half halves halved halving
SIDE: side sides
EDGE: edge edges border borders boundary
LINE: line lines
SUBJECT: subject subjects protagonist
FACE: face faces head heads
PERSON: people person persons humans
THING: thing things object objects element elements
HORIZON: horizon horizons skyline
LEVEL: level leveled levelled horizontal horizontals
STRAIGHT: straight
TILT: tilt tilts tilted tilting slope slopes sloped sloping crooked skewed askew
VERTICAL: vertical verticals upright uprights
DIAGONAL: diagonal diagonals diagonally slanted slanting slant slants oblique
LEADING: leading
CONVERGE: converge converges converging converged
VANISHING: vanishing
CURVE: curve curves curved curving curvature winding winds arc arcs sinuous serpentine meanders meandering
TRIANGLE: triangle triangles triangular pyramidal
SYMMETRY: symmetry symmetric symmetrical symmetrically
MIRROR: mirror mirrors mirrored mirroring
ASYMMETRY: asymmetry asymmetric asymmetrical asymmetrically
AXIS: axis axes
PATTERN: pattern patterns patterned repetition repetitions repetitive tessellation
REPEAT: repeat repeats repeated repeating recurs recurring
MOTIF: motif motifs
EMPTY: empty emptiness
SPACE: space spaces room air headroom spacing margin margins
ROOMY: cramped crammed crowded spacious expansive roomy roomier airy airier
BALANCE: balance balances balanced balancing equilibrium
UNBALANCED: unbalanced imbalance imbalanced lopsided
WEIGHT: weight mass masses
HEAVY: heavy heavier heaviest
ASPECT: aspect ratio ratios proportions orientation format
PANORAMA: panoramic panorama letterbox
SQUARE: square
PORTRAIT: portrait
LANDSCAPE: landscape
TALL: tall high
TALLER: taller higher
BROAD: broad
CROP: crop crops cropping framing framings proposal proposals candidate candidates option options version versions
CROP: alternative alternatives variant variants choice choices
FRAME: frame frames composition image picture
PHOTO: photo photograph original uncropped
TIGHT: tight compact snug closely narrowly
TIGHTER: tighter narrower closer
TIGHTEST: tightest narrowest closest
WIDE: wide loose
WIDER: wider looser broader
WIDEST: widest loosest broadest
MEDIUM: medium moderate
LARGER: larger bigger
LARGEST: largest biggest
SMALLER: smaller
SMALLEST: smallest
LARGE: large big huge enormous gigantic massive immense colossal
SMALL: small tiny minuscule diminutive miniature
EMPTIER: emptier
EMPTIEST: emptiest
STRONGER: stronger clearer
STRONGEST: strongest clearest
WEAKER: weaker fainter
FURTHER: further farther nearer
MORE: more
LESS: less fewer
MOST: most mostly highest
LEAST: least fewest lowest
BETTER: better
BEST: best
WORSE: worse worst
AS: as
THAN: than
COMPARED: compared
WIDTH: width breadth
HEIGHT: height
AREA: area
DEGREE: degree degrees
PERCENT: percent percentage
HALFWAY: halfway midway
WHOLE: whole full entire complete intact uncut unbroken total untouched entirety
PART: part parts partly partially portion
NEARLY: almost nearly roughly about approximately around some practically virtually near circa
BE: is are was were be being been am remain remains remaining stay stays staying becomes become becoming appears
BE: appear
STAND: stand stands standing sit sits sitting rest rests resting fall falls falling land lands landing lie lies
STAND: lying placed positioned located aligned aligns anchored set situated rises runs run running spans span
STAND: stretches stretch
PUT: put puts putting place places placing position positions positioning align anchor anchors anchoring aligning
PUT: setting settles brings bring bringing shifts shift shifting moves move moving
HAVE: has have having show shows showing shown gives give giving leaves leave leaving with offers
HAVE: offer lends lend provides provide features
KEEP: keep keeps keeping kept retain retains retained retaining preserve preserves preserved preserving hold holds
KEEP: holding include includes including included maintain maintains maintained maintaining contained contains
KEEP: captures contain
CUT: cut cuts cutting clip clips clipped clipping slice slices slicing sliced chop chops chopped chopping truncate
CUT: truncates truncated truncating cropped amputates amputate amputated sever severs severed slash slashes
CUT: decapitate decapitates decapitated behead beheads beheaded lop lops lopped nip nips nipped
LOSE: lose loses losing lost drop drops dropping dropped exclude excludes excluded excluding omit omits omitted
LOSE: omitting missing misses
REMOVE: remove removes removing removed trim trims trimming trimmed eliminate eliminates eliminated eliminating
REMOVE: discard discards discarded discarding
OCCUPY: occupy occupies occupying fill fills filling filled covers cover covering takes take
NOT: not
NO: no none nothing nobody zero nowhere
NEVER: never
WITHOUT: without
NEITHER: neither nor
LACK: lack lacks lacking absent absence
GONE: gone vanishes vanish disappears disappear
ON: on onto upon along at
IN: in inside into within
OF: of
TO: to toward towards
FROM: from
OFF: off
AND: and
BETWEEN: between
BOTH: both
EACH: each
ALL: all everything
EVERY: every any
ONLY: only solely sole
SEVERAL: several many various multiple numerous
OTHERS: others rest rivals
OTHER: other
BUT: but while whereas yet although though however
IT: it they them itself themselves
SELF: this
HERE: here
AVOID: avoid avoids avoiding avoided fail fails failing failed refuse refuses deny denies prevent prevents hardly
AVOID: barely scarcely seldom rarely neglects ignores ignore ignoring break breaks breaking broken destroys
AVOID: destroyed ruins ruined disturbs weakens weakened sacrifices sacrificed abandons despite unlike except away
AVOID: instead rather far against contradicts violates violating breaks disrupts disrupted spoils spoiled poorly
AVOID: excessively insufficient devoid bereft robs robbed stripped deprived kills hides hidden obscures obscured
AVOID: blurs blurred cancels undoes undone upset upsets interrupts interrupted sabotages betrays forgoes forgo eschews
AVOID: shuns spurns rejects rejected dispenses escapes flees evades evaded dodges misses defies defeats undermines
AVOID: spared
AVOID: erased sacrificed banished ousted evicted swallowed invisible unseen offset decentered decentred aside beside
AVOID: outside beyond badly elsewhere peripheral undermined compromises compromised distorts distorted damages
AVOID: damaged mars marred blocks blocked lets
WEAK: weak faint scant negligible vague subtle hint traces trace minimally
MODAL: would could should might may must if unless ought wants needs seems supposedly perhaps maybe possibly
MODAL: probably likely pretend pretends tries try trying hopes formerly previously originally once false untrue
MODAL: potentially ostensibly nominally theoretically hypothetically purportedly wrong wrongly incorrect incorrectly
MODAL: contrary lie myth allegedly apparently presumably
TWICE: twice double doubles doubled doubly triple thrice times
EXCEED: exceed exceeds exceeding surpass surpasses outsizes outweighs
LEAN: lean leans leaning canted inclined inclines uneven dips dip dipping
FORMER: former latter
LAST: last final
"""
"""`TOKEN: words`; the words of `.` are dropped, for they change nothing that is measured."""


_DENIED = re.compile(
    r"(?:un|non|mis|de)(?:cent(?:er|re)|align|balanc|clip|crop|cut|kept|framed?|symm|level|straight)|(?:un|in|im|ir|dis)[a-z]+ly$"
)
"""Words that deny, by how they begin: the opposite of something measurable, and adverbs."""


@lru_cache(maxsize=1)
def _words() -> dict[str, str]:
    table: dict[str, str] = {}
    for row in _VOCABULARY.strip().split("\n"):
        token, _, words = row.partition(": ")
        table |= dict.fromkeys(words.split(), "" if token == "." else token)
    table |= {word: str(number) for number, word in enumerate(_ONES) if number}
    table |= {word: str(10 * number) for number, word in enumerate(_TENS, 2)}
    table["dozen"] = "12"
    return table


_MARKS = tuple((re.compile(pattern), words) for pattern, words in _WRITING)


def tokens(sentence: str) -> str:
    """A sentence (no full stop or semicolon inside) as tokens with single spaces.

    >>> tokens("The subject doesn't sit on the left-hand third.")
    'SUBJECT NOT STAND ON LEFT THIRD'
    """
    text = unicodedata.normalize("NFKC", sentence).lower()
    text = KEEP_WORDS.sub(" KEEPWORDS ", text)
    for mark, words in _MARKS:
        text = mark.sub(words, text)
    text = re.sub(
        r"\b(?:a|one) (third|quarter|fifth|eighth|tenth|twentieth|half)\b(?! (?:line|crop|proposal|option))",
        r"one \1",
        text,
    )
    table = _words()
    row = " ".join(filter(None, (_token(word, table) for word in text.split())))
    row = re.sub(r"(?<!\S)([2-9]0) ([1-9])(?!\S)", lambda both: str(int(both[1]) + int(both[2])), row)
    for token, pattern in IDIOMS:
        row = " ".join(pattern.sub(token, row).split())
    return row


def _token(word: str, table: dict[str, str]) -> str:
    if word in table:
        return table[word]
    if _DENIED.match(word):  # "uncentered", "incompletely"
        return "AVOID"
    return table.get(word[:-2], "") if word.endswith("ly") else word  # "tightly" is "tight", "gracefully" is nothing
