"""Training samples: records, rationales and dialogs as token sequences with the photo they belong to.

This module owns what the model is asked and taught (one answer for SFT, two for DPO), the lengths, and which tokens
carry the box. It must not import torch; pixels are loaded by `batches`, late and one batch at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crop_reasoning.errors import DataError
from crop_reasoning.geometry import Box
from crop_reasoning.images import ImagePlan, VisionBudget, plan_image, sha256_of
from crop_reasoning.log import progress
from crop_reasoning.models.families import Family
from crop_reasoning.reasoning.chat import Message, sft_sample
from crop_reasoning.reasoning.dialogs import Ask, Exchange, ask_for, messages
from crop_reasoning.reasoning.lengths import MAX_NAMED
from crop_reasoning.reasoning.rationale import DECISION_OPENING, Parsed, Rationale, parse, render
from crop_reasoning.reasoning.store import read_dialog_records, read_dialogs, read_pair_rationales, read_rationales
from crop_reasoning.records import CropRecord, read_records
from crop_reasoning.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo with what is said about it: the messages up to where the model speaks, whose first turn shows the
    pictures of `prompt_id`, and `answers`, one text (SFT) or chosen and rejected (DPO)."""

    id: str
    image: Path
    sha256: str
    plan: ImagePlan
    prompt_id: str
    messages: list[Message]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A sample as token ids. An image's placeholder stands once for every visual token."""

    sample: Sample
    prompt_ids: list[int]
    answer_ids: tuple[list[int], ...]

    @property
    def tokens(self) -> int:
        """Length of the longest sequence: prompt, image and answer."""
        return len(self.prompt_ids) + max(map(len, self.answer_ids))


def read_samples(recipe: Recipe, family: Family, budget: VisionBudget) -> list[Sample]:
    """The samples a recipe trains on, in file order; `DataError` if there are none or a record lacks its answer."""
    folder, split = Path(recipe.data.folder), recipe.data.split
    method = "dialogs" if recipe.data.dialogs else recipe.method
    samples = samples_of(folder, split, method, recipe.prompt, family, budget, recipe.data.limit)
    if not samples:
        raise DataError(f"{folder}: split {split} holds nothing to train {recipe.method} on; build it, or name another")
    return samples


def samples_of(
    folder: Path,
    split: str,
    method: str,
    prompt_id: str,
    family: Family,
    budget: VisionBudget,
    limit: int | None = None,
) -> list[Sample]:
    """The samples of one split, in file order: all of them, or the first `limit` of each kind.

    `method` is `sft`, `dpo`, or `dialogs`: the samples of `sft` and then the conversations.
    """
    records = {record.id: record for record in read_records(folder, split)}
    if method == "dpo":
        taught = list(_of_pairs(folder, split))[: limit or None]
    else:
        taught = list(_of_rationales(folder, split, records))[: limit or None]
    if method == "dialogs":
        taught += list(_of_dialogs(folder, split))[: limit or None]
        records = read_dialog_records(folder, split)
    samples = []
    for name, record_id, history, ask, rationales in taught:
        record = records[record_id]
        try:
            plan = plan_image(record.image.wh, budget)
        except DataError as problem:
            raise DataError(f"sample {name}: {problem}") from None
        asked = messages(history, ask or ask_for(record), prompt_id, family.codec, plan)
        texts = tuple(render(rationale, family.codec, plan) for rationale in rationales)
        photo = folder / record.image.path
        samples.append(Sample(name, photo, record.image.sha256, plan, prompt_id, asked, texts))
    return samples


Taught = tuple[str, str, tuple[Exchange, ...], Ask | None, tuple[Rationale, ...]]
"""Sample id, record id, history, what is asked (None: what the record's task asks), the answers."""


def _of_pairs(folder: Path, split: str) -> Iterator[Taught]:
    for index, (pair, chosen, rejected) in enumerate(read_pair_rationales(folder, split)):
        yield f"{pair.record_id}#pair{index}", pair.record_id, (), None, (chosen, rejected)


def _of_dialogs(folder: Path, split: str) -> Iterator[Taught]:
    for index, dialog in enumerate(read_dialogs(folder, split)):
        name = f"{dialog.record_id}#{dialog.task}{index}"
        yield name, dialog.record_id, dialog.history, dialog.ask, (dialog.answer,)


