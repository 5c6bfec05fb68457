"""Each AP computed again.

From the stored detections, and from the stored weights and the images.
"""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.data.checks import with_annotations
from soco.environment import environment
from soco.jobs import Record
from soco.provenance.audit.checks import Check, check, skipped
from soco.provenance.audit.reported import Reported, given, output

ROUNDING = 1e-6
"""Largest difference of an AP scored again from the same detections.

Detectron2's compiled scorer, where it is built, sums in another order than pycocotools.
"""

OTHER_MACHINE = 0.1
"""Largest difference of an AP on another machine, with other packages or threads.

Kernels round otherwise there, which moves a box or its score in the last digits and so the order of
detections with nearly equal scores; 0.1 is the last digit that the paper prints. The same machine
must give the same detections, number by number.
"""

_FIGURES = ("box", "mask", "per_category")


def check_detections(run: Reported) -> Iterator[Check]:
    """The AP of each evaluation, from its stored detections."""
    compared = "its detections, scored again"
    for record in run.of("evaluate_detector"):
        if _absent("lvis" if record["params"]["dataset"]["format"] == "lvis" else "pycocotools"):
            yield skipped(
                f"AP of {_name(record)}", compared, "pycocotools and lvis are not installed here."
            )
        else:
            yield check(f"AP of {_name(record)}", compared, _rescored, record)


def check_evaluations(run: Reported, folder: Path) -> Iterator[Check]:
    """The AP of each evaluation, from its stored weights.

    Args:
        run: The run.
        folder: Receives what is made afresh.
    """
    compared = "its weights, evaluated again"
    for number, record in enumerate(run.of("evaluate_detector")):
        if _absent("detectron2"):
            yield skipped(
                f"evaluation of {_name(record)}", compared, "detectron2 is not installed here."
            )
            continue
        made = folder / f"evaluated-{number}"
        made.mkdir()
        yield check(f"evaluation of {_name(record)}", compared, _evaluated, run, record, made)


def same_machine(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two environments compute the same bits: the same processor, GPUs and packages."""
    return then["packages"] == now["packages"] and all(
        then["machine"][part] == now["machine"][part] for part in ("cpu", "gpus")
    )


def figures_apart(told: Mapping[str, Any], again: Mapping[str, Any], tolerance: float) -> list[str]:
    """The figures that differ by more than the tolerance, in words.

    One that is None must be None in both.
    """
    faults = []
    for name in ("box", "mask"):
        for figure, value in told[name].items():
            faults += _apart(f"{name} {figure}", value, again[name].get(figure), tolerance)
    for category, held in told["per_category"].items():
        for part in ("box", "mask"):
            other = again["per_category"].get(category, {}).get(part)
            faults += _apart(f"{part} AP of {category}", held[part], other, tolerance)
    return faults


def _rescored(record: Record) -> tuple[list[str], str]:
    from soco.provenance.audit.rescoring import rescore  # loads pycocotools and lvis

    told = json.loads(output(record, "metrics").read_text())
    annotations = given(record, "val")
    assert annotations is not None
    form, limit = (
        record["params"]["dataset"]["format"],
        record["params"]["settings"]["detections_per_image"],
    )
    again = rescore(output(record, "detections"), annotations, form, limit)
    faults = figures_apart(told, again, ROUNDING)
    return (
        faults,
        (
            f"Box AP {_figure(again['box']['AP'])}, mask AP {_figure(again['mask']['AP'])}; all"
            " figures agree."
        ),
    )


def _evaluated(run: Reported, record: Record, folder: Path) -> tuple[list[str], str]:
    import torch

    from soco.transfer.detect import EvaluateJob, evaluate

    torch.set_num_threads(record["threads"])
    params, task, paths = record["params"], record["wildcards"]["task"], record["inputs"]
    settings = {**run.config["finetune"][task], **params["settings"]}
    dataset = DatasetConfig.model_validate(params["dataset"])
    again = evaluate(
        EvaluateJob(
            task=task,
            initialisation=record["wildcards"]["initialisation"],
            settings=FinetuneConfig.model_validate(settings),
            detector=DetectorConfig.model_validate(params["detector"]),
            dataset=with_annotations(dataset, val=Path(paths["val"][0])),
            trained=Path(paths["weights"][0]).parent,
            folder=folder,
            seed=params["seed"],
        )
    )
    told = json.loads(output(record, "metrics").read_text())
    faults = [
        f"{key} is not as evaluated again"
        for key in again
        if key not in _FIGURES and again[key] != told.get(key)
    ]
    if not same_machine(record["environment"], environment()):
        faults += figures_apart(told, again, OTHER_MACHINE)
        return (
            faults,
            (
                f"All figures agree to {OTHER_MACHINE}, the bound for another machine or other"
                " packages."
            ),
        )
    faults += figures_apart(told, again, 0.0)
    stored, made = (
        json.loads(path.read_text())
        for path in (output(record, "detections"), folder / "detections.json")
    )
    if stored != made:
        faults.append(
            f"{len(stored)} detections are stored, {len(made)} are made again, and they are not the"
            " same"
        )
    return faults, f"{len(made)} detections and all figures are equal to the bit."


def _apart(name: str, told: float | None, again: float | None, tolerance: float) -> list[str]:
    close = told == again or (
        told is not None and again is not None and abs(told - again) <= tolerance
    )
    return [] if close else [f"{name} is {_figure(told)} and comes to {_figure(again)}"]


def _figure(value: float | None) -> str:
    return "not scored" if value is None else f"{value:.4f}"


def _name(record: Record) -> str:
    task, initialisation, seed = (
        record["wildcards"][name] for name in ("task", "initialisation", "seed")
    )
    return f"{task}, {initialisation}, seed {seed}"


def _absent(package: str) -> bool:
    return importlib.util.find_spec(package) is None
