"""Images: bytes to upright RGB pixels, and the resize plan that follows from a size alone.

This module owns orientation, decoding limits and the resize rule of the Qwen-VL line. It must not know models: a
`VisionBudget` carries the three numbers that differ between them.
"""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Size

MAX_PIXELS = 50_000_000
"""Larger photographs are refused before their pixels are decoded."""
MAX_ASPECT = 200
"""The processors of the Qwen-VL line refuse images longer than this many times their width."""
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `load_upright` refuses far smaller ones
ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "AVIF": (".avif", ".avifs"),
}
"""The formats that are decoded, and how the names of their files end."""
FORMATS = tuple(ENDINGS)
PHOTO_ENDINGS = frozenset(ending for endings in ENDINGS.values() for ending in endings)


@dataclass(frozen=True, slots=True)
class VisionBudget:
    """What a model's processor does to sizes: sides are multiples of `factor`, pixels within [min, max]."""

    family: str
    factor: int
    min_pixels: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What becomes of an upright image of `original_wh`: the size the model sees and its cost in tokens."""

    original_wh: Size
    seen_wh: Size
    visual_tokens: int
    family: str


def plan_image(wh: Size, budget: VisionBudget) -> ImagePlan:
    """The resize plan of an upright image of size `wh` (pixels), from its size alone.

    The rule is that of the Qwen-VL processors (`smart_resize`): nearest multiples of `factor`, scaled into the pixel
    budget with the aspect kept as far as the grid allows. `DataError` for empty images, aspects above 200, and strips
    so long that a processor given the resized pixels would resize or refuse them (none below 20:1 at usual budgets).

    >>> plan_image((1024, 683), VisionBudget("qwen3_vl", 32, 65536, 16777216)).visual_tokens
    672
    """
    w, h = wh
    if min(w, h) < 1 or max(w, h) > MAX_ASPECT * min(w, h):
        raise DataError(
            f"an image of {w}x{h} px: the processors of this model line take aspects up to {MAX_ASPECT}:1; "
            "crop or pad it first"
        )
    seen = _smart_resize(wh, budget)
    if max(seen) > MAX_ASPECT * min(seen) or _smart_resize(seen, budget) != seen:
        raise DataError(
            f"an image of {w}x{h} px becomes {seen[0]}x{seen[1]}, which this model's processor would resize again; "
            "it is too long a strip for the pixel budget: crop or pad it first, or raise the budget"
        )
    tokens = (seen[0] // budget.factor) * (seen[1] // budget.factor)
    return ImagePlan((w, h), seen, tokens, budget.family)


def _smart_resize(wh: Size, budget: VisionBudget) -> Size:
    (w, h), factor = wh, budget.factor
    seen_w, seen_h = round(w / factor) * factor, round(h / factor) * factor
    if seen_w * seen_h > budget.max_pixels:
        shrink = math.sqrt(w * h / budget.max_pixels)
        seen_w = max(factor, math.floor(w / shrink / factor) * factor)
        seen_h = max(factor, math.floor(h / shrink / factor) * factor)
    elif seen_w * seen_h < budget.min_pixels:
        grow = math.sqrt(budget.min_pixels / (w * h))
        seen_w = math.ceil(w * grow / factor) * factor
        seen_h = math.ceil(h * grow / factor) * factor
    return (seen_w, seen_h)


def load_upright(source: Path | str | bytes) -> Image.Image:
    """Decode an image into upright RGB pixels (EXIF orientation applied, transparency on white).

    `DataError` names the source and the reason: missing, not an image, cut short, above `MAX_PIXELS`. Of an animation
    the first frame is taken.
    """
    name = "the image sent" if isinstance(source, bytes) else str(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{name}: {image.width}x{image.height} is {image.width * image.height / 1e6:.0f} megapixels, "
                    f"expected at most {MAX_PIXELS / 1e6:.0f}; scale it down first"
                )
            image.load()
            return to_rgb(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{name}: no such file; check the path") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name}: far above {MAX_PIXELS / 1e6:.0f} megapixels; scale it down first") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not an image of a known format; expected {', '.join(FORMATS)}") from None
    except Exception as problem:  # on broken bytes decoders raise what they like: OSError, struct.error, ...
        raise DataError(f"{name}: cannot be decoded ({problem}); expected a whole photograph") from None


def load_recorded(path: Path, wh: Size, sha256: str) -> Image.Image:
    """A photo of a built data set, upright; `DataError` if it cannot be read or is not the recorded one."""
    image = load_upright(path)
    if image.size != wh:
        raise DataError(
            f"{path}: is {image.width}x{image.height} px, the record says {wh[0]}x{wh[1]}; "
            "the file was changed, build the data set anew"
        )
    if (found := sha256_of(path)) != sha256:
        raise DataError(
            f"{path}: has sha256 {found[:12]}…, the record says {sha256[:12]}…; "
            "the file was changed, build the data set anew"
        )
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB pixels of an image of any mode, transparency on white; `ValueError` for 32 bits a channel."""
    if image.mode in ("I", "F"):
        raise ValueError("32 bits a channel, of unknown scale")
    if image.mode.startswith("I;16"):  # Pillow would clip 16 bits at 255
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def resize_to_plan(image: Image.Image, plan: ImagePlan) -> Image.Image:
    """The pixels a model sees: one bicubic resize to the plan, after which the processor has none left to do."""
    if image.size != plan.original_wh:
        raise DataError(f"an image of {image.size} px was given a plan made for {plan.original_wh}; plan it anew")
    return image if image.size == plan.seen_wh else image.resize(plan.seen_wh, Image.Resampling.BICUBIC)


def sha256_of(path: Path | str) -> str:
    """The file's sha256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
