"""The cropped photograph as a file: upright, with its color profile and its author's name.

This module owns what survives in the file. It never touches the original and never leaves half a file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from PIL import ExifTags, Image, ImageOps

from crop_reasoning.errors import DataError, EnvironmentProblem
from crop_reasoning.images import FORMATS, load_upright
from crop_reasoning.serving.guards import BoxPx

QUALITY = 95
SUFFIX = ".crop.jpg"
_PROFILES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_TAGS = ("ImageDescription", "Make", "Model", "Software", "DateTime", "Artist", "Copyright", "XPTitle", "XPAuthor")
_MAX_BLOCK = 65_000  # a JPEG marker holds 64 KiB


def write_crop(source: Path, box_px: BoxPx, out: Path, *, force: bool = False) -> tuple[str, ...]:
    """Write the upright pixels `box_px` (corners exclusive) of `source` to `out` as JPEG; what could not be kept.

    Kept: color profile, EXIF (with author and copyright, now upright and of the new size), XMP. `DataError` if `out`
    exists and `force` is not given, or if it is `source` itself; `EnvironmentProblem` if it cannot be written.
    """
    check_output(source, out, force=force)
    pixels = load_upright(source)  # all its checks, and the frame in which box_px is meant
    with Image.open(source, formats=FORMATS) as original:
        upright = ImageOps.exif_transpose(original)
        if upright.mode in _PROFILES and "transparency" not in upright.info:
            pixels = upright  # gray stays gray, print colors stay print colors
        options, lost = _kept(upright, pixels.mode, (box_px[2] - box_px[0], box_px[3] - box_px[1]))
    _write(pixels.crop(box_px), out, options)
    return lost


def check_output(source: Path, out: Path, *, force: bool = False) -> None:
    """`DataError` if writing `out` would replace `source` (never allowed) or another file (unless `force`)."""
    if out.exists() and source.exists() and out.samefile(source):
        raise DataError(f"{out}: is the original itself; choose another name")
    if out.exists() and not force:
        raise DataError(f"{out}: exists already; remove it, choose another place with --out, or give --force")


def _kept(upright: Image.Image, mode: str, wh: tuple[int, int]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The saver's options that carry profile and metadata over, and the names of the parts left out."""
    options: dict[str, bytes] = {}
    lost = []
    profile = upright.info.get("icc_profile")
    if profile and profile[16:20] == _PROFILES[mode]:
        options["icc_profile"] = profile
    elif profile:
        lost.append(f"its color profile (made for {profile[16:20].decode('ascii', 'replace').strip()} pixels)")
    options["exif"] = _exif(upright, wh, camera=True)
    if len(options["exif"]) > _MAX_BLOCK:
        options["exif"] = _exif(upright, wh, camera=False)
        lost.append("camera settings (EXIF above 64 KiB)")
    xmp = upright.info.get("xmp")
    if isinstance(xmp, bytes) and len(xmp) <= _MAX_BLOCK:
        options["xmp"] = xmp
    elif xmp:
        lost.append("XMP above 64 KiB")
    if "photoshop" in upright.info:
        lost.append("the IPTC block (author and copyright stay where EXIF or XMP hold them)")
    return options, tuple(lost)


def _exif(upright: Image.Image, wh: tuple[int, int], *, camera: bool) -> bytes:
    # only tags that describe the photograph: a TIFF's also hold its strip addresses, and an old thumbnail would show
    # what was cropped away
    old, new = upright.getexif(), Image.Exif()
    for name in _TAGS:
        tag = ExifTags.Base[name]
        if tag in old:
            new[tag] = old[tag]
    for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) if camera else ():
        values = dict(old.get_ifd(ifd))
        if values and ifd == ExifTags.IFD.Exif:
            values |= {ExifTags.Base.ExifImageWidth: wh[0], ExifTags.Base.ExifImageHeight: wh[1]}
        if values:
            new[ifd] = values
    return new.tobytes()


def _write(image: Image.Image, out: Path, options: dict[str, bytes]) -> None:
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        image.save(partial, "JPEG", quality=QUALITY, subsampling=0, **options)
        os.replace(partial, out)
    except OSError as problem:
        reason = problem.strerror or problem
        raise EnvironmentProblem(f"{out}: cannot be written ({reason}); free space there or write elsewhere") from None
    finally:
        with suppress(OSError):
            partial.unlink()
