"""Sentences as a language model writes them about crops, each with the drawn situation that makes it true.

They were written before the claim language had a single pattern, to measure how much of such prose it understands; the
situations are those of `tests/rationale_scenes.py`. Keys are `situation/place`, where a place is `evidence` (of the
element that the situation shows), `reason` (of the proposal that was decided for) or `why`.
"""

from __future__ import annotations

PARAPHRASES: dict[str, tuple[str, ...]] = {
    # a bright disc that the crop puts on the upper left power point, wholly inside, 36 % of the photo
    "thirds/reason": (
        "Places the subject at the upper-left power point, leaving generous breathing room on the right.",
        "The subject sits on the left third line, which gives the composition a natural sense of flow.",
        "By shifting the frame, the disc now falls on the intersection of the left and upper thirds.",
        "Positions the bright disc along the left third, following the rule of thirds.",
        "A tighter framing that aligns the main subject with the upper-left third intersection.",
        "Keeps the entire subject in view while anchoring it on the left third.",
        "The subject is no longer centered; it rests on the upper left crossing of the thirds.",
        "Removes roughly two thirds of the photo and draws attention to the subject.",
        "Retains about 36% of the original image, concentrating on the subject.",
        "Applies the rule of thirds: the focal point lands on the upper third and the left third.",
        "The crop does not cut the subject and leaves open space to its right.",
        "Nothing is cut at the edges, and the subject remains fully intact.",
        "The empty space on the right balances the disc on the left.",
        "Off-center placement adds tension, with the subject on the upper-left third.",
        "This crop retains the same aspect ratio as the original.",
        "A medium crop with the subject placed left of center and above the middle.",
        "There is ample negative space below the subject, lending a calm and minimal feel.",
        "The subject occupies the upper left of the frame, with space to breathe to the right and below.",
        "Preserves the whole subject with comfortable margins on every side.",
        "More than half of the frame is negative space, which isolates the disc.",
    ),
    "thirds/why": (
        "This crop is tighter than the whole frame and places the subject on the upper-left third.",
        "Unlike the third proposal, it does not cut the subject.",
        "It is the only crop that puts the subject on a power point.",
        "The fourth crop loses the subject entirely, while this one keeps it whole.",
        "The second option centers the subject, which feels static; here it sits on the left third.",
        "Compared with the full frame, the subject appears larger and the composition has less empty space.",
        "It keeps the subject intact, whereas the third cuts it.",
        "The subject stands on the crossing of the left and upper third lines, which none of the others achieve.",
        "Chosen because it follows the rule of thirds without clipping the subject.",
        "The whole frame leaves the subject small and adrift; cropping tighter gives it presence.",
        "It keeps more of the subject than the third and the fourth.",
        "The third slices through the subject and the fourth excludes it altogether.",
        "Tighter than the fifth, with the subject on the left third.",
        "Of all the candidates, this one best places the subject on a rule-of-thirds intersection.",
        "The subject is about the same size as in the second, but better placed, on the left third.",
    ),
    # a disc in the exact middle of the crop
    "center/reason": (
        "Centers the subject in the frame for a bold, formal composition.",
        "The subject is placed dead center, giving it full attention.",
        "The subject sits squarely in the middle of the frame.",
        "A centered composition with equal space on both sides.",
        "With the subject at the center of the frame, the eye goes straight to it.",
        "The disc is perfectly centered both horizontally and vertically.",
        "Central placement of the subject creates a balanced, stable image.",
        "The visual weight is evenly distributed around the center.",
        "The frame keeps the subject whole and centered.",
        "Equal breathing room on the left and right of the subject.",
    ),
    # a level horizon over the whole width, a little below the middle of the photo; the crop puts it on the lower third
    "horizon/evidence": (
        "A level horizon spans the full width of the photo.",
        "The horizon runs straight across the frame, slightly below the middle.",
        "A strong horizontal line divides the sky from the sea.",
        "The horizon is perfectly level.",
        "A clean horizontal edge stretches from left to right.",
        "A horizontal line runs across the entire width.",
    ),
    "horizon/reason": (
        "Puts the horizon on the lower third, giving more room to the sky.",
        "The horizon sits on the lower third line and stays level.",
        "Keeps the horizon level and places it along the lower third.",
        "The level horizon anchors the composition in the lower third of the frame.",
        "The horizon is straight and does not tilt.",
        "Two thirds of the frame are given to the sky, with the horizon on the lower third.",
        "A wide crop that preserves the horizontal line across the full width.",
        "The horizontal line of the horizon is preserved.",
        "There is no single subject that stands out; the horizon carries the picture.",
        "Wider than it is tall, it suits the broad horizon.",
    ),
    "horizon/why": (
        "The horizon rests on the lower third, while the second has it in the middle.",
        "It moves the horizon off the middle and onto the lower third.",
        "The others leave the horizon in the center of the frame.",
    ),
    # lines that run to a vanishing point
    "lines/evidence": (
        "Several lines converge on a single vanishing point.",
        "Strong leading lines draw the eye toward the vanishing point.",
        "The diagonals of the road converge in the distance.",
        "Converging diagonal lines create depth.",
        "Leading lines run from the foreground to a vanishing point near the upper middle.",
    ),
    "lines/reason": (
        "Keeps the leading lines that guide the eye to the vanishing point.",
        "The diagonal lines remain strong and pull the viewer into the picture.",
        "Preserves the converging lines, which lend the scene depth.",
        "The leading lines start near the bottom edge and carry the gaze upward.",
        "Strong diagonals dominate the composition.",
    ),
    # the two sides of an upright axis mirror each other
    "mirror/evidence": (
        "The left and right halves mirror each other.",
        "A vertical axis of symmetry runs down the middle of the photo.",
        "The scene is symmetrical about a vertical axis.",
        "Strong bilateral symmetry.",
        "Left and right sides are near mirror images of each other.",
    ),
    "mirror/reason": (
        "Preserves the symmetry of the scene, with the axis in the center.",
        "The symmetrical layout is kept intact.",
        "The frame keeps both sides of the symmetry, so the picture feels calm and formal.",
        "The mirror symmetry stays complete.",
        "Left and right balance each other.",
    ),
    # one motif all over the photo; the decision keeps it
    "pattern/evidence": (
        "A regular pattern of identical shapes fills the frame.",
        "The same motif repeats across the whole image.",
        "Repeating shapes form a rhythmic pattern.",
        "The repetition of a single motif creates rhythm.",
    ),
    "pattern/why": (
        "The photo is best left as it is: the pattern fills the frame and cropping would gain nothing.",
        "Keep the original framing, since the pattern runs through the whole picture.",
        "No crop improves on the full frame.",
        "The full frame shows the most of the pattern, so I keep it.",
        "Nothing would be gained by cropping; the repeating motif already fills the image.",
        "The original composition is kept because any crop would only remove part of the pattern.",
    ),
    # a long curve
    "curve/evidence": (
        "A sweeping curve leads the eye through the frame.",
        "A winding S-curve runs through the photo.",
        "A gentle arc curves across the picture.",
        "The curved line guides the viewer through the scene.",
    ),
    "curve/reason": (
        "Keeps the sweeping curve that carries the eye across the picture.",
        "The curve remains the dominant element.",
        "The winding line is preserved.",
    ),
    # a triangle
    "triangle/evidence": (
        "Three edges form a clear triangle.",
        "The lines meet to form a triangular shape.",
        "A strong triangular composition anchors the picture.",
    ),
    "triangle/reason": (
        "Keeps the triangle complete and stable.",
        "The triangular shape dominates the crop.",
    ),
    # upright lines
    "vertical/evidence": (
        "Strong vertical lines structure the photo.",
        "Upright lines run from top to bottom.",
        "Tall verticals give the picture a sense of height.",
    ),
    "vertical/reason": (
        "Retains the vertical lines that give the scene its rhythm.",
        "The verticals stay upright and strong.",
    ),
    # two faces, both wholly inside the crop
    "faces/reason": (
        "Both faces are fully inside the frame.",
        "Neither face is cut by the edge.",
        "Keeps both people in the picture with room around them.",
        "Two faces share the frame and neither is cropped.",
        "The crop holds the two faces and trims the empty ground below.",
    ),
    "faces/why": (
        "It keeps both faces, while the second cuts one of them.",
        "The second crop slices through a face; this one cuts none.",
        "Here the faces are larger in the frame than in the original.",
    ),
    # an upright crop of a landscape-format photo, a disc somewhat left of it
    "upright/reason": (
        "A vertical format that suits the single subject.",
        "Taller than it is wide, the crop concentrates on the subject.",
        "The portrait orientation focuses attention on the subject.",
        "A 4:5 portrait crop around the subject.",
    ),
}

