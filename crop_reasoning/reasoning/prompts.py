"""What the model is asked, by prompt id. A run records its prompt id; serving and evaluation use the same.

`crop/1` explains the whole answer format: for models that were never tuned, and for large ones. `crop-brief/1` only
names the task: enough for a tuned model, at a tenth of the tokens.
"""

from __future__ import annotations

from crop_reasoning.codecs import Codec
from crop_reasoning.composition.elements import ELEMENTS
from crop_reasoning.errors import RecipeError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan
from crop_reasoning.reasoning.rationale import render_box
from crop_reasoning.records import CropRecord

FULL, BRIEF = "crop/1", "crop-brief/1"
PROMPT_IDS = (FULL, BRIEF)

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
_BRIEF_TEXT = "Crop this photo."


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
    text = _BRIEF_TEXT
    if prompt_id == FULL:
        text = _FULL_TEXT.format(names=", ".join(ELEMENTS), columns=columns, rows=rows)
    if subject:
        text += f"\nSubject: {render_box(subject, codec, plan)}"
    if aspect:
        text += f"\nAspect ratio: {aspect[0]}:{aspect[1]}"
    if instruction:
        text += f"\n{instruction.strip()}"
    return text


def prompt_for(record: CropRecord, prompt_id: str, codec: Codec, plan: ImagePlan) -> str:
    """The user's words for a record: a subject or an aspect is told only where the task gives it."""
    given = record.task != "free"
    aspect, subject = (record.aspect, record.subject) if given else (None, None)
    return user_text(prompt_id, codec, plan, aspect=aspect, subject=subject)
