"""What was measured of a photo and of its candidate crops, in the words that a teacher may argue with.

The facts and the candidates are those of the measured author, so that both authors speak of the same things. Shares and
counts are words: in an answer every integer is a coordinate. Comparisons are spelled out; a teacher computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crop_reasoning.authors.facts import View, differences, facts, view
from crop_reasoning.authors.measured import author_rationales
from crop_reasoning.authors.phrases import COMPARISONS, ORDINALS, PREDICATES, listed
from crop_reasoning.codecs import thousandths
from crop_reasoning.composition.analysis import Measured
from crop_reasoning.composition.placement import size_word
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.rationale import Rationale, render, render_box
from crop_reasoning.records import CropRecord


def draft(record: CropRecord, targets: Sequence[Box], measured: Measured, draw: int) -> Rationale:
    """The measured author's answer, of which a teacher is given all but the words: subject, elements and proposals.

    The targets' places among the proposals are drawn by `draw`, all equally likely; the other proposals follow from
    the photo and from the set of targets, and so cannot tell which of two is preferred.
    """
    return author_rationales(record, targets, measured, np.random.default_rng(draw))[0]


def evidence_text(draft: Rationale, measured: Measured, plan: ImagePlan) -> str:
    """The measures as lines of text: of the photo, of each candidate, and between them."""
    views = [view(measured, proposal.box) for proposal in draft.proposals]
    candidates = [
        f"the {name} {render_box(proposal.box, thousandths, plan)}: {'; '.join(_facts(seen))}; "
        f"serves {', '.join(proposal.serves) or 'none'}"
        for name, proposal, seen in zip(ORDINALS, draft.proposals, views, strict=False)
    ]
    analysis = render(draft, thousandths, plan).split("\n")[1]
    lines = ["Measured in the photograph:", analysis]
    lines += ["", "Candidates, in the order in which to propose them:", *candidates]
    return "\n".join([*lines, "", "How they compare:", *_comparisons(views)])


def _facts(seen: View) -> list[str]:
    size = size_word(seen.box) + ("" if seen.box.is_whole else " crop")
    return [size, *(PREDICATES[fact.kind][0].format(**fact.words) for fact in facts(seen).values())]


def _comparisons(views: Sequence[View]) -> list[str]:
    """A line for each candidate that surpasses another in anything."""
    lines = []
    for place, seen in enumerate(views):
        others = [other for other in range(len(views)) if other != place]
        said = []
        for fact, surpassed in differences(seen, [views[other] for other in others]).values():
            names = listed([ORDINALS[others[index]] for index in surpassed])
            said.append(COMPARISONS[fact.kind][0].format(**fact.words, others=names))
        if said:
            lines.append(f"the {ORDINALS[place]} {'; '.join(said)}")
    return lines or ["alike in every measure"]
