"""The two losses of base training that stock trainers do not have: soft coordinates and dense grounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crop_reasoning.models.families import Family
from crop_reasoning.training.batches import IGNORED

if TYPE_CHECKING:
    from crop_reasoning.training.base_batches import Photo


def answer_loss(head: Any, hidden: Any, labels: Any, integers: Any, sigma: float) -> Any:
    """Mean cross-entropy over answer tokens; integers 0-1000 against a Gaussian of width `sigma` around the target.

    `integers` is `integer_tokens(tokenizer)`; None gives plain targets everywhere. Logits are computed at answer
    positions only.
    """
    import torch
    from torch.nn import functional

    target = labels[:, 1:]
    chosen = target != IGNORED
    target = target[chosen]
    log_probs = functional.log_softmax(head(hidden[:, :-1][chosen]).float(), -1)
    losses = -log_probs.gather(1, target[:, None])[:, 0]
    if integers is None:
        return losses.mean()
    value = torch.full((log_probs.shape[1],), -1)
    value[integers] = torch.arange(len(integers))
    value = value[target]
    is_integer = value >= 0
    distance = torch.arange(len(integers)) - value[is_integer][:, None]
    weights = torch.exp(-0.5 * (distance / sigma) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    soft = -(weights * log_probs[is_integer][:, integers]).sum(1)
    return (losses[~is_integer].sum() + soft.sum()) / len(target)


def integer_tokens(tokenizer: Any) -> Any:
    """Token ids of the integers 0-1000, or None for a tokenizer that spells them in digits."""
    import torch

    spelled = [tokenizer(str(value), add_special_tokens=False).input_ids for value in range(1001)]
    if any(len(ids) != 1 for ids in spelled):
        return None
    return torch.tensor([ids[0] for ids in spelled])


def grounding_loss(outputs: Any, photos: list[Photo], family: Family) -> Any:
    """Dense grounding of merged vision tokens, `outputs` (tokens, 5): one logit and one box each.

    Binary cross-entropy of `the token touches the subject`, plus, where it does, the L1 distance to the
    subject's box. A language model that attends to such a token finds the coordinates there.
    """
    import torch
    from torch.nn import functional

    width, height = (side // family.resize_factor for side in photos[0].plan.seen_wh)
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    targets = np.zeros((len(photos), height, width, 5), np.float32)
    for target, photo in zip(targets, photos, strict=True):
        if box := photo.record.subject:
            rows = (y > box.y1 - 0.5 / height) & (y < box.y2 + 0.5 / height)  # every token the subject touches
            columns = (x > box.x1 - 0.5 / width) & (x < box.x2 + 0.5 / width)
            target[np.ix_(rows, columns)] = (1.0, *box.xyxy)
    wanted = torch.from_numpy(targets).reshape(-1, 5)
    weight = torch.tensor(4.0)  # a subject covers a small part of the cells
    loss = functional.binary_cross_entropy_with_logits(outputs[:, 0], wanted[:, 0], pos_weight=weight)
    hit = wanted[:, 0] > 0
    if bool(hit.any()):
        found, true = outputs[hit, 1:], wanted[hit, 1:]
        loss = loss + 4 * (found - true).abs().mean() + (1 - overlap(found, true)).mean()
    return loss


def overlap(found: Any, true: Any) -> Any:
    """Generalized IoU of boxes (n, 4) and boxes (n, 4), in [-1, 1] (Rezatofighi et al., arXiv 1902.09630).

    The boxes found may be inside out, as a head's are at first: their area then counts as 0.
    """
    import torch

    shared = (torch.minimum(found[:, 2:], true[:, 2:]) - torch.maximum(found[:, :2], true[:, :2])).clamp(min=0).prod(1)
    hull = (torch.maximum(found[:, 2:], true[:, 2:]) - torch.minimum(found[:, :2], true[:, :2])).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1) for boxes in (found, true)]
    union = areas[0] + areas[1] - shared
    return shared / union - (hull - union) / hull
