"""The form of report.json; `python -m soco.report.schema` prints it as a JSON Schema."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = 3

Object = dict[str, Any]
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$", description="ISO 8601, UTC.")
]
Figure = Annotated[float, Field(le=100)]


class _Closed(BaseModel):
    """An object with these keys only."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Open(BaseModel):
    """An object with at least these keys."""

    model_config = ConfigDict(extra="allow", strict=True)


class Span(_Closed):
    """From the first job to the last."""

    started: Moment | None = Field(description="Start of the earliest job.")
    ended: Moment | None = Field(description="End of the latest job.")
    targets: None = Field(description="Not known.")


class Code(_Closed):
    """State of a git repository."""

    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None
    dirty: bool | None = Field(description="Whether files differed from the commit.")
    note: str | None = Field(description="Why the commit is not known.")


class Lock(_Closed):
    """The file that pins the packages."""

    path: str = Field(description="Relative to the repository.")
    sha256: Sha256 | None = Field(description="Null if there is no such file.")


class Machine(_Closed):
    """The machine that a job ran on."""

    platform: str
    cpu: str | None
    cores: int | None
    memory_gb: float
    gpus: list[str]


class Environment(_Closed):
    """What a job ran in."""

    code: Code
    python: str
    packages: dict[str, str]
    machine: Machine


class Job(_Closed):
    """One job of the workflow."""

    rule: str
    stage: str = Field(description="The stage of the workflow that the job belongs to.")
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
    """A file or folder that a job made."""

    path: str
    bytes: Count
    sha256: Sha256 = Field(
        description="Of the file; of a folder, that of its sorted lines `path, tab, bytes`."
    )
    files: Count | None = Field(None, description="Of a folder: how many files it contains.")
    deterministic: bool = Field(description="Whether every run writes the same bytes.")
    job: Count = Field(description="Index into `jobs` of the job that made it.")


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


class Pretraining(_Open):
    """metrics.json of a pretraining, with these keys added."""

    run: str
    pairs: int = Field(description="Pairs of views that the loss compares.")
    loss_floor: int = Field(description="The least possible loss: -4 per pair.")
    curve: list[Object] = Field(
        description="At most 400 logged steps: step, loss, lr and, if logged, spread and"
        " cosine_apart."
    )


class Spread(_Closed):
    """How a count varies over the images."""

    smallest: int
    median: float
    mean: float
    largest: int


class Proposals(_Closed):
    """The merged proposals."""

    counts: Object = Field(description="summary.json of the merged proposals.")
    regions_per_image: Spread
    proposals_per_image: Spread
    skipped: Count = Field(description="Images that could not be read.")
    skipped_first: list[Object] = Field(description="Key and reason of the first 50.")


class Quality(_Closed):
    """Statistics and recall of the proposals."""

    statistics: Object = Field(description="What `describe_proposals` measured.")
    recall: list[Object] = Field(description="What `measure_recall` measured, per detection set.")


class Findings(_Open):
    """findings.json of a detection set, with these keys added."""

    dataset: str
    splits: Object = Field(description="Counts of the train and the val split.")
    findings: list[Object]
    val_repaired: bool = Field(
        description="Whether AP is measured on a repaired copy of the validation split."
    )


class ThreeAP(_Open):
    """Average precision by name, in percent; null if there are no such objects."""

    __pydantic_extra__: dict[str, Figure | None]

    AP: Figure | None
    AP50: Figure | None
    AP75: Figure | None


class OverLimit(_Closed):
    """Validation images with more objects than `detections_per_image`."""

    images: int = Field(ge=1, description="How many.")
    most: int = Field(ge=2, description="Most objects of one image.")


class Evaluation(_Open):
    """metrics.json of an evaluation."""

    initialisation: str
    seed: int
    box: ThreeAP
    mask: ThreeAP
    per_category: Object
    protocol: Object = Field(description="What AP must be read with.")
    images: int
    instances: int
    over_limit: OverLimit | None = None
    artefact: int | None = Field(description="Index of its metrics.json into `artefacts`.")


class Task(_Open):
    """The evaluations of one fine-tuning."""

    task: str
    dataset: str
    format: Literal["coco", "lvis"]
    rows: list[Evaluation]
    summary: list[Object] = Field(
        description="Mean and standard deviation over seeds, per initialisation; per seed if the"
        " seeds differ in more than the seed."
    )
    differences: list[Object] = Field(
        description="Each initialisation minus scratch, with the 95 % confidence interval over"
        " fine-tuning seeds."
    )
    categories: list[Object] = Field(description="AP of each category, means over seeds.")
    curves: list[Object] = Field(description="AP during training, per initialisation.")
    logged: bool = Field(description="Whether AP was measured before the end of training.")


class Conversion(_Open):
    """Summary of a converted file, with these keys added."""

    run: str
    kind: str
    file: str
    largest_difference: float | None = Field(
        description="Largest difference of features; null if they were not compared."
    )


class Loading(_Open):
    """Which tensors of a detector were initialised from a file."""

    task: str
    initialisation: str
    seed: int
    taken: Object
    fresh: Object


class Resources(_Closed):
    """Time and memory of one rule's jobs."""

    rule: str
    stage: str
    jobs: int = Field(ge=1)
    total_seconds: float
    longest_seconds: float
    cpu_seconds: float = Field(description="Of all jobs, child processes included.")
    peak_rss_mb: float = Field(description="Of the largest process of any job.")


class Report(_Closed):
    """What a run of the workflow computed, and what made each of its files.

    Paths are relative to the folder that the run worked in, or absolute if the configuration's are.
    """

    form: Literal[3] = Field(alias="schema", description="The version of this form.")
    made: Moment = Field(description="When the report was made.")
    seed: Count
    config: Object = Field(description="The whole configuration; `soco keys` explains its keys.")
    demo: bool = Field(description="Whether the run used the embedded demo's data.")
    run: Span
    git: Code = Field(description="The code that made the report.")
    lock: Lock = Field(description="The pinned packages.")
    environments: list[Environment] = Field(description="The distinct environments of the jobs.")
    jobs: list[Job] = Field(description="Every job that made an artefact, in stage order.")
    artefacts: list[Artefact] = Field(description="Every file that a job made.")
    data: list[Data] = Field(description="The files that the run was given.")
    pretraining: list[Pretraining]
    proposals: Proposals
    quality: Quality
    findings: list[Findings] = Field(description="One entry per checked detection set.")
    results: list[Task] = Field(description="One entry per fine-tuning.")
    paper: dict[str, Object] = Field(description="The paper's `protocol` and `rows`, by format.")
    conversion: list[Conversion]
    loading: list[Loading] = Field(description="One entry per evaluation.")
    probes: list[Object] = Field(description="One entry per probe and initialisation.")
    resources: list[Resources] = Field(description="The slowest rule first.")
    redo: list[str] = Field(description="Shell commands that repeat the run.")
    failed_figures: list[dict[str, str]] | None = Field(
        None, description="Only in an incomplete report: `figure` and `reason` of each."
    )


if __name__ == "__main__":
    print(json.dumps(Report.model_json_schema(), indent=1))
