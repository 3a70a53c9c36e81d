"""The verifier: every measurable claim of a rationale against what was measured of its photo.

Whoever wrote a rationale, it is stored and trained on only if nothing in it is contradicted. What uses measurable
vocabulary and is not understood is contradicted too: a claim that cannot be checked is not let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from crop_reasoning.composition.analysis import Measured
from crop_reasoning.composition.elements import ELEMENTS, THRESHOLD
from crop_reasoning.geometry import WHOLE, Box, aspect_px
from crop_reasoning.reasoning.rationale import Element, Rationale
from crop_reasoning.verification.checks import CHECKS
from crop_reasoning.verification.claims import NOT_UNDERSTOOD, Claim, claims
from crop_reasoning.verification.comparisons import compare
from crop_reasoning.verification.frames import Seen
from crop_reasoning.verification.geometry_checks import element_is_there, stands_out, subject_is_measured
from crop_reasoning.verification.line_checks import placed
from crop_reasoning.verification.tolerances import STRENGTH_BAND, Judged, passes

VERSION = "verify/2"
"""Changes whenever the same rationale may be judged otherwise."""
_NO_OTHERS = Judged(0, "there are no other proposals")
_GRID = 1 / 1000  # of a side: what a codec rounds coordinates to


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A claim that is not true: its kind, where it stands ("proposals[2].reason"), its words, and what was measured."""

    kind: str
    where: str
    claim: str
    measured: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many claims were checked, and those that are contradicted."""

    claims: int
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.contradictions


@dataclass(slots=True)
class _Case:
    """One rationale being verified: its frames, each analysed once, and what was found so far."""

    rationale: Rationale
    measured: Measured
    subject: Box | None
    frames: dict[Box, Seen] = field(default_factory=dict)
    count: int = 0
    found: list[Contradiction] = field(default_factory=list)

    def seen(self, box: Box) -> Seen:
        if box not in self.frames:
            self.frames[box] = Seen(self.measured, box, self.subject)
        return self.frames[box]

    def check(self, true: bool, kind: str, where: str, claim: str, measured: str) -> None:
        self.count += 1
        if not true:
            self.found.append(Contradiction(kind, where, claim, measured))


def verify(rationale: Rationale, measured: Measured, *, aspect: tuple[int, int] | None = None) -> Verdict:
    """Check a rationale against the facts of its photo; `aspect` is the ratio that the task asked for. Never raises."""
    box = measured.subjects.box if measured.subjects else None
    named = rationale.subject
    known = named is not None and subject_is_measured(named, measured)
    case = _Case(rationale, measured, named if known else box)
    _check_subject(case, known, box)
    for index, element in enumerate(rationale.elements):
        _check_element(case, element, f"analysis.elements[{index}]")
    for index, proposal in enumerate(rationale.proposals):
        for name in proposal.serves:
            _check_served(case, name, proposal.box, f"proposals[{index}].serves")
        _check_text(case, proposal.reason, proposal.box, f"proposals[{index}].reason")
    _check_decision(case, aspect)
    return Verdict(case.count, tuple(case.found))


def _check_subject(case: _Case, known: bool, box: Box | None) -> None:
    where, named = "analysis.subject", case.rationale.subject
    if named is None:
        sure = stands_out(case.measured)
        case.check(sure is None, "subject_missing", where, "no subject", f"a subject stands out at {_words(sure)}")
    elif box is None and not known:
        case.check(False, "subject_invented", where, _words(named), "no subject stands out")
    else:
        case.check(known, "subject_elsewhere", where, _words(named), f"the subject is at {_words(box)}")


def _check_element(case: _Case, element: Element, where: str) -> None:
    photo = case.seen(WHOLE)
    if element.name not in ELEMENTS:
        case.check(False, "unknown_element", where, element.name, f"the elements are {', '.join(ELEMENTS)}")
    elif _present(element.name, photo):
        case.check(
            element_is_there(element, photo), "element_elsewhere", where, element.name, "it is elsewhere in the photo"
        )
    else:
        measured = f"strength {photo.strength(element.name):.2f} in the photo"
        case.check(False, "element_absent", where, element.name, measured)
    _check_text(case, element.evidence, WHOLE, f"{where}.evidence")


def _check_served(case: _Case, name: str, box: Box, where: str) -> None:
    seen = case.seen(box)
    if name not in ELEMENTS:
        case.check(False, "unknown_element", where, name, f"the elements are {', '.join(ELEMENTS)}")
    else:
        case.check(
            _present(name, seen), "element_absent", where, name, f"strength {seen.strength(name):.2f} in the crop"
        )


def _present(name: str, seen: Seen) -> bool:
    return seen.strength(name) >= THRESHOLD - STRENGTH_BAND or placed(name, seen) >= -1


def _check_decision(case: _Case, aspect: tuple[int, int] | None) -> None:
    decision, proposals = case.rationale.decision, case.rationale.proposals
    box = decision.box
    if proposals:
        among = any(proposal.box == box for proposal in proposals)
        case.check(among, "decision_not_proposed", "decision.box", _words(box), "no proposal has this box")
    if aspect is not None:
        _check_aspect(case, box, aspect)
    said = {claim.kind for claim in claims(decision.why)}
    if decision.keep and decision.why.strip():
        told = bool(said & {"keep", "most area", "whole frame"}) or "not_understood" in said
        case.check(told, "keep_unsaid", "decision.why", decision.why, "the decision is the whole frame")
    _check_text(case, decision.why, box, "decision.why")


def _check_aspect(case: _Case, box: Box, aspect: tuple[int, int]) -> None:
    w, h = case.measured.wh
    ratio, wanted = aspect_px(box, (w, h)), aspect[0] / aspect[1]
    slack = _GRID * (1 / box.width + 1 / box.height)
    true = abs(ratio / wanted - 1) <= slack
    case.check(true, "aspect_asked", "decision.box", f"{aspect[0]}:{aspect[1]}", f"width over height is {ratio:.3f}")


def _check_text(case: _Case, text: str, box: Box, where: str) -> None:
    for claim in claims(text):
        for truth, judged in _judged(case, claim, box):
            case.check(truth, claim.kind.replace(" ", "_"), where, claim.words, judged.measured)


def _judged(case: _Case, claim: Claim, box: Box) -> Iterator[tuple[bool, Judged]]:
    """A claim's verdict for the frames it speaks of, and one for those it is denied of ("unlike the third", "only")."""
    if claim.kind == NOT_UNDERSTOOD:
        yield False, Judged(0, f"nobody understands {claim.args['left']!r} here")
        return
    if claim.kind == "keep":
        yield box.is_whole == claim.positive, Judged(0, f"the decision keeps {box.area:.0%} of the photo")
        return
    if claim.than == "SELF":
        claim = replace(claim, than="")
        against: tuple[Box, ...] | None = (box,)
    else:
        against = None
    frames = _frames(case, claim.topic, box)
    unlike = _frames(case, claim.unlike, box) if claim.unlike else []
    if frames is None or unlike is None or (claim.than and _frames(case, claim.than, box) is None):
        yield False, Judged(0, f"there are {len(case.rationale.proposals)} proposals")
        return
    if claim.topic == "NOOTHER":
        claim = replace(claim, positive=not claim.positive)
    verdicts = [_one(case, claim, frame, against) for frame in frames]
    yield next((each for each in verdicts if not each[0]), verdicts[0] if verdicts else (False, _NO_OTHERS))
    if claim.unlike:
        rest = [frame for frame in unlike if frame not in frames]
        denied = [_one(case, replace(claim, positive=not claim.positive), frame, against) for frame in rest]
        yield next((each for each in denied if not each[0]), (bool(rest), _NO_OTHERS))


