"""Checks of claims about the subject and faces: where they stand, how much of them is kept."""

from __future__ import annotations

from collections.abc import Callable

from crop_reasoning.verification.claims import Claim
from crop_reasoning.verification.frames import Seen
from crop_reasoning.verification.geometry_checks import stands_out
from crop_reasoning.verification.places import off, place_of
from crop_reasoning.verification.tolerances import (
    KEPT,
    KEPT_BAND,
    LARGE,
    LOST,
    PLACE_BAND,
    SHOWN,
    SIZE_BAND,
    SMALL,
    TOUCHED,
    WHOLE_KEPT,
    Judged,
    certain,
    near_share,
    subject_words,
)


def _cut_faces(claim: Claim, seen: Seen) -> Judged:
    words = f"{seen.cuts.faces} faces are cut"
    if "count" not in claim.args:
        return certain(seen.cuts.faces > 0, words)
    return _count_of(claim, seen.cuts.faces, words)


def _faces(claim: Claim, seen: Seen) -> Judged:
    return _count_of(claim, seen.faces, f"{seen.faces} faces are in the frame")


def _no_subject(claim: Claim, seen: Seen) -> Judged:
    return certain(stands_out(seen.measured) is None or seen.kept < 1 - TOUCHED, subject_words(seen))


def _several_subjects(claim: Claim, seen: Seen) -> Judged:
    found = len(seen.analysis.subjects)
    if claim.args["count"] == "1":
        return certain(seen.subject is not None, f"{found} things stand out")
    wanted = 2 if claim.args["count"] == "SEVERAL" else int(claim.args["count"])
    true = found >= wanted if claim.args["count"] == "SEVERAL" else found == wanted
    return certain(true, f"{found} things stand out")


def _some_subject(claim: Claim, seen: Seen) -> Judged:
    return Judged((seen.kept - SHOWN) / (SHOWN / 3), subject_words(seen))


def _count_of(claim: Claim, found: int, words: str) -> Judged:
    said = claim.args.get("count", "1").strip()
    match said:
        case "NO" | "WITHOUT" | "NEITHER":
            return certain(found == 0, words)
        case "SEVERAL" | "EVERY":
            return certain(found >= 1, words)
        case "BOTH":
            return certain(found == 2, words)
    return certain(found == int(said), words)


def _subject_kept(least: float) -> Callable[[Claim, Seen], Judged]:
    return lambda claim, seen: Judged((seen.kept - least) / KEPT_BAND, subject_words(seen))


def _subject_lost(claim: Claim, seen: Seen) -> Judged:
    if seen.subject is None:
        return certain(False, subject_words(seen))
    return Judged((LOST - seen.kept) / KEPT_BAND, subject_words(seen))


def _subject_cut(claim: Claim, seen: Seen) -> Judged:
    if seen.subject is None or seen.kept <= 0:
        return certain(False, subject_words(seen))
    subject, box = seen.subject, seen.box
    beyond = {
        "LEFT": box.x1 - subject.x1,
        "RIGHT": subject.x2 - box.x2,
        "TOP": box.y1 - subject.y1,
        "BOTTOM": subject.y2 - box.y2,
    }
    if "side" in claim.args and beyond[claim.args["side"]] <= 0:
        return certain(False, f"{subject_words(seen)}; it is inside on the {claim.args['side'].lower()}")
    return Judged((WHOLE_KEPT + KEPT_BAND / 2 - seen.kept) / (KEPT_BAND / 2), subject_words(seen))


def _cut_nothing(claim: Claim, seen: Seen) -> Judged:
    cut = seen.cuts
    return certain(
        cut.subjects == 0 and cut.faces == 0 and (not seen.subject or seen.kept > TOUCHED or seen.kept == 0),
        f"{cut.subjects:.0%} of the things shown are cut",
    )


def _large(claim: Claim, seen: Seen) -> Judged:
    if seen.subject is None:
        return certain(False, subject_words(seen))
    share = seen.subject_share
    margin = (SMALL - share) if claim.args["large"] == "SMALL" else (share - LARGE)
    return Judged(margin / SIZE_BAND, f"the subject takes {share:.0%} of the frame")


def _subject_share(claim: Claim, seen: Seen) -> Judged:
    share = seen.subject_share
    return near_share(share, claim, f"the subject takes {share:.0%} of the frame")


def _place(claim: Claim, seen: Seen) -> Judged:
    place = place_of(claim.args["run"])
    if seen.place is None or place is None or seen.kept < LOST:
        return certain(False, subject_words(seen))
    return Judged(-off(place, seen.place) / PLACE_BAND, subject_words(seen))


def _off_center(claim: Claim, seen: Seen) -> Judged:
    judged = _place(claim, seen)
    return judged if seen.place is None or seen.kept < LOST else Judged(-judged.margin, judged.measured)


SUBJECTS: dict[str, Callable[[Claim, Seen], Judged]] = {
    "place": _place,
    "off center": _off_center,
    "subject whole": _subject_kept(WHOLE_KEPT),
    "subject kept": _subject_kept(KEPT),
    "subject lost": _subject_lost,
    "subject cut": _subject_cut,
    "cut nothing": _cut_nothing,
    "cut faces": _cut_faces,
    "faces": _faces,
    "no subject": _no_subject,
    "subject": _some_subject,
    "several subjects": _several_subjects,
    "subject large": _large,
    "subject share": _subject_share,
}
