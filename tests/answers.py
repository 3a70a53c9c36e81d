"""A small data set and an engine that answers from a table, for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import typer
from PIL import Image
from typer.testing import CliRunner

from crop_reasoning.cli import evaluate as cli
from crop_reasoning.engines.base import Generation, Request
from crop_reasoning.evaluation.predict import predict
from crop_reasoning.evaluation.score import Report, score
from crop_reasoning.geometry import place
from crop_reasoning.images import VisionBudget, plan_image, sha256_of
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.rationale import render
from crop_reasoning.reasoning.store import read_rationales
from crop_reasoning.records import CropRecord, ImageRef, Pair, ScoredCrop, read_records, write_jsonl
from data_builders.rationales import write_rationales

N_TEST = 10
SIZES = ((96, 64), (64, 96), (128, 80))


def make_data(parent: Path) -> Path:
    """Ten test and six training photos, each with one best crop, a worse one, a pair, and their rationales."""
    folder = parent / "photos"
    folder.mkdir()
    records, pairs = [], []
    for split, count in (("train", 6), ("test", N_TEST)):
        for index in range(count):
            wh = SIZES[index % len(SIZES)]
            name = f"{split}{index:02d}"
            Image.effect_noise(wh, 40 + index).convert("RGB").save(folder / f"{name}.png")
            best = place((0.3 + 0.04 * index, 0.5), (0.55, 0.6))
            worse = place((0.8 - 0.04 * index, 0.4), (0.55, 0.6) if index % 2 else (0.8, 0.8))
            crops = (ScoredCrop(best, 1.0, "test"), ScoredCrop(worse, 0.2, "test"))
            image = ImageRef(f"{name}.png", sha256_of(folder / f"{name}.png"), wh)
            records.append(CropRecord(name, "made", split, image, crops, subject=place(best.center, (0.2, 0.2))))
            pairs.append(Pair(name, best, worse, 0.8))
    write_jsonl(folder / "records.jsonl", records)
    write_jsonl(folder / "pairs.jsonl", pairs)
    write_rationales(folder)
    return folder


class TableEngine:
    """Answers each photo with its own rationale, unless `answers` says otherwise; scores boxes by `likelihood`."""

    name = "table"
    family = FAMILIES["qwen3_vl"]
    budget = VisionBudget("qwen3_vl", 32, 32 * 32, 32 * 32 * 36)
    prompt_id = "crop-brief/1"
    decoding = "free"

    def __init__(self, folder: Path, answers: dict[str, tuple[str, str]] | None = None) -> None:
        self.records = {record.id: record for record in read_records(folder)}
        self.gold = read_rationales(folder)
        self.answers = answers or {}
        self.seen: list[Request] = []
        self.stop_after: int | None = None
        self.likelihood: Callable[[str], float] = len

    def text(self, record_id: str) -> str:
        plan = plan_image(self.records[record_id].image.wh, self.budget)
        return render(self.gold[record_id][0], self.family.codec, plan)

    def generate(
        self, requests: Sequence[Request], *, max_new_tokens: int = 768, temperature: float = 0.0
    ) -> list[Generation]:
        if self.stop_after is not None and len(self.seen) >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += requests
        given = [self.answers.get(request.id, (self.text(request.id), "stop")) for request in requests]
        return [Generation(text, finish, 20, len(text) // 3, 0.01) for text, finish in given]

    def stream(
        self, request: Request, *, max_new_tokens: int = 768, temperature: float = 0.0
    ) -> Iterator[str | Generation]:
        yield from self.generate([request])

    def score_continuations(self, requests: Sequence[Request], continuations: list[list[str]]) -> list[list[float]]:
        self.seen += requests
        return [[self.likelihood(text) for text in texts] for texts in continuations]


def run(data: Path, tmp_path: Path, answers: dict[str, tuple[str, str]] | None = None) -> Report:
    out = tmp_path / "predictions.jsonl"
    predict(TableEngine(data, answers), data, "test", out, batch_size=4)
    return score(data, out)


def command(*args: object) -> tuple[int, str, BaseException | None]:
    """Run a verb as the command line would; exit code, stdout, exception."""
    app = typer.Typer()
    for verb in (cli.predict, cli.score, cli.evaluate):
        app.command()(verb)
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    return result.exit_code, result.stdout, result.exception
