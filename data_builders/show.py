"""A contact sheet: photos of a built data set with their best crop drawn, as one picture or one web page."""

from __future__ import annotations

import base64
import html
import io
import math
import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from crop_reasoning.composition.overlay import overlay
from crop_reasoning.errors import DataError, Interrupted, RecipeError
from crop_reasoning.files import written_whole
from crop_reasoning.images import load_upright
from crop_reasoning.records import CropRecord, read_records
from data_builders.exporting import refuse_target
from data_builders.suspicions import worst_first

TILE, CAPTION, GAP = 300, 22, 12  # px
MADE_BY = "crop-reasoning data show"
"""Stands near the beginning of every sheet, by which one may take the place of another."""
Shown = tuple[CropRecord, str]
"""A record and the caption under it."""
_HEAD = 1024  # bytes
_GROUND, _INK = "#18181b", "#e4e4e7"
_STYLE = (
    f"body{{background:{_GROUND};color:{_INK};font:14px system-ui,sans-serif;margin:24px}}"
    "main{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-end}figure{margin:0}img{display:block}"
    "figcaption{padding-top:6px}p{max-width:60em}"
)


def write_sheet(folder: Path, out: Path, *, n: int = 24, seed: int = 0, worst: bool = False) -> list[Shown]:
    """Draw `n` records, chosen by `seed`, in file order into `out` (.png or .html); those shown with their captions.

    `worst` chooses those that most likely are wrong (`suspicions.worst_first`), the worst first, each with its reason.
    The best crop is drawn as an expert's, the subject where the record names one. `RecipeError` for another ending or
    n < 1; `DataError` for a photo that cannot be read, if `out` is in use (a photo, in the built folder, no sheet), if
    there is no record and if nothing speaks against any. `Interrupted` if stopped by hand.
    """
    if out.suffix not in _WRITERS:
        raise RecipeError(f"{out}: a contact sheet is a .png or an .html file, got {out.suffix or 'no ending'}")
    if n < 1:
        raise RecipeError(f"--n {n}: expected at least 1")
    records = read_records(folder)
    if not records:
        raise DataError(f"{folder}: holds no record; there is nothing to show")
    refuse_target(out, folder, records)
    _refuse_other_file(out)
    try:
        shown = _chosen(folder, records, n, seed, worst)
        kind = "most suspicious of " if worst else "of "
        _WRITERS[out.suffix](out, folder, shown, f"{len(shown)} {kind}{len(records)} records of {folder}")
    except KeyboardInterrupt:
        raise Interrupted(f"{out}: stopped by hand and not written; the same command draws it") from None
    return shown


def _chosen(folder: Path, records: Sequence[CropRecord], n: int, seed: int, worst: bool) -> list[Shown]:
    """The records to draw, with their captions."""
    if worst:
        shown = [(record, f"{_caption(record)}\n{reason}") for record, reason in worst_first(folder, records, n)]
        if not shown:
            raise DataError(f"{folder}: nothing speaks against any of {len(records)} records; leave out --worst")
    else:
        chosen = sorted(random.Random(seed).sample(range(len(records)), min(n, len(records))))
        shown = [(records[index], _caption(records[index])) for index in chosen]
    return shown


def _refuse_other_file(out: Path) -> None:
    """`DataError` if something else than an earlier contact sheet stands at `out`."""
    if not os.path.lexists(out):
        return
    if out.is_file():
        with out.open("rb") as file:
            if MADE_BY.encode() in file.read(_HEAD):
                return
    raise DataError(f"{out}: is there already and is no contact sheet; choose another --out, or remove it")


def draw_record(folder: Path, record: CropRecord, side: int = TILE) -> Image.Image:
    """The record's photo within `side` px, with its best crop and its subject."""
    image = load_upright(folder / record.image.path)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return overlay(image, subject=record.subject, experts=[record.best] if record.crops else [])


def _caption(record: CropRecord) -> str:
    kept = f"keeps {record.best.area:.0%}" if record.crops else "no crop"
    return f"{record.id} · {record.split} · {kept}"


def contact_sheet(tiles: Iterable[Image.Image], captions: Sequence[str], title: str) -> Image.Image:
    """Pictures of at most `TILE` px each way in rows, each with its caption (of one line or more) under it."""
    columns = min(len(captions), max(1, round(math.sqrt(1.5 * len(captions)))))
    rows = math.ceil(len(captions) / columns)
    caption_height = CAPTION * max(caption.count("\n") + 1 for caption in captions)
    step_x, step_y = TILE + GAP, TILE + caption_height + GAP
    sheet = Image.new("RGB", (GAP + columns * step_x, GAP + CAPTION + rows * step_y), _GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, fill=_INK, font=ImageFont.load_default(14))
    font = ImageFont.load_default(12)
    for index, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        left, top = GAP + index % columns * step_x, GAP + CAPTION + index // columns * step_y
        sheet.paste(tile, (left + (TILE - tile.width) // 2, top + (TILE - tile.height) // 2))
        middle = (left + TILE / 2, top + TILE + caption_height / 2)
        draw.text(middle, caption, fill=_INK, font=font, anchor="mm", align="center")
    return sheet


def _write_png(out: Path, folder: Path, shown: Sequence[Shown], title: str) -> None:
    tiles = (draw_record(folder, record) for record, _ in shown)
    sheet = contact_sheet(tiles, [caption for _, caption in shown], title)
    made_by = PngInfo()
    made_by.add_text("Software", MADE_BY)
    with written_whole(out) as file:
        sheet.save(file, "PNG", pnginfo=made_by)


def _write_html(out: Path, folder: Path, shown: Sequence[Shown], title: str) -> None:
    figures = []
    for record, caption in shown:
        buffer = io.BytesIO()
        draw_record(folder, record).save(buffer, "JPEG", quality=88)
        source = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        words = html.escape(caption)
        lines = words.replace("\n", "<br>")
        figures.append(f'<figure><img src="{source}" alt="{words}"><figcaption>{lines}</figcaption></figure>')
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="generator" content="{MADE_BY}">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p>Dashed: the best crop of each record. "
        f"Yellow: its subject, where one is known.</p><main>{''.join(figures)}</main></html>\n"
    )
    with written_whole(out) as file:
        file.write(page.encode())


_WRITERS = {".png": _write_png, ".html": _write_html}
