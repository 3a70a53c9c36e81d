"""Which function of `evaluation.compat` reproduces which column of the golden files, by kind of input.

A kind is known by the fields of a case's input, a column by the name of its implementation: neither names of files nor
ids of cases play a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from crop_reasoning.evaluation.compat import (
    a2rl,
    acpd,
    bozhang,
    cacnet,
    cdc,
    cropper_replication,
    fcdb_ranking,
    gencrop,
    hcic,
    huizeng,
    jia,
    lmms_eval,
    lvrn,
    matlab,
    mio,
    nearest_candidate,
    procrop,
    qwen_odinw,
    remorsecs,
    ric,
    s2cnet,
    shuttermuse,
    unic,
    venus,
    vfn,
    vlm_r1,
)
from crop_reasoning.evaluation.compat.candidates import linear_correlation, rank_correlation
from crop_reasoning.evaluation.compat.crash import ReferenceCrash
from crop_reasoning.evaluation.compat.gaicd_boxes import Scene
from crop_reasoning.evaluation.compat.items import overlaps, ratio_of_sides
from crop_reasoning.evaluation.compat.network import center_form
from data_builders.gaicd import candidates
from tests.golden_inputs import (
    Input,
    Uncovered,
    best_box,
    candidate_images,
    item,
    kind_of,
    ranked_pairs,
    rescaled,
    scenes,
    several,
    single,
    text_item,
)

Column = Callable[[Any], Any]
_EPSILON = re.compile(r"eps(\d+(?:\.\d+)?)")
_TOP = re.compile(r"N(\d+)")
_WINDOW = re.compile(r"A2RL\.generate_bbox\(ratios ([\d., ]+)\)")


def reproduce(case: Input, column: str, expected: Any) -> Any:
    """What our evaluator says in a column's place, as a tree of the golden files' shape; `{"error": …}` for a crash.

    `Uncovered` for an input of an unknown kind or a column of an unknown name.
    """
    kind = kind_of(case)
    found = COLUMNS[kind].get(column)
    if found is None and kind == "candidates" and column.startswith("per_image:"):
        found = COLUMNS[kind].get(column.removeprefix("per_image:"))
        if found is not None:
            return [_answer(found, [image]) for image in candidate_images(case)]
    if found is None and kind == "boxes" and (epsilon := _EPSILON.fullmatch(column)):
        return _at(scenes(case), float(epsilon.group(1)), expected)
    if found is None and kind == "grid" and (window := _WINDOW.fullmatch(column)):
        return [a2rl.window(case["w"], case["h"], [float(part) for part in window.group(1).split(",")])]
    if kind == "boxes" and column == "RIC.gaic_evaluator":
        return _ric(scenes(case), expected)
    if found is None:
        raise Uncovered(column)
    return _answer(found, READERS[kind](case))


def _answer(column: Column, given: Any) -> Any:
    try:
        return column(given)
    except ReferenceCrash as crash:
        return {"error": crash.kind}


def _at(scenes: Sequence[Scene], epsilon: float, expected: Any) -> dict[str, Any]:
    """The inner columns of one threshold."""
    tops = _tops(expected)
    table: dict[str, Column] = {
        "UNIC.accuracy_best(strict >, float32, normalised)": partial(unic.meter, epsilon=epsilon, top=5),
        "UNIC.accuracy_best_10(strict >, float32, normalised)": partial(unic.meter, epsilon=epsilon, top=10),
        "UNIC.val_py.Acc1/5(>=, float64, pixels)": partial(unic.script, epsilon=epsilon),
        "spec.tie_inclusive.Acc_{K/N}": partial(jia.gaicd, epsilon=epsilon, tops=tops, rule="tie-inclusive"),
        "spec.exactN_stable.Acc_{K/N}": partial(jia.gaicd, epsilon=epsilon, tops=tops, rule="exactly N"),
    }
    return {name: _answer(column, scenes) for name, column in table.items()}


def _tops(expected: Any) -> list[int]:
    """Every N that stands anywhere in the expected tree, and the usual ones."""
    found = {5, 10}
    if isinstance(expected, dict):
        for key, value in expected.items():
            match = _TOP.fullmatch(key)
            found |= {int(match.group(1))} if match else set(_tops(value))
    return sorted(found)


def _ric(scenes: Sequence[Scene], expected: Any) -> Any:
    """RIC's columns. Its choice among crops of equal MOS follows a processor's sorting network, so the recorded choice
    is taken where it is one of the tied; any other is ignored and shows as a mismatch."""
    recorded = expected.get("best_gt_cxcywh_norm", []) if isinstance(expected, dict) else []
    best = [
        _best_place(scene, recorded[number] if number < len(recorded) else None) for number, scene in enumerate(scenes)
    ]
    names = {key: float(m.group(1)) for key in expected if (m := _EPSILON.fullmatch(key))}
    return _answer(partial(ric.gaicd, epsilons=names, best=best), scenes)


def _best_place(scene: Scene, recorded: Any) -> int | None:
    forms = center_form(scene.candidates, (scene.w, scene.h))
    for place, form in enumerate(forms):
        if (
            scene.mos[place] == max(scene.mos)
            and recorded is not None
            and np.allclose(form, recorded, rtol=0, atol=1e-6)
        ):
            return place
    return None


def _top_columns(function: Callable[[Sequence[Scene], Sequence[int]], Any]) -> Column:
    return lambda scenes: function(scenes, (5, 10))


def _annotation_grid(case: Input) -> list[list[int]]:
    return [list(box) for box in candidates((case["w"], case["h"]))]


def _annotation_valid(case: Input) -> list[int]:
    """Which candidates were rated: .5 ≤ width / height ≤ 2.2, in whole pixels."""
    return [int(0.5 <= (x2 - x1) / (y2 - y1) <= 2.2) for y1, x1, y2, x2 in candidates((case["w"], case["h"]))]


def _columns(reader: Callable[[Input], Any], columns: Mapping[str, Column]) -> dict[str, Column]:
    return {name: lambda case, column=column: column(reader(case)) for name, column in columns.items()}


READERS: dict[str, Callable[[Input], Any]] = {
    "pairs": ranked_pairs,
    "candidates": candidate_images,
    "boxes": scenes,
    "answers": lambda case: [text_item(one) for one in case["items"]],
    "items": lambda case: case,
    "answer": lambda case: case,
    "vector": lambda case: (case["mos"], case["pred"]),
    "pair": lambda case: (case["pred"], case["gt"]),
    "rescale": rescaled,
    "grid": lambda case: case,
}

COLUMNS: dict[str, dict[str, Column]] = {
    "pairs": {"FCDB.saliency_crop.main": lambda given: fcdb_ranking.evaluate(*given)},
    "candidates": {
        "HuiZeng.TestAccuracy.test": huizeng.candidate_mode,
        "boZhang.evaluate_on_GAICD_official": bozhang.official,
        "boZhang.evaluate_on_GAICD(rounded3)": bozhang.rounded,
        "HCIC.compute_acc": hcic.candidate_mode,
        "S2CNet.compute_acc": s2cnet.candidate_mode,
        "MATLAB.testModel@5818679(transcribed)": matlab.candidate_mode,
        "MATLAB.testModel@7f6e307(pre-fix: only the K-th return; transcribed)": partial(
            matlab.candidate_mode, kth_only=True
        ),
    },
    "boxes": {
        "spec.nearest_candidate.Acc_{K/N}": _top_columns(nearest_candidate.gaicd),
        "CropperReplication.compute_acc_k_n(any of K, IoU>0.5; transcribed)": _top_columns(cropper_replication.gaicd),
    },
    "answers": {"Venus.2_turn+3_calc": lambda given: {"result": _answer(venus.evaluate, given)}},
    "items": _columns(
        single,
        {
            "VFN.evaluate_FCDB": vfn.evaluate,
            "LVRN.evaluate_FCDB": lvrn.fcdb,
            "LVRN.evaluate_FLMS": lvrn.flms,
            "LVRN.evaluate_ICDB": lvrn.icd,
            "CACNet.evaluate_on_FCDB_and_FLMS": cacnet.evaluate,
            "CACNet.compute_iou_and_disp": cacnet.compare_boxes,
            "remorsecs.ImageCropperEvaluator": remorsecs.evaluate,
            "gencrop.compute_iou_and_disp": gencrop.evaluate,
            "gencrop.compute_iou_and_disp(best_box+crop_box)": gencrop.evaluate,
            "HCIC.compute_iou_and_disp+FLMS_filter": hcic.evaluate,
            "CDC.compute_iou(IoU only)": cdc.evaluate,
            "ShutterMuse.max_iou_min_bde": shuttermuse.evaluate,
            "MIO.sacd_evaluator(IoU only)": mio.evaluate,
        },
    )
    | _columns(best_box, {"gencrop.compute_iou_and_disp(best_box only)": gencrop.evaluate})
    | _columns(
        several,
        {
            "ACPD.evaluate_on_FCDB(oracle over predictions)": acpd.fcdb,
            "ACPD.evaluate_on_FLMS(oracle over predictions)": acpd.flms,
            "ProCrop.flms_evaluator(transcribed)": procrop.evaluate,
            "RIC.flms_evaluator.iou_for_nums": ric.flms,
        },
    ),
    "answer": {
        "Venus.2_turn+3_calc": lambda case: venus.read_text(case["text"], item(case, [], case["venus_gt"])),
        "VLM_R1.test_rec_r1(no resize)": lambda case: vlm_r1.tagged(*text_item(case)),
        "VLM_R1.test_rec_baseline(no resize)": lambda case: vlm_r1.anywhere(*text_item(case)),
        "lmms_eval.refcoco_rec": lambda case: lmms_eval.rec(*text_item(case)),
        "lmms_eval.refcoco_grounding": lambda case: lmms_eval.grounding(*text_item(case)),
        "Qwen3VL.ODinW_parse": lambda case: qwen_odinw.read_text(case["text"]),
        "ShutterMuse.parse_qwen_bbox": lambda case: shuttermuse.read_text(*text_item(case)),
    },
    "vector": {
        "scipy.spearmanr": lambda given: rank_correlation(*given),
        "scipy.pearsonr": lambda given: linear_correlation(*given),
    },
    "pair": {
        "DETR_box_iou(RIC,UNIC)": lambda given: float(overlaps(given[0], [given[1]], np.float32)[0]),
        "CACNet_iou_float32": lambda given: float(overlaps(given[0], [given[1]], np.float32)[0]),
        "VPN_bboxes_jaccard": lambda given: float(overlaps(given[0], [given[1]])[0]),
        "VLM_R1_iou": lambda given: vlm_r1.iou(*given),
        "lmms_eval_rec_compute_iou": lambda given: ratio_of_sides(*given),
        "lmms_eval_grounding_compute_iou": lambda given: lmms_eval.positive_iou(*given),
        "VFN_overlap_ratio": lambda given: ratio_of_sides(*given),
        "gencrop_Box_iou": lambda given: gencrop.box_iou(*given),
    },
    "rescale": {
        "HuiZeng.TransformFunction": lambda given: huizeng.transform(*given),
        "HuiZeng.TransformFunctionTest.source_bboxes(y1,x1,y2,x2)": lambda given: huizeng.source_boxes(*given[1:]),
        "boZhang.rescale_crops(int input: floor/ceil then float32)": lambda given: bozhang.rescale(*given),
    },
    "grid": {
        "HuiZeng.generate_bboxes(y1,x1,y2,x2)": lambda case: huizeng.grid(case["w"], case["h"]),
        "boZhang.generate_anchors(x1,y1,x2,y2)": lambda case: bozhang.grid(case["w"], case["h"]),
        "spec.annotation_grid(round half up; y1,x1,y2,x2; all 90)": _annotation_grid,
        "spec.annotation_valid(0.5<=w/h<=2.2)": _annotation_valid,
        **{
            f"HuiZeng.generate_bboxes_{ratio}": lambda case, ratio=ratio: huizeng.fixed_ratio(
                case["w"], case["h"], ratio
            )
            for ratio in huizeng.STEPS
        },
    },
}
