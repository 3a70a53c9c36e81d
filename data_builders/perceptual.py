"""Copies of one photograph, known by what they show: a thumbnail a photo, two hashes of it, and a closer look.

A thumbnail is all that is kept of a photo: 32x32 values of grey. Two hashes of 64 bits follow from it, one of gradients
of brightness, one of low frequencies. Where both agree the thumbnails themselves are compared, because plain skies come
near each other in either hash. Resized, recompressed, brightened, grey and mirrored copies are found; copies cropped by
more than a few percent, rotated or redrawn are not. `benchmarks/decontaminate.py` measures how often.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crop_reasoning.errors import DataError, Interrupted
from crop_reasoning.images import load_upright
from crop_reasoning.log import progress, say

SIDE = 32
"""Values along a side of a thumbnail."""
GRADIENT_BITS, FREQUENCY_BITS, CORRELATION = 12, 12, 0.85
"""Two pictures show the same if either hash differs in at most so many bits of 64 and the thumbnails correlate so."""
RULE = {"gradient_bits": GRADIENT_BITS, "frequency_bits": FREQUENCY_BITS, "correlation": CORRELATION}
JOURNAL = "thumbnails.journal"
_COMPARED_AT_ONCE = 4_000_000
_HASHED_AT_ONCE = 4096

Thumbnails = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near two pictures are: bits of 64 that differ in either hash, correlation of their thumbnails (at most 1).

    `mirrored` says that they agree when one of them is turned left to right.
    """

    gradient_bits: int
    frequency_bits: int
    correlation: float
    mirrored: bool


SAME_FILE = Likeness(0, 0, 1.0, False)


