"""Lengths from sizes and texts alone: equal to what the processor and TRL's collators really make of the sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crop_reasoning.errors import DataError
from crop_reasoning.images import ImagePlan, plan_image, resize_to_plan
from crop_reasoning.models.families import FAMILIES
from crop_reasoning.reasoning.chat import sft_sample, user
from crop_reasoning.reasoning.lengths import Audit, audit
from crop_reasoning.reasoning.prompts import BRIEF, FULL, user_text
from crop_reasoning.training.samples import Sample, encode
from tests import tiny
from tests.shared import needs_tokenizer, real_tokenizer
from tests.test_rationale import GOLDEN_TEXT

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
ANSWERS = (GOLDEN_TEXT, "<analysis>", "étoile 裁剪 🌄\n\n 123", " leading space", "\nleading line")
SIZES = ((640, 480), (300, 301), (64, 900), (31, 17))


def image_of(wh: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (wh[1], wh[0], 3), dtype=np.uint8))


def length(processor, plan: ImagePlan, prompt: str, *answers: str) -> int:
    """Tokens of a training sample as preflight counts them."""
    [encoded] = encode([Sample("a", Path("a.png"), "", plan, BRIEF, [user(prompt, images=1)], answers)], processor)
    return encoded.tokens


def real_lengths(processor, image: Image.Image, prompt: str, answer: str) -> tuple[int, int]:
    """Tokens of the whole conversation in one go, and of the row that TRL's SFT collator makes."""
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    sample = sft_sample([user(prompt, images=1)], answer)
    text = processor.apply_chat_template(sample["prompt"] + sample["completion"], tokenize=False)
    at_once = processor(images=[[image]], text=[text], add_special_tokens=False)["input_ids"]
    collator = DataCollatorForVisionLanguageModeling(processor, completion_only_loss=True)
    row = collator([{"images": [image], **sample}])
    assert row["attention_mask"].all()
    return len(at_once[0]), row["input_ids"].shape[1]


@families
@pytest.mark.parametrize("wh", SIZES, ids=lambda wh: f"{wh[0]}x{wh[1]}")
def test_the_length_is_that_of_the_real_row(family, wh):
    processor = tiny.build_processor(family)
    plan = plan_image(wh, tiny.budget(family))
    image = resize_to_plan(image_of(wh), plan)
    for prompt_id, answer in zip((FULL, BRIEF, BRIEF, BRIEF, BRIEF), ANSWERS, strict=True):
        prompt = user_text(prompt_id, family.codec, plan, aspect=(4, 5))
        at_once, row = real_lengths(processor, image, prompt, answer)
        assert length(processor, plan, prompt, answer) == row
        if not answer[0].isspace():  # white space at the seam may join the template's newline
            assert at_once == row


@families
def test_a_pair_is_as_long_as_its_chosen_answer_or_the_rejected_one_up_to_its_box(family):
    processor = tiny.build_processor(family)
    plan = plan_image((640, 480), tiny.budget(family))
    short = GOLDEN_TEXT[GOLDEN_TEXT.index("<decision>") :]
    whole = [length(processor, plan, "p", text) for text in (short, GOLDEN_TEXT)]
    assert whole[0] < whole[1]
    assert length(processor, plan, "p", GOLDEN_TEXT, short) == whole[1]  # the chosen answer counts to its end
    cut = length(processor, plan, "p", GOLDEN_TEXT[: GOLDEN_TEXT.rindex(',"why"')])
    closing = len(processor.tokenizer("<|im_end|>\n").input_ids)  # what the template adds to an answer
    assert abs(length(processor, plan, "p", short, GOLDEN_TEXT) - (cut - closing)) <= 1  # `]` and `,` may be one token


@needs_tokenizer
@families
def test_the_length_with_the_real_qwen_tokenizer(family):
    processor = tiny.build_processor(family, real_tokenizer())
    plan = plan_image((640, 480), tiny.budget(family))
    image = resize_to_plan(image_of((640, 480)), plan)
    prompt = user_text(FULL, family.codec, plan)
    at_once, row = real_lengths(processor, image, prompt, GOLDEN_TEXT)
    assert length(processor, plan, prompt, GOLDEN_TEXT) == row == at_once


@families
def test_no_pixel_is_needed(family):
    """A size that no machine could decode is still counted."""
    processor = tiny.build_processor(family)
    small, huge = (plan_image(wh, tiny.budget(family)) for wh in ((64, 64), (60_000, 60_000)))
    difference = length(processor, huge, "p", "a") - length(processor, small, "p", "a")
    assert difference == huge.visual_tokens - small.visual_tokens > 0


def test_a_template_that_rewrites_the_prompt_is_refused():
    family = FAMILIES["qwen3_vl"]
    processor = tiny.build_processor(family)
    processor.chat_template = "{% for m in messages %}{{ loop.revindex }}{{ m.role }}{% endfor %}"
    with pytest.raises(DataError, match="does not keep the prompt"):
        length(processor, plan_image((64, 64), tiny.budget(family)), "p", "a")


def test_samples_too_long_are_refused_by_name():
    report = audit([("a", 10), ("b", 101), ("c", 100), ("d", 300)], max_tokens=100)
    assert report == Audit(n=4, longest=300, mean=127.75, max_tokens=100, refused=(("b", 101), ("d", 300)))
    with pytest.raises(DataError, match=r"2 of 4 samples are longer than 100 tokens: b \(101\), d \(300\); .* to 300"):
        report.require()


def test_samples_that_fit_pass():
    audit([("a", 100)], max_tokens=100).require()
    empty = audit([], max_tokens=100)
    assert (empty.n, empty.longest, empty.mean, empty.refused) == (0, 0, 0.0, ())


def test_a_long_list_of_names_is_counted_not_cut_silently():
    report = audit(((f"s{i}", 200) for i in range(25)), max_tokens=100)
    with pytest.raises(DataError, match=r"s9 \(200\) and 15 more;"):
        report.require()
