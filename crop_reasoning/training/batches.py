"""Batches: encoded samples and their photos as the tensors a Qwen-VL model takes.

Equal, value by value, to what TRL's own vision collators make with the stock processor (tested), without tokenizing and
preparing everything again at every step. Photos are decoded when a batch needs them; a bounded number of resized ones
is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from crop_reasoning.composition.batch import known_analysis
from crop_reasoning.errors import DataError
from crop_reasoning.images import load_upright
from crop_reasoning.models.pixels import patchify
from crop_reasoning.reasoning.pictures import pictures
from crop_reasoning.reasoning.prompts import shows_guides
from crop_reasoning.training.samples import Encoded, Sample

KEPT_BYTES = 256 * 2**20
IGNORED = -100
"""The label of tokens that carry no loss."""
Item = dict[str, Any]


class Photos:
    """The pictures of samples, uint8 (pictures, height, width, 3): each upright photo at the size the model sees, and
    its copy with guides where the prompt shows one. The last used 256 MiB stay in memory."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[tuple[str, tuple[int, int], str], np.ndarray] = OrderedDict()
        self._room = kept_bytes

    def load(self, sample: Sample) -> np.ndarray:
        """The pictures of a sample; `DataError` if its photo cannot be decoded or is not of the recorded size."""
        key = (str(sample.image), sample.plan.seen_wh, sample.prompt_id)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        image = load_upright(sample.image)
        if image.size != sample.plan.original_wh:
            raise DataError(
                f"{sample.image}: is {image.size} px, the record says {sample.plan.original_wh}; build the data anew"
            )
        analysis = known_analysis(sample.image) if shows_guides(sample.prompt_id) else None
        pixels = np.stack([np.asarray(each) for each in pictures(image, sample.plan, sample.prompt_id, analysis)])
        self._kept[key] = pixels
        self._room -= pixels.nbytes
        while self._room < 0 and self._kept:
            self._room += self._kept.popitem(last=False)[1].nbytes
        return pixels


class Samples:
    """Encoded samples with the pixels of their pictures, by index: items `{row, pixels}`."""

    def __init__(self, rows: Sequence[Encoded]) -> None:
        self._rows, self._photos = rows, Photos()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        row = self._rows[index]
        return {"row": row, "pixels": self._photos.load(row.sample)}


def collator(processor: Any, method: str) -> Callable[[list[Item]], dict[str, torch.Tensor]]:
    """A function from items to model inputs, padded on the right, with `labels` (SFT) or `completion_mask` (DPO).

    DPO batches hold all chosen sequences, then all rejected ones, each with its pictures.
    """

    def collate(items: list[Item]) -> dict[str, torch.Tensor]:
        rows: list[Encoded] = [item["row"] for item in items]
        turns = len(rows[0].answer_ids)
        sequences = [(row.prompt_ids, row.answer_ids[turn]) for turn in range(turns) for row in rows]
        batch = padded(sequences, processor)
        mask = batch.pop("completion_mask")
        if method == "dpo":
            batch["completion_mask"] = mask
        else:
            batch["labels"] = batch["input_ids"].masked_fill(mask == 0, IGNORED)
        pixels, grid = _pixels([picture for item in items for picture in item["pixels"]], processor)
        batch["pixel_values"], batch["image_grid_thw"] = pixels.repeat(turns, 1), grid.repeat(turns, 1)
        return batch

    return collate


def padded(sequences: list[tuple[list[int], list[int]]], processor: Any) -> dict[str, torch.Tensor]:
    """Pairs of prompt and answer ids as model inputs, padded on the right; `completion_mask` marks the answers."""
    longest = max(len(prompt) + len(answer) for prompt, answer in sequences)
    ids = torch.full((len(sequences), longest), processor.tokenizer.pad_token_id)
    attention, completion = torch.zeros_like(ids), torch.zeros_like(ids)
    for index, (prompt, answer) in enumerate(sequences):
        end = len(prompt) + len(answer)
        ids[index, :end] = torch.tensor(prompt + answer)
        attention[index, :end] = 1
        completion[index, len(prompt) : end] = 1
    image = (ids == processor.image_token_id) & (completion == 0)
    return {
        "input_ids": ids,
        "attention_mask": attention,
        "completion_mask": completion,
        "mm_token_type_ids": image.to(ids.dtype),
    }


def _pixels(pictures: list[np.ndarray], processor: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches of all pictures in order; those of equal size are cut together."""
    if all(picture.shape == pictures[0].shape for picture in pictures):
        return patchify(np.stack(pictures), processor.image_processor)
    parts = [patchify(picture[None], processor.image_processor) for picture in pictures]
    return torch.cat([pixels for pixels, _ in parts]), torch.cat([grid for _, grid in parts])