def thumbnail(image: Image.Image) -> Thumbnails:
    """An upright image as [32, 32] values of grey, each the mean of its part of the image."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


def hashes(thumbnails: Thumbnails) -> NDArray[np.uint64]:
    """Two hashes of each of n thumbnails [n, 32, 32]: of gradients and of low frequencies, [n, 2].

    A bit of the first says which of two neighbors is brighter, of 8 rows of 9 parts. A bit of the second says that one
    of the 8x8 lowest cosine waves is stronger than their median.
    """
    found = np.empty((len(thumbnails), 2), np.uint64)
    for start in range(0, len(thumbnails), _HASHED_AT_ONCE):
        grey = thumbnails[start : start + _HASHED_AT_ONCE].astype(np.float64)
        parts = _EIGHTHS @ grey @ _NINTHS.T
        waves = (_WAVES @ grey @ _WAVES.T).reshape(-1, 64)
        median = np.median(waves[:, 1:], axis=1, keepdims=True)  # the first wave is the mean brightness
        waves[:, 0] = median[:, 0]
        found[start : start + len(grey), 0] = _packed((parts[..., 1:] > parts[..., :-1]).reshape(-1, 64))
        found[start : start + len(grey), 1] = _packed(waves > median)
    return found


def same_pictures(ours: Mapping[str, Thumbnails], theirs: Mapping[str, Thumbnails]) -> dict[tuple[str, str], Likeness]:
    """The pairs (one of ours, one of theirs) that show the same, sorted. Photos are named by the sha256 of their files.

    The very same file is a pair, too, whatever it shows; of two files that are all of one grey nothing can be said.
    """
    found = {(sha256, sha256): SAME_FILE for sha256 in ours.keys() & theirs.keys()}
    if ours and theirs:
        first, second = list(ours), list(theirs)
        for i, j, likeness in _alike(np.stack(list(ours.values())), np.stack(list(theirs.values()))):
            found.setdefault((first[i], second[j]), likeness)
    return dict(sorted(found.items()))


def _alike(ours: Thumbnails, theirs: Thumbnails) -> Iterator[tuple[int, int, Likeness]]:
    """The places of two pictures that show the same, those found without a mirror first."""
    our_hashes = hashes(ours)
    rows = max(1, _COMPARED_AT_ONCE // len(theirs))
    for mirrored, seen in ((False, theirs), (True, theirs[:, :, ::-1])):
        gradients, frequencies = hashes(seen).T
        for start in range(0, len(ours), rows):
            part = our_hashes[start : start + rows]
            row, column = np.nonzero(np.bitwise_count(part[:, 1, None] ^ frequencies) <= FREQUENCY_BITS)
            near = np.bitwise_count(part[row, 0] ^ gradients[column]) <= GRADIENT_BITS
            for i, j in zip((start + row[near]).tolist(), column[near].tolist(), strict=True):
                alike = correlation(ours[i], seen[j])
                if alike >= CORRELATION:
                    gradient, frequency = np.bitwise_count(our_hashes[i] ^ [gradients[j], frequencies[j]]).tolist()
                    yield i, j, Likeness(gradient, frequency, round(alike, 4), mirrored)


def correlation(first: Thumbnails, second: Thumbnails) -> float:
    """How alike two thumbnails are but for brightness and contrast, in [-1,1]; 0 if one of them is all of one grey."""
    a, b = (grey - grey.mean(dtype=np.float64) for grey in (first, second))
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale else 0.0


def read_thumbnails(photos: Mapping[str, Path], journal: Path) -> tuple[dict[str, Thumbnails], dict[str, str]]:
    """The thumbnail of each photo that can be read, by sha256 in the order given; and the reasons for the others.

    What `journal` knows is not read again; what is read is noted there at once, if that can be written. `Interrupted`
    if stopped by hand: the same call goes on.
    """
    known = _read_journal(journal)
    unread = {sha256: path for sha256, path in photos.items() if sha256 not in known}
    reasons: dict[str, str] = {}
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        with _appended(journal) as lines:
            for sha256, seen in zip(
                unread, progress(pool.map(_look, unread, unread.values()), "photos", len(unread)), strict=True
            ):
                if isinstance(seen, str):
                    reasons[sha256] = seen
                    continue
                known[sha256] = seen
                lines.write(json.dumps({"sha256": sha256, "grey": base64.b64encode(seen.tobytes()).decode()}) + "\n")
    except KeyboardInterrupt:
        raise Interrupted(f"{journal}: stopped by hand; the photos read so far are noted there, run it again") from None
    finally:
        pool.shutdown(cancel_futures=True)
    return {sha256: known[sha256] for sha256 in photos if sha256 in known}, reasons


def _look(sha256: str, path: Path) -> Thumbnails | str:
    """A photo's thumbnail, or why there is none."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            return "is not the one recorded (sha256 differs)"
        return thumbnail(load_upright(content))
    except OSError as problem:
        return problem.strerror or str(problem)
    except DataError as problem:
        return str(problem).partition(": ")[2]


def _appended(journal: Path) -> contextlib.AbstractContextManager[io.TextIOBase]:
    try:
        return journal.open("a", encoding="utf-8")
    except OSError as problem:
        say(f"{journal}: not written ({problem.strerror}); the photos will be read again next time")
        return contextlib.nullcontext(io.StringIO())


def _read_journal(journal: Path) -> dict[str, Thumbnails]:
    """The thumbnails of a journal; a line that was cut short is forgotten."""
    known = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []:
        try:
            value = json.loads(line)
            grey = np.frombuffer(base64.b64decode(value["grey"]), np.uint8).reshape(SIDE, SIDE)
        except (ValueError, KeyError, TypeError):
            continue
        known[str(value["sha256"])] = grey
    return known


def _means(parts: int) -> NDArray[np.float64]:
    """The matrix [parts, 32] that cuts 32 values into equal parts and takes the mean of each."""
    edges, cells = np.linspace(0, SIDE, parts + 1), np.arange(SIDE)
    shares = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.maximum(shares, 0) * parts / SIDE


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows of 64 bits, each as one integer."""
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


_EIGHTHS, _NINTHS = _means(8), _means(9)
_WAVES = np.cos(np.pi / SIDE * np.outer(np.arange(8), np.arange(SIDE) + 0.5))