def _of_rationales(folder: Path, split: str, records: dict[str, CropRecord]) -> Iterator[Taught]:
    rationales = read_rationales(folder, split)
    missing = [record_id for record_id in records if record_id not in rationales]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(records)} records of split {split} have no rationale: "
            f"{_named(missing)}; write all with `data rationales {folder} --author boxes`, then those of another "
            "author again (a teacher is not asked twice)"
        )
    for record_id, written in rationales.items():
        for index, rationale in enumerate(written):
            name = record_id if len(written) == 1 else f"{record_id}#{index}"
            yield name, record_id, (), None, (rationale,)


def check_images(photos: dict[Path, str]) -> str:
    """Compare every photo with the sha256 of its record; what was found. `DataError` names those gone or changed."""
    total, wrong = 0, []
    for path, expected in progress(photos.items(), "check photos", len(photos)):
        if not path.is_file():
            wrong.append(f"{path} (missing)")
        elif sha256_of(path) != expected:
            wrong.append(f"{path} (changed)")
        else:
            total += path.stat().st_size
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(photos)} photos cannot be used: {_named(wrong)}; build the data set anew"
        )
    return f"{len(photos)} files, {total / 1e6:.1f} MB, all sha256 agree"


def encode(samples: list[Sample], processor: Any) -> list[Encoded]:
    """Every sample as token ids, prompt and answer tokenized apart, exactly as TRL's vision collators do.

    The rejected answer of a pair ends with the token that closes the decision's box. Both share all that comes before,
    so preference falls on the box; what follows is words about it, and training against those was seen to unlearn the
    form of the answer. The chosen answer keeps them, up to the end of the turn, and so the form.
    """
    tokenizer, image = processor.tokenizer, processor.image_token
    openings, answers = [], []
    for sample in samples:
        opening, closings = conversation(sample, processor)
        openings.append(opening.replace(image, image * sample.plan.visual_tokens))
        answers += closings
    prompt_ids = tokenizer(openings, add_special_tokens=False)["input_ids"]
    ids = iter(tokenizer(answers, add_special_tokens=False)["input_ids"])
    rows = []
    for sample, prompt in zip(samples, prompt_ids, strict=True):
        spelled = tuple(next(ids) for _ in sample.answers)
        if len(spelled) > 1:
            chosen, rejected = spelled
            spelled = (chosen, rejected[: box_tokens(sample.answers[1], processor)[-1] + 2])
        rows.append(Encoded(sample, prompt, spelled))
    return rows


def conversation(sample: Sample, processor: Any) -> tuple[str, list[str]]:
    """The text up to where the model speaks, and for each answer the exact text it is trained to write after it."""
    opening, closings = "", []
    for answer in sample.answers:
        turns = sft_sample(sample.messages, answer)
        opening = processor.apply_chat_template(turns["prompt"], tokenize=False, add_generation_prompt=True)
        whole = processor.apply_chat_template(turns["prompt"] + turns["completion"], tokenize=False)
        if not whole.startswith(opening):
            raise DataError(
                f"sample {sample.id}: the chat template does not keep the prompt as a prefix of the conversation; "
                "expected a Qwen-VL template, use the model's own"
            )
        closings.append(whole[len(opening) :])
    return opening, closings


def box_tokens(text: str, processor: Any) -> list[int]:
    """Positions, among the tokens of an answer's text, of those that spell the decision's four integers."""
    found = re.compile(r"\[[^\]]*\]").search(text, text.rfind(DECISION_OPENING))
    if DECISION_OPENING not in text or not found:
        raise DataError(f"a supervised answer holds no decision box: {text[-80:]!r}; write the rationales anew")
    offsets = processor.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    start, end = found.start() + 1, found.end() - 1
    return [index for index, (first, last) in enumerate(offsets) if first < end and last > start]


def target_box(sample: Sample, answer: int, family: Family) -> Box:
    """The box that an answer decides on, read back through the codec: what the model is in fact taught."""
    parsed = parse(sample.answers[answer], family.codec, sample.plan)
    if not isinstance(parsed, Parsed):
        raise DataError(f"sample {sample.id}: its own answer cannot be read back ({parsed.kind}: {parsed.detail})")
    return parsed.box


def _named(names: list[str]) -> str:
    rest = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")
