"""The whole path, small and true: scenes, base, SFT, DPO, evaluation, crops of real photographs, one report.

Each stage calls what its own command calls (`data build`, `train`, `predict`, `score`, `crop`); nothing here is a
special case of it. Scenes, trainings and answers that are done are not done again when the command is repeated.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crop_reasoning.errors import Interrupted, RecipeError
from crop_reasoning.evaluation.gallery import Gallery, answer_card
from crop_reasoning.evaluation.report import (
    facts_of,
    galleries_of,
    markdown_table,
    render_report,
    spread_of,
    write_report,
)
from crop_reasoning.evaluation.score import Report, score, with_preference
from crop_reasoning.evaluation.statistics import Interval, paired_difference
from crop_reasoning.log import say
from crop_reasoning.models.packages import TRAINING, require_packages
from crop_reasoning.reasoning.rationale import Parsed

SCENES = {
    "base": {"train": 1800, "val": 0, "test": 0, "anywhere": True},
    "crop": {"train": 1600, "val": 40, "test": 200},
}
STAGES = ("base", "sft", "dpo")
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "camera")
"""Photographs that scikit-image ships in its wheel, all free to use."""
LEAST_SFT_GAIN, LEAST_OVER_CONSTANT, MOST_DPO_LOSS = 0.05, 0.10, 0.01


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run of the whole path showed: a table in Markdown, a sentence a stage, plain figures, the report."""

    table: str
    verdicts: list[str]
    figures: dict[str, Any]
    report: Path


def run(out: Path, seed: int = 0) -> Summary:
    """Do everything that is not done yet in `out`, and measure it. `RecipeError` if `out` was begun with another seed.

    `Interrupted` after Ctrl-C: the same call goes on where it was.
    """
    began = time.monotonic()
    require_packages(TRAINING, "the quickstart")
    require_packages(("skimage",), "cropping photographs at the end", "samples")  # said now, not after the training
    try:
        build_scenes(out, seed)
        for stage in STAGES:
            train_stage(stage, out, seed)
        reports = {stage: measure(stage, out) for stage in STAGES}
        gallery = crop_photos(out)
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(f"{out}: stopped by hand; the same command goes on where it was") from None
    verdicts = judge(reports)
    seconds = time.monotonic() - began
    table = markdown_table(rows_of(reports))
    report = out / "report.html"
    report.write_text(_html(out, reports, verdicts, gallery, seconds), encoding="utf-8")
    figures: dict[str, Any] = {stage: figures_of(report) for stage, report in reports.items()}
    figures["best constant"] = reports["dpo"].rows[-1].iou.mean
    return Summary(table, verdicts, {**figures, "seed": seed, "seconds": round(seconds, 1)}, report)


def build_scenes(out: Path, seed: int) -> None:
    """Scenes for base training and, from other seeds, for SFT, DPO and the test."""
    from data_builders.build import build_dataset
    from data_builders.manifest import read_manifest

    for number, (name, counts) in enumerate(SCENES.items()):
        folder, scene_seed = out / "data" / name, 2 * seed + number
        manifest = read_manifest(folder)
        if manifest is None:
            say(f"— scenes for {name}")
            workers = os.cpu_count() or 1
            build_dataset("toy", None, folder, {**counts, "seed": scene_seed, "workers": workers})
        elif manifest["settings"]["seed"] != scene_seed:
            before = (manifest["settings"]["seed"] - number) // 2
            raise RecipeError(f"{out}: was begun with --seed {before}, got --seed {seed}; give another --out")


def train_stage(stage: str, out: Path, seed: int) -> None:
    """One recipe of `recipes/nano`, with its folders inside `out`."""
    from crop_reasoning.assets import find_asset
    from crop_reasoning.training.recipe import load_recipe
    from crop_reasoning.training.run import train

    folder = out / stage
    if (folder / "README.md").is_file():  # the model card is what a run writes last
        return
    say(f"— {stage}")
    data = out / "data" / ("base" if stage == "base" else "crop")
    overrides = [f"seed={seed}", f"output={folder}", f"data.folder={data}"]
    if stage != "base":
        overrides.append(f"model.base={out / 'base' / 'model'}")
    if stage == "dpo":
        overrides.append(f"model.adapter={out / 'sft'}")
    train(load_recipe(find_asset(f"recipes/nano/{stage}.yaml"), overrides), resume=(folder / "recipe.yaml").is_file())


