"""How a report looks: JSON for programs, a Markdown table for documents, one self-contained page for people.

The page takes rows, galleries and notes from anyone (an evaluation, the quickstart) and needs no network, no script
and no other file. All words that a model wrote are escaped by the template.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crop_reasoning.composition.overlay import COLORS
from crop_reasoning.errors import DataError
from crop_reasoning.evaluation.gallery import Card, Gallery, answer_card, missing_card
from crop_reasoning.evaluation.metrics import BoxScore, ground_truths
from crop_reasoning.evaluation.plots import histogram_svg, interval_svg, shared_scale
from crop_reasoning.evaluation.predictions import read_answer, read_predictions, select_records
from crop_reasoning.evaluation.score import Outcome, Report, Row
from crop_reasoning.evaluation.statistics import Interval
from crop_reasoning.images import load_upright
from crop_reasoning.records import to_json

SAMPLES, WORST, UNREADABLE = 8, 6, 4
TEMPLATE = "report.html.j2"


@dataclass(frozen=True, slots=True)
class Spread:
    """How one method's IoU is spread over its images: `ious` of all of them, and why answers failed, by kind."""

    name: str
    ious: tuple[float, ...]
    failures: dict[str, int]

    @property
    def n_failed(self) -> int:
        return sum(self.failures.values())


def spread_of(report: Report) -> Spread:
    """The spread of the method a report is about."""
    return Spread(report.rows[0].name, tuple(outcome.iou for outcome in report.outcomes), report.failures)


