"""Both errors of `data decontaminate`: different photos taken for one, and changed copies that are not found.

    python benchmarks/decontaminate.py PHOTOS [PHOTOS ...]

Every photo of the folders is compared with every other, the nearest pairs are named (look at them: some may be true
copies), and every `EVERY`th photo is changed in each way and looked for again. Then the comparison is timed on random
thumbnails, as many as a large training set and all its benchmarks hold.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crop_reasoning.images import load_upright
from data_builders import perceptual
from data_builders.perceptual import Thumbnails, correlation, hashes, same_pictures, thumbnail
from data_builders.sources import photos_in

EVERY, NEAREST = 6, 12
TIMED = (100_000, 10_000)
WIDE = 20
"""Bits of either hash within which a pair is worth naming."""
Change = Callable[[Image.Image], Image.Image]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="PHOTOS")
    paths = [path for folder in parser.parse_args().folders for path in photos_in(folder)]
    with ThreadPoolExecutor() as pool:
        thumbnails = np.stack(list(pool.map(lambda path: thumbnail(load_upright(path)), paths)))
        chosen = range(0, len(paths), EVERY)
        changed = list(pool.map(lambda place: _changed(load_upright(paths[place])), chosen))
    _print_false(paths, thumbnails)
    print(f"\n| change | found, of {len(chosen)} | gradient bits: median, most | frequency bits | least correlation |")
    print("|---|---|---|---|---|")
    for number, name in enumerate(CHANGES):
        copies = np.stack([one[number] for one in changed])
        _print_found(name, thumbnails[list(chosen)], copies)
    _print_time()


def scaled(share: float) -> Change:
    return lambda image: image.resize(
        (max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.LANCZOS
    )


def recompressed(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        content = io.BytesIO()
        image.save(content, "JPEG", quality=quality)
        return load_upright(content.getvalue())

    return change


def brightened(gamma: float) -> Change:
    return lambda image: image.point(lambda value: round(255 * (value / 255) ** gamma))


def warmed(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge(
        "RGB", (red.point(lambda v: min(255, round(1.1 * v))), green, blue.point(lambda v: round(0.9 * v)))
    )


def trimmed(share: float) -> Change:
    """Cuts `share` of the side off each of the four borders."""

    def change(image: Image.Image) -> Image.Image:
        dx, dy = round(image.width * share), round(image.height * share)
        return image.crop((dx, dy, image.width - dx, image.height - dy))

    return change


def everything(image: Image.Image) -> Image.Image:
    return recompressed(50)(scaled(0.5)(brightened(0.8)(ImageOps.mirror(image))))


CHANGES: dict[str, Change] = {
    **{f"resized to {share:.0%}": scaled(share) for share in (0.25, 0.5, 2.0)},
    **{f"JPEG quality {quality}": recompressed(quality) for quality in (20, 50, 95)},
    **{f"gamma {gamma}": brightened(gamma) for gamma in (0.8, 1.2)},
    "red +10 %, blue -10 %": warmed,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "mirrored, gamma 0.8, half the size, quality 50": everything,
    **{f"{share:.0%} cut off each border": trimmed(share) for share in (0.01, 0.02, 0.05, 0.1)},
}


def _changed(image: Image.Image) -> list[Thumbnails]:
    return [thumbnail(change(image)) for change in CHANGES.values()]


def _print_false(paths: list[Path], thumbnails: Thumbnails) -> None:
    """The pairs of different photos that are taken for one, and the nearest of the others."""
    near = []
    for mirrored, seen in ((False, thumbnails), (True, thumbnails[:, :, ::-1])):
        first, second = hashes(thumbnails), hashes(seen)
        for i in range(len(paths) - 1):
            bits = np.bitwise_count(first[i] ^ second[i + 1 :]).astype(int)
            for j in np.nonzero((bits <= WIDE).all(axis=1))[0]:
                alike = correlation(thumbnails[i], seen[i + 1 + j])
                near.append((*bits[j].tolist(), alike, mirrored, paths[i], paths[i + 1 + j]))
    taken = sum(g <= perceptual.GRADIENT_BITS and f <= perceptual.FREQUENCY_BITS and c >= perceptual.CORRELATION
                for g, f, c, *_ in near)  # fmt: skip
    pairs = len(paths) * (len(paths) - 1) // 2
    print(f"{len(paths):,} photos, {pairs:,} pairs, each also mirrored: {taken} pairs taken for one photo")
    print(f"\nat most so many bits of each hash apart, of all pairs ({perceptual.RULE}):\n")
    print("| bits | any correlation | 0.8 | 0.85 | 0.9 | 0.95 |\n|---|---|---|---|---|---|")
    for bits in (8, 10, 12, 14, 16, 18, 20):
        within = [c for g, f, c, *_ in near if max(g, f) <= bits]
        print(
            f"| {bits} | {len(within)} |" + "".join(f" {sum(c >= x for c in within)} |" for x in (0.8, 0.85, 0.9, 0.95))
        )
    print(f"\nthe {NEAREST} nearest (of those that correlate by {perceptual.CORRELATION} or more):\n")
    print("| gradient bits | frequency bits | correlation | mirrored | photos |\n|---|---|---|---|---|")
    close = sorted((one for one in near if one[2] >= perceptual.CORRELATION), key=lambda one: max(one[:2]))
    for gradient, frequency, alike, mirrored, one, other in close[:NEAREST]:
        turned = "yes" if mirrored else ""
        print(
            f"| {gradient} | {frequency} | {alike:.3f} | {turned} "
            f"| {one.parent.name}/{one.name} {other.parent.name}/{other.name} |"
        )


def _print_found(name: str, photos: Thumbnails, copies: Thumbnails) -> None:
    """How many copies are found again, and their distances to the photo (the nearer of plain and mirrored)."""
    distances, found = [], 0
    for photo, copy in zip(photos, copies, strict=True):
        found += bool(same_pictures({"photo": photo}, {"copy": copy}))
        sides = ((photo, copy), (photo, copy[:, ::-1]))
        distances.append(
            min(
                (*np.bitwise_count(hashes(a[None])[0] ^ hashes(b[None])[0]).tolist(), correlation(a, b))
                for a, b in sides
            )
        )
    gradient, frequency, alike = zip(*distances, strict=True)
    print(
        f"| {name} | {found} ({found / len(photos):.1%}) | {np.median(gradient):g}, {max(gradient)} "
        f"| {np.median(frequency):g}, {max(frequency)} | {min(alike):.3f} |"
    )


def _print_time() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = ({f"{side}{i}": grey for i, grey in enumerate(rng.integers(0, 256, (n, 32, 32), np.uint8))}
                    for side, n in zip("ab", TIMED, strict=True))  # fmt: skip
    start = time.perf_counter()
    same_pictures(ours, theirs)
    print(f"\n{TIMED[0]:,} x {TIMED[1]:,} photos compared in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