def measure(stage: str, out: Path) -> Report:
    """What `evaluate --pairs` does with a stage: answers and ranked pairs of the unseen test scenes, report, card."""
    from crop_reasoning.engines.hf import HFEngine
    from crop_reasoning.evaluation.predict import predict
    from crop_reasoning.evaluation.predictions import weights_of
    from crop_reasoning.evaluation.preference import preference_accuracy
    from crop_reasoning.training.card import write_card

    data, run_folder = out / "data" / "crop", out / stage
    predictions = _predictions(out, stage)
    say(f"— evaluation of {stage}")
    engine = HFEngine(str(run_folder))
    predict(engine, data, "test", predictions, batch_size=50, weights=weights_of(str(run_folder)))
    report = with_preference(score(data, predictions), preference_accuracy(engine, data, "test"))
    write_report(report, data, predictions, predictions.parent)
    write_card(run_folder)
    return report


def _predictions(out: Path, stage: str) -> Path:
    return out / stage / "eval" / "crop-test" / "predictions.jsonl"


def rows_of(reports: dict[str, Report]) -> list[Any]:
    """The stages under their names, then the baselines."""
    from dataclasses import replace

    names = {"base": "base (never saw a crop)", "sft": "SFT", "dpo": "SFT + DPO"}
    own = [replace(reports[stage].rows[0], name=names[stage]) for stage in STAGES]
    return own + list(reports["dpo"].rows[1:])


def judge(reports: dict[str, Report]) -> list[str]:
    """One sentence a stage: what it gained, with its interval, and plainly if that is not what it is for."""
    sft, dpo = reports["sft"], reports["dpo"]
    ious = {stage: {outcome.record_id: outcome.iou for outcome in report.outcomes} for stage, report in reports.items()}
    gain = paired_difference(ious["sft"], ious["base"])
    constant = sft.rows[0].iou.mean - sft.rows[-1].iou.mean
    drift = paired_difference(ious["dpo"], ious["sft"])
    assert sft.preference is not None
    assert dpo.preference is not None
    taste = paired_difference(dpo.preference.by_pair(), sft.preference.by_pair())
    return [
        _verdict("SFT over base, IoU", gain, gain.mean >= LEAST_SFT_GAIN),
        f"{_mark(constant >= LEAST_OVER_CONSTANT)} SFT over the best constant crop, IoU: {constant:+.3f}",
        _verdict("DPO over SFT, preference accuracy on held-out pairs", taste, taste.mean > 0),
        _verdict("DPO over SFT, IoU", drift, drift.mean >= -MOST_DPO_LOSS),
    ]


def _verdict(what: str, gain: Interval, good: bool) -> str:
    return f"{_mark(good)} {what}: {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] (n {gain.n})"


def _mark(good: bool) -> str:
    return "ok  " if good else "DID NOT HELP "


def crop_photos(out: Path) -> Gallery:
    """Crops of real photographs, which nano has never seen the like of: to look at, not to measure."""
    from PIL import Image
    from skimage import data as samples

    from crop_reasoning.engines.hf import HFEngine
    from crop_reasoning.serving.answer import CropRequest, answer
    from crop_reasoning.serving.render import write_crop

    say("— crops of real photographs")
    engine = HFEngine(str(out / "dpo"))
    folder, cards = out / "photos", []
    folder.mkdir(parents=True, exist_ok=True)
    for name in PHOTOS:
        source = folder / f"{name}.jpg"
        image = Image.fromarray(getattr(samples, name)()).convert("RGB")
        image.save(source, quality=95)
        found = answer(engine, source, CropRequest())
        write_crop(source, found.box_px, folder / f"{name}.crop.jpg", force=True)
        shown = Parsed(found.rationale, found.repairs) if found.rationale else found.failure or found.box
        cards.append(answer_card(name, image, shown, text=found.text))
    intro = "nano has only ever seen drawn scenes; on photographs it shows the form of an answer, not yet good taste."
    return Gallery("Real photographs", intro, tuple(cards))


def figures_of(report: Report) -> dict[str, float | None]:
    """The headline figures of a report as plain numbers."""
    row = report.rows[0]
    preference = report.preference.accuracy.mean if report.preference else None
    return {"iou": row.iou.mean, "disp": row.disp.mean, "parsed": row.parsed, "preference": preference}


def _html(out: Path, reports: dict[str, Report], verdicts: list[str], photos: Gallery, seconds: float) -> str:
    dpo = reports["dpo"]
    shown = galleries_of(dpo, out / "data" / "crop", _predictions(out, "dpo"))
    notes = [*verdicts, f"This report took {seconds:.0f} s of this machine, stages that were already done not counted."]
    return render_report(
        "crop-reasoning quickstart",
        rows_of(reports),
        [*shown, photos],
        notes,
        protocol=dpo.protocol,
        spreads=[spread_of(report) for report in reports.values()],
        facts=facts_of(dpo),
    )
