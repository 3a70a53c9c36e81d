"""What the words of stored answers give away, how varied they are, and how long answers get.

    python benchmarks/rationale_words.py FOLDER [--author measured/1]

FOLDER is a built data set with `rationales.jsonl` and `pair_rationales.jsonl`. Of the pairs it asks: does the length of
a decision's reason, do its words, does the area of its box tell the preferred crop? Areas under the curve are over all
answers, the words' from a logistic regression on photos that it did not see.
"""

from __future__ import annotations

import argparse
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.authors.diversity import diversity
from crop_reasoning.codecs import thousandths
from crop_reasoning.images import ImagePlan
from crop_reasoning.models.nano import build_tokenizer
from crop_reasoning.reasoning.rationale import Rationale, render
from crop_reasoning.reasoning.store import PAIR_RATIONALES, RATIONALES, rationale_from_json
from crop_reasoning.records import read_jsonl

FOLDS, STEPS, RATE, RIDGE = 5, 400, 0.5, 1e-3
LEAST_SEEN = 5  # a word in fewer reasons is left out
PLAN = ImagePlan((1000, 1000), (1000, 1000), 1, "qwen3_vl")
Array = np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--author", default="", help="only lines of this author")
    args = parser.parse_args()
    single = [rationale_from_json(line["rationale"], "") for line in lines(args.folder / RATIONALES, args.author)]
    for name, value in diversity(single).items():
        print(f"{name}: {value:g}")
    texts = [render(answer, thousandths, PLAN) for answer in single]
    tokenizer = build_tokenizer(texts)
    tokens = [len(tokenizer(text)["input_ids"]) for text in texts]
    print(f"tokens: mean {np.mean(tokens):.0f}, 95 % {np.quantile(tokens, 0.95):.0f}, longest {max(tokens)}")
    pairs = [
        (line["pair"]["record_id"], *(rationale_from_json(line[side], "") for side in ("chosen", "rejected")))
        for line in lines(args.folder / PAIR_RATIONALES, args.author)
    ]
    for name, value in tells(pairs).items():
        print(f"{name}: AUC {value:.3f} (n {len(pairs)} pairs)")


def lines(path: Path, author: str) -> list[dict[str, Any]]:
    """The lines of a file that an author wrote; an empty name means all."""
    return [line for line in read_jsonl(path) if author in ("", line["author"])]


def tells(pairs: Sequence[tuple[str, Rationale, Rationale]]) -> dict[str, float]:
    """How well each of three things tells the preferred answer of a pair from the other."""
    answers = [answer for _, *both in pairs for answer in both]
    preferred = np.tile([1.0, 0.0], len(pairs))
    folds = np.repeat([zlib.crc32(name.encode()) % FOLDS for name, *_ in pairs], 2)
    whys = [answer.decision.why for answer in answers]
    return {
        "length of the reason": auc(np.array([float(len(why)) for why in whys]), preferred),
        "words of the reason": auc(words_score(whys, preferred, folds), preferred),
        "area of the box": auc(np.array([answer.decision.box.area for answer in answers]), preferred),
    }


def auc(score: Array, preferred: Array) -> float:
    """The chance that a preferred answer has the higher score, ties half."""
    ours, theirs = score[preferred == 1], np.sort(score[preferred == 0])
    below = np.searchsorted(theirs, ours, "left") + np.searchsorted(theirs, ours, "right")
    return float(below.mean() / 2 / len(theirs))


def words_score(texts: Sequence[str], preferred: Array, folds: Array) -> Array:
    """Scores of texts by a logistic regression on their words, fitted on the other folds."""
    found = [set(re.findall(r"[a-z]+", text)) for text in texts]
    counts = Counter(word for words in found for word in words)
    known = sorted(word for word, count in counts.items() if count >= LEAST_SEEN)
    rows = np.array([[1.0, *(float(word in words) for word in known)] for words in found])
    score = np.zeros(len(texts))
    for fold in range(FOLDS):
        weights, seen = np.zeros(rows.shape[1]), folds != fold
        for _ in range(STEPS):
            likely = 1 / (1 + np.exp(-rows[seen] @ weights))
            weights += RATE * (rows[seen].T @ (preferred[seen] - likely) / seen.sum() - RIDGE * weights)
        score[~seen] = rows[~seen] @ weights
    return score


if __name__ == "__main__":
    main()
