"""What the model is asked, by prompt id. A run records its prompt id; serving and evaluation use the same.

`crop/1` explains the whole answer format: for models that were never tuned, and for large ones. `crop-brief/1` only
names the task: enough for a tuned model, at a tenth of the tokens. With `+guides` the photo is followed by a copy of
the same size on which its measured composition is drawn (`pictures`): visual enhancement, at twice the visual tokens.
"""

from __future__ import annotations

from crop_reasoning.codecs import Codec
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.errors import RecipeError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.rationale import render_box

FULL, BRIEF = "crop/1", "crop-brief/1"
PLAIN = (FULL, BRIEF)
_GUIDES = "+guides"
PROMPT_IDS = (*PLAIN, *(prompt_id + _GUIDES for prompt_id in PLAIN))

_FULL_TEXT = """\
Crop this photograph as a professional photographer would. Think in three steps and write exactly these three parts.
<analysis>
One JSON object: "subject" is the main subject's box or null; "elements" lists the compositional elements you see, \
each with "name" (one of: {names}), at most one of "point", "line" or "box", and "evidence".
</analysis>
<proposals>
Four candidate crops, one JSON object a line: "reason", "serves" (element names), "box".
</proposals>
<decision>
One JSON object: "box" is the final crop, "why" says why it wins over the others. Use the whole frame if the photo is \
best as it is.
</decision>
Boxes are [x1,y1,x2,y2], lines the same, points [x,y]: integers, x from 0 to {columns}, y from 0 to {rows}, origin at \
the top left."""
_FULL_GUIDES = """
The second image is the same photo with what was measured in it drawn on top: {legend}. All coordinates mean the \
photo."""
_BRIEF_TEXT = "Crop this photo."
_BRIEF_GUIDES = " The second image shows its guides."


def shows_guides(prompt_id: str) -> bool:
    """Whether a prompt shows a second image, the copy with guides."""
    return prompt_id.endswith(_GUIDES)


def without_guides(prompt_id: str) -> str:
    """The same prompt about the photo alone.

    >>> without_guides("crop/1+guides"), without_guides("crop/1")
    ('crop/1', 'crop/1')
    """
    return prompt_id.removesuffix(_GUIDES)


def count_images(prompt_id: str) -> int:
    """How many images a prompt shows, each at the cost of the photo's plan."""
    return 2 if shows_guides(prompt_id) else 1


def user_text(
    prompt_id: str,
    codec: Codec,
    plan: ImagePlan,
    *,
    aspect: tuple[int, int] | None = None,
    subject: Box | None = None,
    instruction: str = "",
) -> str:
    """The user's words for one photo; constraints follow the task, a line each.

    >>> from crop_reasoning.codecs import thousandths
    >>> from crop_reasoning.images import ImagePlan
    >>> user_text("crop-brief/1", thousandths, ImagePlan((8, 8), (32, 32), 1, "qwen3_vl"), aspect=(4, 5))
    'Crop this photo.\\nAspect ratio: 4:5'
    """
    if prompt_id not in PROMPT_IDS:
        raise RecipeError(f"prompt {prompt_id!r} is unknown; expected one of {', '.join(PROMPT_IDS)}")
    columns, rows = codec(plan)
    full, guides = without_guides(prompt_id) == FULL, shows_guides(prompt_id)
    text = _FULL_TEXT.format(names=", ".join(ELEMENTS), columns=columns, rows=rows) if full else _BRIEF_TEXT
    if guides:
        from crop_reasoning.composition.render import guide_legend  # imports the detectors

        text += _FULL_GUIDES.format(legend=guide_legend()) if full else _BRIEF_GUIDES
    if subject:
        text += f"\nSubject: {render_box(subject, codec, plan)}"
    if aspect:
        text += f"\nAspect ratio: {aspect[0]}:{aspect[1]}"
    if instruction:
        text += f"\n{instruction.strip()}"
    return text