FRESH: dict[str, tuple[str, ...]] = {
    "thirds/reason": (
        "This framing tucks the subject into the upper-left third and lets the rest of the scene breathe.",
        "With the subject on the left third line, the viewer's gaze has somewhere to travel.",
        "Here the subject is offset to the upper left, which is livelier than a central position.",
        "The crop trims the empty area on the right and below while leaving the subject untouched.",
        "A moderately tight framing: about a third of the photo remains and the subject is complete.",
        "Follows the rule of thirds with the subject near the upper-left intersection.",
        "The subject is fully contained and nothing important is cropped out.",
        "Negative space to the right of the subject gives the picture room to breathe.",
        "It keeps the subject whole, and its position on the left third feels deliberate.",
        "The disc stands on a power point, so the balance feels natural.",
        "Cuts away the empty margins on the left and right.",
        "The subject has clear space on all sides.",
        "Compared to the original, the subject is noticeably larger in the frame.",
        "The subject is not cropped, and it is positioned off-center to the left.",
        "Places the red disc where the left and upper third lines cross.",
    ),
    "thirds/why": (
        "I choose this crop because the subject lies on the upper-left power point and is not cut, "
        "unlike in the third.",
        "The third and fourth crops fail to keep the whole subject; this one does not.",
        "It is smaller than the whole frame, so the subject gains presence.",
        "The others either center the subject, cut it or lose it.",
        "The first proposal has the subject on the left third, which beats the static center of the second.",
        "It wins because the subject is on the rule of thirds and remains complete.",
        "While the fifth keeps everything, the subject is larger here.",
        "The second is tighter, but the subject sits in the middle.",
        "The fourth crop drops the subject.",
        "Only this crop places the subject on the left third and the upper third.",
    ),
    "center/reason": (
        "The subject takes the center of the frame, giving a formal look.",
        "The subject sits in the exact center, with the same space left and right.",
        "Symmetrical placement puts the subject at the heart of the picture.",
        "A bull's-eye composition: the subject is right in the middle.",
        "The picture is balanced, with its weight in the center.",
    ),
    "horizon/evidence": (
        "The horizon line cuts straight across the photo.",
        "A clear horizontal divide between sky and sea.",
        "The horizon is level and runs the full width.",
        "A straight, level horizon line just below the center.",
    ),
    "horizon/reason": (
        "The horizon falls on the lower third, so the sky dominates.",
        "By lowering the horizon to the bottom third, the crop emphasizes the sky.",
        "The horizon stays level and the sky gets most of the frame.",
        "A broad, landscape-format crop that keeps the level horizon.",
    ),
    "lines/evidence": (
        "The road's edges act as leading lines toward the vanishing point.",
        "Lines converge at a vanishing point in the upper half.",
        "Strong perspective lines lead into the distance.",
    ),
    "lines/reason": (
        "The leading lines are kept and still draw the viewer in.",
        "The vanishing point stays in the frame.",
    ),
    "mirror/evidence": (
        "The image is nearly symmetrical from left to right.",
        "Shapes on the left are mirrored on the right.",
        "A central vertical axis divides the photo into two mirrored halves.",
    ),
    "mirror/reason": (
        "The symmetry remains intact in this crop.",
        "Keeps the mirrored shapes on both sides of the axis.",
    ),
    "pattern/evidence": (
        "A repeating pattern covers the whole photo.",
        "Rows of identical motifs repeat across the frame.",
    ),
    "pattern/why": (
        "The whole frame is kept because the pattern fills it evenly.",
        "There is nothing to gain from a crop, as the pattern needs the full frame.",
        "The photograph works best as it is.",
        "I would leave it as it is: the repetition carries the picture.",
    ),
    "curve/evidence": (
        "A long, flowing curve sweeps through the frame.",
        "The curve draws the eye from one side to the other.",
    ),
    "triangle/evidence": ("The shape forms a solid triangle.", "A triangular form gives the picture stability."),
    "vertical/evidence": ("Several upright lines divide the frame.", "Tall vertical trunks rise through the frame."),
    "faces/reason": (
        "Both people are kept whole.",
        "No face is cut off at the border.",
        "The two faces are fully visible.",
    ),
    "upright/reason": (
        "The upright format follows the single subject.",
        "A 4:5 crop that is taller than wide.",
        "The portrait format suits the subject.",
    ),
}
"""Written when the list above passed: 44 of 66 were understood at first sight, some forms learnt since."""