def _one(case: _Case, claim: Claim, frame: Box, against: tuple[Box, ...] | None) -> tuple[bool, Judged]:
    seen = case.seen(frame)
    if claim.kind.startswith(("more ", "most ", "same ")):
        others = against or _frames(case, claim.than or "OTHERS", frame)
        judged = compare(claim, seen, [case.seen(other) for other in others or ()])
    else:
        judged = CHECKS[claim.kind](claim, seen)
    return passes(claim, judged), judged


def _frames(case: _Case, name: str, box: Box) -> list[Box] | None:
    """The frames that a name means; None for an ordinal without a proposal."""
    boxes = [proposal.box for proposal in case.rationale.proposals]
    if not name:
        return [box]
    if name == "PHOTO":
        return [WHOLE]
    if name == "EVERYCROP":
        return boxes
    if name in ("OTHERS", "NOOTHER"):
        return [each for each in boxes if each != box]
    places = [int(word[3:]) for word in name.split() if word.startswith("ORD")]
    numbers = [len(boxes) if place == 0 else place for place in places]
    return [boxes[number - 1] for number in numbers] if numbers and max(numbers) <= len(boxes) else None


def _words(box: Box | None) -> str:
    return "nowhere" if box is None else f"({', '.join(f'{edge:.2f}' for edge in box.xyxy)})"