def render_report(
    title: str,
    rows: Sequence[Row],
    galleries: Sequence[Gallery],
    notes: Sequence[str],
    *,
    protocol: str,
    spreads: Sequence[Spread] = (),
    facts: Sequence[tuple[str, str]] = (),
) -> str:
    """The page: a table of methods, histograms, failure kinds, galleries, notes, and `facts` (name, value) at its foot.

    `protocol` names the data, n and the rules, and stands under the title. Rows keep their order; the best value of
    each column is marked.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("crop_reasoning", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scale = shared_scale([row.iou for row in rows])
    html = environment.get_template(TEMPLATE).render(
        title=title,
        protocol=protocol,
        rows=[(row, Markup(interval_svg(row.iou, scale))) for row in rows],
        scale=scale,
        best=_best(rows),
        columns={
            "parsed": any(row.parsed is not None for row in rows),
            "preference": any(row.preference for row in rows),
            "gain": any(row.gain for row in rows),
        },
        spreads=[(spread, Markup(histogram_svg(spread.ious, spread.n_failed))) for spread in spreads],
        galleries=galleries,
        notes=notes,
        facts=facts,
        colors=COLORS,
    )
    return str(html)


def markdown_table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table: means with 95 % intervals, and n."""
    lines = [
        "| method | n | IoU ↑ | Disp ↓ | recall@.75 ↑ | parsed | preference ↑ | IoU gain |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        parsed = "–" if row.parsed is None else f"{row.parsed:.3f}"
        preference = f"{row.preference} (n {row.preference.n})" if row.preference else "–"
        cells = [row.name, row.iou.n, row.iou, row.disp, row.recall, parsed, preference, row.gain or "–"]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def render_markdown(report: Report) -> str:
    """A report as Markdown: the table, the counts behind it, and what it was made from."""
    counts = [f"{report.n_strict} strict", f"{report.n_repaired} repaired"]
    counts += [f"{count} failed ({kind})" for kind, count in report.failures.items()]
    lines = [f"# {report.rows[0].name} on {report.data} {report.split}", "", report.protocol, ""]
    lines += [markdown_table(report.rows), ""]
    if report.header.budget:
        lines += [f"Answers, n = {report.n}: {', '.join(counts)}.", ""]
    if report.preference:
        lines += [f"Preference: {preference_text(report)}", ""]
    lines += [f"- {note}" for note in all_notes(report)]
    lines += [f"- {name}: {value}" for name, value in facts_of(report)]
    return "\n".join(lines) + "\n"


def preference_text(report: Report) -> str:
    """The preference figures of a report in one paragraph; empty if they were not measured."""
    found = report.preference
    if not found:
        return ""
    equal = f"{found.equal_size} (n = {found.equal_size.n})" if found.equal_size else "no such pairs"
    margin = f"{found.margin.mean:.3f} nats (n = {found.margin.n})" if found.margin else "not measured"
    return (
        f"{found.accuracy}; pairs of equal size {equal}; mean margin {margin}; {found.n_ties} ties, "
        f"{found.n_failed} pairs of unreadable photos counted as wrong. {found.protocol}."
    )


def all_notes(report: Report) -> list[str]:
    """What a reader must know beside the figures: ceiling, comparison, exclusions."""
    notes = list(report.notes)
    if report.ceiling is not None:
        notes.append(f"Codec ceiling: IoU {report.ceiling:.4f} (n = {report.n}), the gold crop written and read back.")
    gain = report.rows[0].gain
    if gain:
        notes.append(f"Paired IoU difference to {report.against}: {gain} (n = {gain.n}).")
    if report.tokens and report.seconds:
        notes.append(
            f"Mean answer: {report.tokens.mean:.0f} tokens, {report.seconds.mean:.3f} s (n = {report.tokens.n})."
        )
    if report.limit is not None:
        notes.append(f"Only the first {report.limit} images of the split were asked for (--limit).")
    if report.n_without_truth:
        listed = ", ".join(report.without_truth[:5])
        notes.append(f"{report.n_without_truth} images without a ground truth are left out ({listed}, …).")
    return notes


def facts_of(report: Report) -> list[tuple[str, str]]:
    """What the figures were made from: names and hashes."""
    header = report.header
    facts = [
        ("method", header.method),
        ("data", f"{header.data} {header.split}, records sha256 {header.data_sha256[:16]}"),
        ("predictions", f"sha256 {report.predictions_sha256[:16]}"),
    ]
    if header.budget:
        asked = f"prompt {header.prompt_id}, grammar {header.grammar}, family {header.budget.family}"
        facts.append(("asked with", f"{asked}; greedy decoding, {header.decoding}"))
    if header.weights:
        facts.append(("weights", header.weights[:16]))
    made_with = {**header.versions, **report.versions}
    facts.append(("versions", ", ".join(f"{name} {version}" for name, version in made_with.items())))
    return facts


def galleries_of(report: Report, folder: Path, predictions_path: Path) -> list[Gallery]:
    """Three galleries of a scored file: photos spread evenly over the split, the worst crops, unreadable answers."""
    header, predictions = read_predictions(predictions_path)
    answers = {prediction.record_id: prediction for prediction in predictions}
    records = {record.id: record for record in select_records(folder, report.split, report.limit)}

    def card(outcome: Outcome) -> Card:
        record, prediction = records[outcome.record_id], answers[outcome.record_id]
        result = BoxScore(outcome.iou, outcome.disp)
        try:
            image = load_upright(folder / record.image.path)
        except DataError as problem:
            return missing_card(record.id, str(problem), result)
        answer = prediction.box or read_answer(prediction, record, header)
        return answer_card(record.id, image, answer, truths=ground_truths(record), result=result, text=prediction.text)

    step = max(1, -(-report.n // SAMPLES))
    samples = report.outcomes[::step]
    worst = sorted((o for o in report.outcomes if not o.failed), key=lambda outcome: outcome.iou)[:WORST]
    unread = [outcome for outcome in report.outcomes if outcome.failed]
    shown = list({outcome.kind: outcome for outcome in reversed(unread)}.values())[:UNREADABLE]
    galleries = [
        Gallery("Answers", f"Every {step}th photo in file order, not picked.", tuple(map(card, samples))),
        Gallery(
            "Worst crops",
            f"The {len(worst)} lowest IoUs among {report.n - len(unread)} read answers.",
            tuple(map(card, worst)),
        ),
        Gallery(
            "Unreadable answers",
            f"One of each kind, {len(shown)} of {len(unread)}; each counts as IoU 0.",
            tuple(map(card, shown)),
        ),
    ]
    return [gallery for gallery in galleries if gallery.cards]


def report_json(report: Report) -> dict[str, Any]:
    """A report as plain JSON values, outcomes of single images included."""
    return to_json(report)


def write_report(report: Report, folder: Path, predictions_path: Path, out: Path) -> list[Path]:
    """Write `report.json`, `report.md` and `report.html` into `out`; their paths. `folder` holds the photos to show."""
    out.mkdir(parents=True, exist_ok=True)
    notes = all_notes(report)
    if report.preference:
        notes.insert(0, f"Preference accuracy: {preference_text(report)}")
    page = render_report(
        f"{report.rows[0].name} on {report.data} {report.split}",
        report.rows,
        galleries_of(report, folder, predictions_path),
        notes,
        protocol=report.protocol,
        spreads=[spread_of(report)],
        facts=facts_of(report),
    )
    texts = {
        "report.json": json.dumps(report_json(report), ensure_ascii=False, indent=1) + "\n",
        "report.md": render_markdown(report),
        "report.html": page,
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _best(rows: Sequence[Row]) -> dict[str, float]:
    """The best mean of each column, to be marked in the table."""
    best = {
        "iou": max(row.iou.mean for row in rows),
        "disp": min(row.disp.mean for row in rows),
        "recall": max(row.recall.mean for row in rows),
    }
    preferences: list[Interval] = [row.preference for row in rows if row.preference]
    if preferences:
        best["preference"] = max(interval.mean for interval in preferences)
    return best
