"""Pictures that `render` made and somebody looked at, in `tests/golden_images/`.

`python -m tests.golden_images` makes them anew: look at each before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from crop_reasoning.composition.analysis import Analysis
from crop_reasoning.composition.render import MODEL, PEOPLE, render
from tests.drawn_analyses import EVERYTHING, analysis_of

MANY = ("golden ratio", "center", "horizontal", "diagonal", "curved", "triangle", "subject", "face")
FOLDER = Path(__file__).parent / "golden_images"


def dusk(wh: tuple[int, int]) -> Image.Image:
    """A dark sky above a darker land, in bands that compress well."""
    rows = np.linspace(0, 1, wh[1])[:, None, None]
    sky = (1 - rows) * np.array([20, 30, 80]) + rows * np.array([230, 140, 90])
    pixels = np.where(rows < 0.57, sky, np.array([30, 36, 34]))
    return Image.fromarray(np.broadcast_to(pixels, (wh[1], wh[0], 3)).astype(np.uint8))


def plain(wh: tuple[int, int], color: str) -> Image.Image:
    return Image.new("RGB", wh, color)


GOLDEN: dict[str, Callable[[], Image.Image]] = {
    "model_everything": lambda: render(plain((480, 320), "#777777"), EVERYTHING, MODEL),
    "people_many": lambda: render(plain((330, 220), "#e8e4da"), analysis_of(*MANY), PEOPLE),
    "model_dusk_240": lambda: render(dusk((240, 160)), analysis_of("horizontal", "diagonal", "subject"), MODEL),
    "people_narrow": lambda: render(dusk((110, 330)), analysis_of("center", "face", "subject"), PEOPLE),
    "model_empty": lambda: render(plain((300, 200), "#3355aa"), Analysis((300, 200)), MODEL),
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in GOLDEN.items():
        make().save(FOLDER / f"{name}.png", optimize=True)
        print(FOLDER / f"{name}.png", (FOLDER / f"{name}.png").stat().st_size)
