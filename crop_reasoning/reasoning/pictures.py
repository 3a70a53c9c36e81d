"""The pictures that a prompt shows: the photo as the model sees it and, for prompts with guides, its drawn copy.

Both have the size of one plan, so a coordinate means the same place in either. What is drawn was measured on the
upright photo, never on its resized copy: training, evaluation and serving draw the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from crop_reasoning.images import ImagePlan, resize_to_plan
from crop_reasoning.reasoning.prompts import shows_guides

if TYPE_CHECKING:
    from crop_reasoning.composition.analysis import Analysis


def drawn_by() -> str:
    """Which version of the drawing, of the measures and which networks guides come from here: a model must be shown
    what it was trained on."""
    from crop_reasoning.composition import analysis, render
    from crop_reasoning.composition.subject import detectors

    return f"{render.VERSION}, {analysis.VERSION} ({detectors()})"


def pictures(
    image: Image.Image, plan: ImagePlan, prompt_id: str, analysis: Analysis | None = None
) -> tuple[Image.Image, ...]:
    """What `prompt_id` shows of an upright photo, each of `plan.seen_wh` px; `analysis`, if it is known already, saves
    measuring the photo again."""
    seen = resize_to_plan(image, plan)
    if not shows_guides(prompt_id):
        return (seen,)
    from crop_reasoning.composition.analysis import analyse
    from crop_reasoning.composition.render import MODEL, render

    return (seen, render(seen, analysis or analyse(image), MODEL))
