"""The files that a report is made of, by name; none is found by guessing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class PretrainFiles:
    """What one pretraining left.

    Attributes:
        run: Its name in the configuration.
        log: JSONL, one object a logged step.
        metrics: JSON with its size, speed and final loss.
        weights: The safetensors file; only hashed.
    """

    run: str
    log: Path
    metrics: Path
    weights: Path


@dataclass(frozen=True)
class ConversionFiles:
    """What the conversion of one pretraining left.

    Attributes:
        run: The pretraining's name.
        kind: What the file carries, such as `fpn_head`.
        summary: JSON that counts and names what was carried over.
        weights: The converted file; only hashed.
    """

    run: str
    kind: str
    summary: Path
    weights: Path


@dataclass(frozen=True)
class EvaluationFiles:
    """What one fine-tuning and its evaluation left.

    Attributes:
        task: The fine-tuning's name in the configuration.
        initialisation: What it started from: `scratch` or a pretraining's name.
        seed: Of the fine-tuning.
        metrics: JSON with box and mask AP, each category's AP and the protocol.
        annotations: The validation half's annotation file.
        images: Folder of the validation half's images.
        detections: COCO results file; None leaves this row out of the detections shown.
        curve: JSONL, the AP measured while training; may be empty, and None where there is none.
        loading: JSON that says which of the detector's tensors took a pretrained value; None where
            there is none.
        weights: The fine-tuned detector; only hashed.
    """

    task: str
    initialisation: str
    seed: int
    metrics: Path
    annotations: Path
    images: Path
    detections: Path | None = None
    curve: Path | None = None
    loading: Path | None = None
    weights: Path | None = None


@dataclass(frozen=True)
class RecallFiles:
    """What one measurement of recall left.

    Attributes:
        dataset: The detection set's name in the configuration.
        recall: JSON with each engine's recall.
    """

    dataset: str
    recall: Path


@dataclass(frozen=True)
class FindingsFiles:
    """What the checks of one detection set left.

    Attributes:
        dataset: The detection set's name in the configuration.
        findings: JSON, as `soco.data.checks.dataset.CheckedDataset.write` writes it.
    """

    dataset: str
    findings: Path


@dataclass(frozen=True)
class ProbeFiles:
    """What one probe of a backbone left.

    Attributes:
        probe: Its name in the configuration.
        initialisation: Whose backbone it is.
        metrics: JSON with the accuracies of nearest neighbours and of a linear classifier.
    """

    probe: str
    initialisation: str
    metrics: Path


@dataclass(frozen=True)
class ReportInputs:
    """All that a report is made of.

    Attributes:
        config: The whole configuration, plain and validated.
        summary: The merge stage's counts, JSON.
        store: The merged proposals, Parquet.
        arrow: The same as training reads them, Arrow.
        skipped: The unreadable images, Parquet.
        statistics: What regions and proposals are like, JSON.
        recall: One entry a detection set on which recall was measured.
        pretrain: One entry a pretraining.
        conversions: One entry a converted file.
        evaluations: One entry a task, initialisation and seed; a task's entries follow one another.
        origins: The record of every job that made them, in the order of the stages; see
            `soco.jobs`.
        findings: One entry a detection set that was checked.
        probes: One entry a probe and initialisation.
    """

    config: Mapping[str, Any]
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


def report_inputs(given: Mapping[str, Sequence[str]], params: Mapping[str, Any]) -> ReportInputs:
    """The files from what rule `report` is given.

    Args:
        given: Paths by the rule's name for them; each list stands beside a list of `params`.
        params: `config`, and the names that the files go by.
    """
    single = ("summary", "store", "arrow", "skipped", "statistics")
    one = {name: Path(paths[0]) for name, paths in given.items() if name in single}
    evaluated = ("metrics", "annotations", "images", "detections", "curves", "loading", "detectors")

    def entries(kind: Callable[..., Entry], names: str, *columns: str) -> tuple[Entry, ...]:
        lists = (given[column] for column in columns)
        return tuple(
            kind(*name, *map(Path, paths))
            for name, *paths in zip(params[names], *lists, strict=True)
        )

    return ReportInputs(
        config=params["config"],
        **one,
        recall=entries(RecallFiles, "recall", "recall"),
        pretrain=entries(PretrainFiles, "runs", "logs", "run_metrics", "weights"),
        conversions=entries(ConversionFiles, "conversions", "conversions", "converted"),
        evaluations=entries(EvaluationFiles, "evaluations", *evaluated),
        origins=tuple(map(Path, given["origins"])),
        findings=entries(FindingsFiles, "datasets", "findings"),
        probes=entries(ProbeFiles, "probes", "probes"),
    )
