"""The one file that speaks TRL, PEFT and Accelerate: a recipe in, a trained adapter out.

Nothing else may name their arguments. Truncation is off, always: lengths were checked before (`preflight`), and a
trainer that cuts from the right would remove exactly the coordinates.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback, set_seed
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer
from trl.trainer.utils import FusedCausalLMOutput

from crop_reasoning.errors import RecipeError
from crop_reasoning.models.families import Family
from crop_reasoning.training.batches import IGNORED, Samples, collator
from crop_reasoning.training.recipe import DpoOptions, LoraOptions, Recipe
from crop_reasoning.training.samples import Encoded

REFERENCE = "ref"
"""The adapter in which DPO keeps its frozen start; never part of what is saved."""


def build_trainer(
    recipe: Recipe,
    model: Any,
    processor: Any,
    family: Family,
    rows: Sequence[Encoded],
    folder: Path,
    callbacks: Sequence[TrainerCallback],
) -> Any:
    """A TRL trainer for a recipe. `model` carries the adapter to continue, or none: then a new one is put on it."""
    set_seed(recipe.seed)
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")  # transformers takes it from nowhere else
    trainer_class: Any = DPOTrainer if recipe.method == "dpo" else SFTTrainer
    config_class: Any = DPOConfig if recipe.method == "dpo" else SFTConfig
    trainer = trainer_class(
        model=model,
        args=config_class(**_arguments(recipe, folder), **_dpo_arguments(recipe)),
        train_dataset=_dataset(rows),
        data_collator=collator(processor, recipe.method),
        processing_class=processor,
        peft_config=lora_config(recipe.lora, family) if recipe.lora else None,
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    if not torch.cuda.is_available():
        lean_head(trainer.model.get_base_model())
    return trainer


def lean_head(model: Any) -> None:
    """Replace, exactly, the head that TRL puts on a model: score labelled positions only, in one plain product.

    Off the GPU TRL scores every position in chunks that it computes twice: a third of a small model's step (measured).
    """
    stock = model.forward

    @functools.wraps(stock)
    def forward(*args: Any, fused_lm_head: bool = False, labels: Any = None, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return stock(*args, **kwargs) if labels is None else stock(*args, labels=labels, **kwargs)
        kwargs["use_cache"] = False
        hidden = model.base_model(*args, **kwargs).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        mask = targets != IGNORED
        logits = model.lm_head(hidden[mask]).float()
        scores = logits.log_softmax(-1)
        log_probs = scores.gather(1, targets[mask][:, None])[:, 0]
        with torch.no_grad():
            entropy = -(scores.exp() * scores).sum(-1)
            facts = {"entropy": entropy, "mean_logits": logits.mean(-1), "is_top1": logits.argmax(-1) == targets[mask]}
            facts = {name: value.new_zeros(mask.shape).masked_scatter(mask, value) for name, value in facts.items()}
        spread = log_probs.new_zeros(mask.shape).masked_scatter(mask, log_probs)
        return FusedCausalLMOutput(log_probs=spread, label_mask=mask, **facts)

    model.forward = forward


def _dataset(rows: Sequence[Encoded]) -> Any:
    """The samples as a `datasets` table of indices, which is the only kind TRL takes; items are made when asked for.

    The empty `images` column tells TRL that this is a vision set, so that it prepares and truncates nothing.
    """
    samples = Samples(rows)

    def items(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        made = [samples[index] for index in batch["index"]]
        return {"images": [[] for _ in made], **{key: [item[key] for item in made] for key in ("row", "pixels")}}

    return Dataset.from_dict({"index": range(len(samples))}).with_transform(items)


def lora_config(lora: LoraOptions, family: Family) -> LoraConfig:
    """LoRA on the language model's linear layers, by full path: plain names would also hit a vision tower's layers."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # PEFT takes any number
        lora_dropout=lora.dropout,
        target_modules=family.lora_targets,
        task_type="CAUSAL_LM",
    )


def accumulation(recipe: Recipe, processes: int) -> tuple[int, int]:
    """(micro batch, accumulation steps) of one process; `RecipeError` if the global batch does not come out even.

    >>> from types import SimpleNamespace as N
    >>> accumulation(N(optim=N(batch_size=16, micro_batch_size=2)), processes=4)
    (2, 2)
    """
    batch = recipe.optim.batch_size
    micro = recipe.optim.micro_batch_size or batch // processes
    if micro == 0 or batch % (micro * processes):
        raise RecipeError(
            f"optim.batch_size: got {batch}, expected a multiple of {processes} processes x "
            f"{micro or 1} (optim.micro_batch_size); change one of them"
        )
    return micro, batch // (micro * processes)


def _arguments(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What both trainers take."""
    optim = recipe.optim
    gpu = torch.cuda.is_available()
    micro, accumulate = accumulation(recipe, int(os.environ.get("WORLD_SIZE", "1")))
    return {
        "output_dir": str(folder / "checkpoints"),
        "seed": recipe.seed,
        "max_length": None,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accumulate,
        "learning_rate": optim.learning_rate,
        "max_steps": optim.steps or -1,
        "num_train_epochs": optim.epochs or 1.0,
        "warmup_steps": optim.warmup_steps,
        "lr_scheduler_type": optim.schedule,
        "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.max_grad_norm,
        "use_cpu": not gpu,
        "bf16": gpu and recipe.model.dtype == "bfloat16",
        "activation_checkpointing": gpu,
        "logging_nan_inf_filter": False,  # it would report a loss that is no number as the one before
        "logging_steps": 1,  # every step is on record, so that a resumed run can be compared with a straight one
        "save_steps": recipe.save_steps,
        "save_total_limit": 2,  # a kill while the newest is written leaves the one before
        "report_to": [] if recipe.report_to == "none" else [recipe.report_to],
        "project": "crop-reasoning",
        "run_name": folder.name,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,  # every sample has a photo, and adapters sit on the language model alone
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": gpu,
    }


def _dpo_arguments(recipe: Recipe) -> dict[str, Any]:
    if recipe.method != "dpo":
        return {}
    dpo = recipe.dpo or DpoOptions()
    return {"beta": dpo.beta, "loss_type": list(dpo.losses), "loss_weights": dpo.weights}


def save_adapter(trainer: Any, processor: Any, target: Path) -> None:
    """Write adapter and processor to `target`, whole or not at all. Every process must call it."""
    partial = target.with_name(target.name + ".partial")
    trainer.save_model(str(partial))
    if not trainer.is_world_process_zero():
        return
    drop_reference(partial)
    (partial / "training_args.bin").unlink(missing_ok=True)  # a pickle; the recipe says the same
    processor.save_pretrained(partial)
    os.replace(partial, target)


def drop_reference(folder: Path) -> None:
    """Remove the copy of the starting adapter that DPO saves beside the trained one."""
    shutil.rmtree(folder / REFERENCE, ignore_errors=True)
