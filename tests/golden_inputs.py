"""What the inputs of golden cases hold, as the evaluators of `evaluation.compat` take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crop_reasoning.evaluation.compat.candidates import Image
from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.items import Item
from data_builders.gaicd import UNRATED

Input = Mapping[str, Any]


class Uncovered(Exception):
    """No function of ours reproduces this column."""


def kind_of(case: Input) -> str:
    """The kind of an input, by its fields; `Uncovered` for another one."""
    first = next((case[name][0] for name in ("images", "items") if isinstance(case.get(name), list) and case[name]), {})
    for kind, fields, inner in (
        ("pairs", {"pairs"}, set()),
        ("candidates", {"images"}, {"lines"}),
        ("boxes", {"images"}, {"boxes", "mos"}),
        ("answers", {"items"}, {"text"}),
        ("items", {"items"}, {"gt", "pred"}),
        ("answer", {"text"}, set()),
        ("vector", {"mos", "pred"}, set()),
        ("pair", {"pred", "gt"}, set()),
        ("rescale", {"w", "h", "lines"}, set()),
        ("grid", {"w", "h"}, set()),
    ):
        if fields <= case.keys() and inner <= first.keys():
            return str(kind)
    raise Uncovered(f"input of {', '.join(sorted(case)) or 'nothing'}")


def rows(lines: Sequence[str]) -> list[list[float]]:
    """The rated rows `y1 x1 y2 x2 mos` of an annotation."""
    found = [[float(number) for number in line.split()] for line in lines]
    return [row for row in found if row[4] != UNRATED]


def candidate_images(case: Input) -> list[Image]:
    return [Image(tuple(row[4] for row in rows(one["lines"])), tuple(one["pred"])) for one in case["images"]]


def item(one: Input, predictions: Sequence[Sequence[float]], truths: Sequence[Sequence[float]]) -> Item:
    return Item(one["w"], one["h"], tuple(map(tuple, truths)), tuple(tuple(box) for box in predictions if box))


def single(case: Input) -> list[Item]:
    """One prediction an image."""
    return [item(one, [one["pred"]], one["gt"]) for one in case["items"]]


def several(case: Input) -> list[Item]:
    return [item(one, one.get("preds", [one["pred"]]), one["gt"]) for one in case["items"]]


def best_box(case: Input) -> list[Item]:
    return [item(one, [one["pred"]], [one.get("best_box", one["gt"][0])]) for one in case["items"]]


def scenes(case: Input) -> list[Scene]:
    return [
        Scene(
            one["w"],
            one["h"],
            tuple(map(tuple, one["boxes"])),
            tuple(one["mos"]),
            tuple(map(tuple, one["pred"])),
            tuple(one["score"]),
        )
        for one in case["images"]
    ]


def text_item(case: Input) -> tuple[str, Item]:
    return case["text"], item(case, [], case["gt"])


def ranked_pairs(case: Input) -> tuple[list[int], list[tuple[float, float]]]:
    pairs = case["pairs"]
    return [p["vote_for_0"] for p in pairs], [(p["score_0"], p["score_1"]) for p in pairs]


def rescaled(case: Input) -> tuple[list[list[float]], int, int, float]:
    return rows(case["lines"]), case["w"], case["h"], float(case["image_size"])
