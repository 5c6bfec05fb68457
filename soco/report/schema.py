"""The schema of report.json; `python -m soco.report.schema` prints it as a JSON Schema."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

SCHEMA = 3

Object = dict[str, Any]
Count = Annotated[int, Field(ge=0)]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$", description="ISO 8601, UTC.")
]


class Keys(GroupedMetadata):
    """Requires some keys of an object, which may have others."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[object]:
        yield AfterValidator(self._check)
        yield WithJsonSchema({"type": "object", "required": list(self._keys)})

    def _check(self, value: Object) -> Object:
        if absent := [key for key in self._keys if key not in value]:
            raise ValueError(f"lacks {', '.join(absent)}")
        return value


class _Closed(BaseModel):
    """An object with these keys only."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Code(_Closed):
    """State of the code: `dirty` if files differ from the commit, `note` why it is unknown."""

    commit: Commit | None
    dirty: bool | None
    note: str | None


class Environment(_Closed):
    """What a job ran in."""

    code: Code
    python: str
    packages: dict[str, str]
    machine: Annotated[Object, Keys("platform", "cpu", "cores", "memory_gb", "gpus")]


class Job(_Closed):
    """One job of the workflow; see also `soco.jobs`."""

    rule: str
    stage: str = Field(description="The stage of the workflow that it belongs to.")
    wildcards: dict[str, str]
    params: Object
    seed: int | None = Field(description="Null if the job draws no random numbers.")
    threads: int = Field(ge=1)
    environment: Count = Field(description="Index into `environments`.")
    started: Moment
    seconds: float = Field(description="Wall time of the attempt that finished the job.")
    cpu_seconds: float = Field(description="Of all its processes.")
    peak_mb: float = Field(description="Largest resident set of any one of its processes.")
    inputs: list[str]
    outputs: list[str]
    origin: str = Field(description="The file of its record.")


class Artefact(_Closed):
    """A file that a job made, or a folder of `files`, whose hash is that of its listing."""

    path: str
    bytes: Count
    sha256: Sha256 = Field(description="Of a folder: of its sorted lines `path, tab, bytes`.")
    files: Count | None = None
    deterministic: bool = Field(description="Whether every run writes the same bytes.")
    job: Count = Field(description="Index into `jobs`.")


class Data(_Closed):
    """A file or folder that the run was given."""

    name: str
    kind: Literal["images", "annotations", "weights", "boxes"]
    path: str
    files: int | None
    digest: Sha256 = Field(
        description="Of a file: its hash; of the images pretrained on: that of their sorted lines"
        " `key, tab, SHA-256`; of another folder of images: that of its listing."
    )
    used_by: list[str] = Field(min_length=1, description="The rules that read it.")


class AveragePrecision(BaseModel):
    """Average precision by name, in percent; null if there are no such objects."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[float, Field(le=100)] | None]

    AP: float | None
    AP50: float | None
    AP75: float | None


class Evaluation(BaseModel):
    """metrics.json of an evaluation."""

    model_config = ConfigDict(extra="allow")

    initialisation: str
    seed: int
    box: AveragePrecision
    mask: AveragePrecision
    per_category: Object
    protocol: Annotated[Object, Keys("seed")] = Field(
        description="How the detector was trained and scored; AP means nothing without it."
    )
    images: int
    instances: int
    over_limit: Annotated[Object, Keys("images", "most")] | None = Field(
        None,
        description="How many `images` have more objects than `detections_per_image`, and the"
        " largest number of objects in one.",
    )
    artefact: int | None = Field(description="Index of its metrics.json into `artefacts`.")


