"""The files that a report is made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class PretrainFiles:
    """Files of one pretraining.

    Attributes:
        run: Its name in the configuration.
        log: JSONL, one object per logged step.
        metrics: JSON with its size, speed and final loss.
        weights: Safetensors file; only hashed.
    """

    run: str
    log: Path
    metrics: Path
    weights: Path


@dataclass(frozen=True, config=_STRICT)
class ConversionFiles:
    """Files of one conversion to detectron2.

    Attributes:
        pretrained: Name of the pretraining or of the given weights.
        kind: What the converted file contains, such as `fpn_head`.
        summary: JSON that counts and names the converted tensors.
        weights: The converted file; only hashed.
    """

    pretrained: str
    kind: str
    summary: Path
    weights: Path


@dataclass(frozen=True, config=_STRICT)
class EvaluationFiles:
    """Files of one fine-tuning and its evaluation.

    Attributes:
        task: Name of the fine-tuning in the configuration.
        initialisation: `scratch`, or the name of a pretraining or of given weights.
        seed: Seed of the fine-tuning.
        dataset: Name of its detection set in the configuration.
        images: Folder of the validation images.
        annotations: Annotation file of the validation split.
        metrics: JSON with box and mask AP, AP of each category and the protocol.
        detections: COCO results file; None: its detections are not drawn.
        curve: JSONL with the AP measured during training, may be empty; None: not measured.
        loading: JSON that lists which tensors of the detector were initialised from the file.
        weights: The fine-tuned detector; only hashed.
    """

    task: str
    initialisation: str
    seed: int
    dataset: str
    images: Path
    annotations: Path
    metrics: Path
    detections: Path | None = None
    curve: Path | None = None
    loading: Path | None = None
    weights: Path | None = None


@dataclass(frozen=True, config=_STRICT)
class RecallFiles:
    """Recall of the proposals on one detection set: its name, and JSON with the recall."""

    dataset: str
    recall: Path


@dataclass(frozen=True, config=_STRICT)
class FindingsFiles:
    """Checks of one detection set: its name, and findings.json of `soco.data.checks`."""

    dataset: str
    findings: Path


@dataclass(frozen=True, config=_STRICT)
class ProbeFiles:
    """One probe of a backbone: its name, whose backbone it is, and JSON with the accuracies."""

    probe: str
    initialisation: str
    metrics: Path


@dataclass(frozen=True, config=_STRICT)
class ReportInputs:
    """Everything that a report is made of.

    Attributes:
        config: The whole configuration, validated, as plain values.
        summary: Counts of the merged proposals, JSON.
        store: The merged proposals, Parquet.
        arrow: The same proposals as training reads them, Arrow.
        skipped: The unreadable images, Parquet.
        statistics: Number, size and shape of regions and proposals, JSON.
        recall: One entry per detection set on which recall was measured.
        pretrain: One entry per pretraining.
        conversions: One entry per converted file.
        evaluations: One entry per task, initialisation and seed, grouped by task.
        origins: Records of the jobs that made the files, in the order of the stages.
        findings: One entry per checked detection set.
        probes: One entry per probe and initialisation.
    """

    config: dict[str, Any]
    summary: Path
    store: Path
    arrow: Path
    skipped: Path
    statistics: Path
    recall: tuple[RecallFiles, ...]
    pretrain: tuple[PretrainFiles, ...]
    conversions: tuple[ConversionFiles, ...]
    evaluations: tuple[EvaluationFiles, ...]
    origins: tuple[Path, ...]
    findings: tuple[FindingsFiles, ...] = ()
    probes: tuple[ProbeFiles, ...] = ()


def report_inputs(params: Mapping[str, Any]) -> ReportInputs:
    """Make the inputs from the params of the workflow's report rule.

    Args:
        params: `config`, and `files`: paths by field of `ReportInputs`, where a list has a mapping
            of names and paths per entry.
    """
    given = {"config": params["config"], **params["files"]}
    return TypeAdapter(ReportInputs).validate_python(given)
