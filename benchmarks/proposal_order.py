"""How often another order of the proposals changes a trained model's decision, beside other runs.

    python benchmarks/proposal_order.py --data data/scenes --run runs/nano/sft --run runs/nano/dpo

Prints one Markdown table. `changed` near 0: the model compares; near 1 - 1/K: it goes by places. `hits` must lie above
`chance`, or the comparison is worth nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crop_reasoning.engines.hf import HFEngine
from crop_reasoning.evaluation.order import OrderEffect, order_effect

HEAD = "| run | n | decisions changed | hits | chance | places, first to last |\n|---|---|---|---|---|---|"


def row(name: str, found: OrderEffect) -> str:
    """A line of the table, with 95 % intervals."""
    places = " ".join(f"{share:.2f}" for share in found.places)
    changed, hits = (f"{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in (found.changed, found.hits))
    return f"| {name} | {found.n} | {changed} | {hits} | {found.chance:.3f} | {places} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", action="append", required=True, help="a run folder; may be given several times")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    rows = [
        row(run, order_effect(HFEngine(run), options.data, options.split, limit=options.limit)) for run in options.run
    ]
    print("\n".join([HEAD, *rows]))


if __name__ == "__main__":
    main()