class Task(_Closed):
    """The evaluations of one fine-tuning."""

    task: str
    dataset: str
    format: Literal["coco", "lvis"]
    rows: list[Evaluation]
    summary: list[Annotated[Object, Keys("label", "n", "seeds", "protocol", "box", "mask")]] = (
        Field(
            description="Mean and standard deviation over seeds, per initialisation; per seed if"
            " the seeds differ in more than the seed."
        )
    )
    differences: list[Annotated[Object, Keys("label", "seeds", "unlike", "box", "mask")]] = Field(
        description="Each initialisation minus scratch, with the 95 % confidence interval over"
        " fine-tuning seeds."
    )
    paired: list[
        Annotated[Object, Keys("label", "baseline", "n", "seeds", "unlike", "box", "mask", "alone")]
    ] = Field(
        description="Every two initialisations, the later minus the earlier, paired by fine-tuning"
        " seed: mean difference of AP, 95 % confidence interval (Student's t), and verdict;"
        " pretrainings of one recipe are averaged for each seed, and `alone` has each of them."
    )
    pretrainings: list[Annotated[Object, Keys("label", "n", "pretrainings", "box", "mask")]] = (
        Field(
            description="Mean and standard deviation of AP over the pretrainings of one recipe; the"
            " AP of each is the mean over fine-tuning seeds."
        )
    )
    categories: list[Object] = Field(description="AP of each category, means over seeds.")
    curves: list[Object] = Field(description="AP during training, per initialisation.")
    logged: bool = Field(description="Whether AP was measured before the end of training.")


class Resources(_Closed):
    """Time and memory of one rule's jobs, child processes included."""

    rule: str
    stage: str
    jobs: int = Field(ge=1)
    total_seconds: float
    longest_seconds: float
    cpu_seconds: float
    peak_rss_mb: float = Field(description="Of the largest process of any job.")


class Report(_Closed):
    """What a run of the workflow computed, and what made each of its files.

    Paths are relative to the folder that the run worked in, or absolute if the configuration's are.
    """

    form: Literal[3] = Field(alias="schema", description="The version of this schema.")
    made: Moment = Field(description="When the report was made.")
    seed: Count
    config: Object = Field(description="The whole configuration; `soco keys` explains its keys.")
    demo: bool = Field(description="Whether the run used the embedded demo's data.")
    run: Annotated[Object, Keys("started", "ended", "targets")] = Field(
        description="From the first to the last job."
    )
    git: Code = Field(description="The code that made the report.")
    lock: Annotated[Object, Keys("path", "sha256")] = Field(
        description="The file that pins the packages."
    )
    environments: list[Environment] = Field(description="The distinct environments of the jobs.")
    jobs: list[Job] = Field(description="Every job that made an artefact, in stage order.")
    artefacts: list[Artefact] = Field(description="Every file that a job made.")
    data: list[Data] = Field(description="The files that the run was given.")
    pretraining: list[Annotated[Object, Keys("run", "pairs", "loss_floor", "curve")]] = Field(
        description="metrics.json of each, its pairs of views, the lowest possible loss, and at"
        " most 400 logged steps."
    )
    proposals: Annotated[
        Object,
        Keys("counts", "regions_per_image", "proposals_per_image", "skipped", "skipped_first"),
    ] = Field(
        description="Counts of the merge, their spread over images, the first 50 skipped images."
    )
    quality: Annotated[Object, Keys("statistics", "recall")] = Field(
        description="Files of `soco.proposals.quality`."
    )
    findings: list[Annotated[Object, Keys("dataset", "splits", "findings", "val_repaired")]] = (
        Field(
            description="findings.json of each checked detection set, and whether AP is measured on"
            " a repaired validation split."
        )
    )
    results: list[Task] = Field(description="One entry per fine-tuning.")
    paper: dict[str, Annotated[Object, Keys("protocol", "rows")]] = Field(
        description="The paper's AP, by format."
    )
    conversion: list[Annotated[Object, Keys("run", "kind", "file", "largest_difference")]] = Field(
        description="Summary of each converted file; the difference of features is null if they"
        " were not compared."
    )
    loading: list[Annotated[Object, Keys("task", "initialisation", "seed", "taken", "fresh")]] = (
        Field(description="Which tensors of each detector were initialised from a file.")
    )
    probes: list[Annotated[Object, Keys("probe", "initialisation")]]
    resources: list[Resources] = Field(description="The slowest rule first.")
    redo: list[str] = Field(description="Shell commands that repeat the run.")
    failed_figures: list[dict[str, str]] | None = Field(
        None, description="Only in an incomplete report: `figure` and `reason` of each."
    )


if __name__ == "__main__":
    print(json.dumps(Report.model_json_schema(), indent=1))
