"""The card of a built data set: `README.md` beside its records, for people and for `datasets.load_dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crop_reasoning.records import SPLITS

CARD = "README.md"


def write_card(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write the card from a manifest; its front matter names the Parquet shards of each split that has some."""
    licence = "; ".join(manifest["licences"])
    shards = [split for split in SPLITS if list((folder / "parquet").glob(f"{split}-*.parquet"))]
    front = ["---", f"license_name: {licence!r}", "task_categories: [image-to-text]"]
    if shards:
        front += ["configs:", "- config_name: default", "  data_files:"]
        front += [line for split in shards for line in (f"  - split: {split}", f"    path: parquet/{split}-*.parquet")]
    front += ["---", ""]
    lines = [
        f"# {manifest['dataset']}, as crop-reasoning reads it",
        "",
        "One record a photo (and task), boxes `[x1, y1, x2, y2]` in fractions of the upright photo, best crop first.",
        "",
        *(_made_from(manifest) if "made_from" in manifest else _counts_beside_official(manifest)),
        f"- Licence: {licence}. The photos are their owners'; this folder is for your own use.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f"data = load_dataset({str(folder)!r})",
        "```",
        "",
    ]
    path = folder / CARD
    path.write_text("\n".join(front + lines), encoding="utf-8")
    return path


def _counts_beside_official(manifest: dict[str, Any]) -> list[str]:
    lines = [
        "| split | records | pairs | listed by the authors' files | official count |",
        "|---|---|---|---|---|",
    ]
    for split in SPLITS:
        row = (*_counts(manifest, split), manifest["listed"].get(split, 0))
        if any(row):
            official = manifest["official"].get(split, "unknown")
            lines.append(f"| {split} | {row[0]:,} | {row[1]:,} | {row[2]:,} | {official} |")
    return [
        *lines,
        "",
        f"- Dropped: {len(manifest['dropped'])} items, each with its reason in `manifest.json`.",
        f"- Clipped: {len(manifest['clipped'])} boxes that stood out of their photo, listed there, too.",
    ]


def _made_from(manifest: dict[str, Any]) -> list[str]:
    lines = ["| split | records | pairs |", "|---|---|---|"]
    for split in SPLITS:
        records, pairs = _counts(manifest, split)
        if records:
            lines.append(f"| {split} | {records:,} | {pairs:,} |")
    settings = ", ".join(f"{key} {value}" for key, value in manifest["settings"].items())
    return [
        *lines,
        "",
        f"- Made from the folder `{manifest['made_from']['folder']}` ({settings}); its manifest names the sources.",
        f"- Left out: {len(manifest.get('excluded', []))} records, each with its reason in `manifest.json`.",
    ]


def _counts(manifest: dict[str, Any], split: str) -> tuple[int, int]:
    return manifest["counts"]["records"][split], manifest["counts"]["pairs"][split]
