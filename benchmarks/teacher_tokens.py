"""What a teacher's requests cost in tokens and bytes. Nobody is asked.

    python benchmarks/teacher_tokens.py data/fcdb TOKENIZER --photos 20

TOKENIZER is a folder with a Qwen tokenizer. Words are counted by it, pictures by the resize plan of Qwen3-VL, and the
answer is taken to be the measured author's for the same request.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crop_reasoning.authors.measured import author_rationales
from crop_reasoning.authors.teacher import Assignment, Teacher
from crop_reasoning.codecs import thousandths
from crop_reasoning.images import VisionBudget, plan_image
from crop_reasoning.reasoning.rationale import render
from data_builders.teacher import Lesson
from data_builders.teacher_journal import Item, by_record, opened, wanted

BUDGET = VisionBudget("qwen3_vl", 32, 65_536, 16_777_216)


def cost(item: Item, assignment: Assignment, body: dict[str, Any], lesson: Lesson, tokenizer: Any) -> dict[str, int]:
    """The parts of a request and of its answer in tokens, and the request's size as a line of a batch file."""
    system, user = body["messages"]
    words = "\n".join(part["text"] for part in user["content"] if part["type"] == "text")
    pictures = [part["image_url"]["url"].partition(",")[2] for part in user["content"] if part["type"] == "image_url"]
    sizes = [Image.open(io.BytesIO(base64.b64decode(content))).size for content in pictures]
    answers = author_rationales(item.record, item.targets, lesson.measured, np.random.default_rng(0))
    first, *others = (render(answer, thousandths, assignment.plan) for answer in answers)
    text = "\n".join([first, *("<decision>" + other.partition("<decision>")[2] for other in others)])
    return {
        "system prompt": len(tokenizer.encode(system["content"])),
        "words": len(tokenizer.encode(words)),
        "pictures": sum(plan_image(size, BUDGET).visual_tokens for size in sizes),
        "answer": len(tokenizer.encode(text)),
        "bytes": len(json.dumps(body)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--photos", type=int, default=20)
    options = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    figures: dict[tuple[str, str], list[int]] = defaultdict(list)
    teacher = Teacher("any")
    with tempfile.TemporaryDirectory() as nothing, opened(Path(nothing)) as journal:
        for items in by_record(wanted(options.data, teacher, None, options.photos)):
            lesson = Lesson(options.data, items[0].record, teacher)
            for item in items[:3]:
                assignment, body = lesson.request(item, journal)
                for name, value in cost(item, assignment, body, lesson, tokenizer).items():
                    figures["pair" if item.pair else "record", name].append(value)
    print("| a request for a | | mean | sd | n |\n|---|---|---|---|---|")
    for (kind, name), values in figures.items():
        print(f"| {kind} | {name} | {fmean(values):,.0f} | {pstdev(values):,.0f} | {len(values)} |")


if __name__ == "__main__":
    main()
