"""Batches for base training: photos at the size the model sees, and one task for each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crop_reasoning.errors import DataError
from crop_reasoning.images import ImagePlan, load_upright, plan_image, resize_to_plan
from crop_reasoning.models.families import Family
from crop_reasoning.models.pixels import patchify
from crop_reasoning.models.processors import vision_budget
from crop_reasoning.reasoning.chat import user
from crop_reasoning.reasoning.dialogs import Dialog, messages
from crop_reasoning.reasoning.prompts import BRIEF
from crop_reasoning.reasoning.rationale import Rationale, render
from crop_reasoning.records import CropRecord
from crop_reasoning.training.base_tasks import Task, base_task, mirrored
from crop_reasoning.training.batches import IGNORED, padded

NO_PHOTO = ImagePlan((1000, 1000), (1000, 1000), 0, "qwen3_vl")
"""The plan of a conversation whose photo is not shown."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A training photo at the size the model sees."""

    record: CropRecord
    plan: ImagePlan
    pixels: np.ndarray


def load_photos(records: list[CropRecord], folder: Path, processor: Any, family: Family) -> list[list[Photo]]:
    """All photos at seen size, grouped by that size, so that a batch holds equal grids."""
    budget = vision_budget(processor, family)
    groups: dict[tuple[int, int], list[Photo]] = defaultdict(list)
    for record in records:
        path = folder / record.image.path
        image = load_upright(path)
        try:
            plan = plan_image(image.size, budget)
        except DataError as problem:
            raise DataError(f"{path}: {problem}") from None
        groups[plan.seen_wh].append(Photo(record, plan, np.asarray(resize_to_plan(image, plan))))
    return list(groups.values())


def draw_batch(buckets: list[list[Photo]], size: int, rng: np.random.Generator) -> list[Photo]:
    """Random photos of one bucket (buckets weighted by their size), half of them mirrored."""
    weights = np.array([len(bucket) for bucket in buckets], float)
    bucket = buckets[rng.choice(len(buckets), p=weights / weights.sum())]
    photos = [bucket[index] for index in rng.integers(len(bucket), size=size)]
    return [_mirror(photo) if rng.random() < 0.5 else photo for photo in photos]


def _mirror(photo: Photo) -> Photo:
    return Photo(mirrored(photo.record), photo.plan, photo.pixels[:, ::-1])


def pixel_batch(photos: list[Photo], processor: Any) -> tuple[Any, Any]:
    """Patches and grids of photos of one size, as the vision tower takes them."""
    return patchify(np.stack([photo.pixels for photo in photos]), processor.image_processor)


def collate(
    name: str, photos: list[Photo], processor: Any, family: Family, rng: np.random.Generator
) -> tuple[dict[str, Any], Any]:
    """Model inputs and labels (`IGNORED` outside the answers) of task `name` for every photo, padded on the right."""
    tokenizer, plan = processor.tokenizer, photos[0].plan
    tasks = [base_task(name, photo.record, family.codec, plan, rng) for photo in photos]
    rows = []
    for task in tasks:
        turn = user(task.words, images=int(task.photo))
        prompt = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        prompt = prompt.replace(processor.image_token, processor.image_token * plan.visual_tokens)
        rows.append((tokenizer(prompt).input_ids, _answer_ids(task, tokenizer)))
    batch = padded(rows, processor)
    labels = batch["input_ids"].masked_fill(batch.pop("completion_mask") == 0, IGNORED)
    if tasks[0].photo:
        pixels, grid = pixel_batch(photos, processor)
        batch["pixel_values"], batch["image_grid_thw"] = pixels, grid
    return batch, labels


def collate_dialogs(dialogs: list[Dialog], processor: Any, family: Family) -> tuple[dict[str, Any], Any]:
    """Model inputs and labels of the last answers of conversations, without their photos: what they are about stands in
    the turns before, so that words and earlier crops have to be read."""
    rows = []
    for dialog in dialogs:
        asked = messages(dialog.history, dialog.ask, BRIEF, family.codec, NO_PHOTO)
        texts = [{**turn, "content": [part for part in turn["content"] if part["type"] == "text"]} for turn in asked]
        prompt = processor.apply_chat_template(texts, add_generation_prompt=True, tokenize=False)
        answer = render(dialog.answer, family.codec, NO_PHOTO)
        rows.append((processor.tokenizer(prompt).input_ids, _answer_ids(Task("", answer), processor.tokenizer)))
    batch = padded(rows, processor)
    return batch, batch["input_ids"].masked_fill(batch.pop("completion_mask") == 0, IGNORED)


def in_brief(dialog: Dialog) -> Dialog:
    """The same conversation in half as many words: subject and crop of earlier answers, and of the last one the crop
    before and the target among its proposals. To copy a box and to change it is learnt sooner from these."""
    history = tuple(
        replace(exchange, answer=replace(exchange.answer, elements=(), proposals=()))
        for exchange in dialog.history
        if isinstance(exchange.answer, Rationale)
    )
    answer = dialog.answer
    compared = {answer.decision.box, *(one.answer.decision.box for one in history if isinstance(one.answer, Rationale))}
    return replace(
        dialog,
        history=history,
        answer=replace(
            answer,
            elements=(),
            proposals=tuple(one for one in answer.proposals if one.box in compared),
            decision=replace(answer.decision, why=answer.decision.why.partition(",")[0]),
        ),
    )


def _answer_ids(task: Task, tokenizer: Any) -> list[int]:
    """The answer's tokens with the end of the turn, or those that lie whole in the part that is learnt."""
    if task.until is None:
        return list(tokenizer(task.answer + tokenizer.eos_token).input_ids)
    found = tokenizer(task.answer, return_offsets_mapping=True)
    spans = zip(found.input_ids, found.offset_mapping, strict=True)
    return [token for token, (_, end) in spans if end <= task.until]
