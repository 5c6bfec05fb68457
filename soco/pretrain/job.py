"""A pretraining as plain values, which its processes read from a file."""

from pathlib import Path
from typing import Any

from pydantic import Field

from soco.config import DetectorConfig, FilterConfig, ImagesConfig, PretrainConfig
from soco.config.effects import identity as settings_identity
from soco.config.section import Section
from soco.data.stores.proposal_store import rows_digest
from soco.io import Origin


class PretrainJob(Section):
    """One pretraining: its recipe, its images, and its files."""

    run: str = Field(description="Name of the run.")
    settings: PretrainConfig = Field(description="The recipe.")
    detector: DetectorConfig = Field(description="Sizes of the modules that detectors fine-tune.")
    store: Path = Field(description="Arrow file of the merged proposals.")
    images: ImagesConfig = Field(description="Where the store's images are.")
    filter: FilterConfig | None = Field(
        None, description="The filter of the store, to explain why images have no proposals."
    )
    folder: Path = Field(
        description="Receives checkpoints and the live log; removed at the end of the run."
    )
    weights: Path = Field(description="Receives the final weights of both branches (safetensors).")
    log: Path = Field(description="Receives the log: a line of JSON every few steps.")
    metrics: Path = Field(description="Receives a JSON summary of the run.")
    tensorboard: Path | None = Field(None, description="Folder that receives TensorBoard events.")
    seed: int = Field(description="The seed of the initialisation and of all views.")
    origin: Origin | None = Field(None, description="What makes the files; written into them.")


def identity(job: PretrainJob, precision: str) -> dict[str, Any]:
    """Return everything that determines the final weights, as plain values.

    Checkpoints store it: a run resumes only from a checkpoint of the same identity.

    Args:
        job: The run.
        precision: The precision in use; `auto` is resolved on this machine.
    """
    settings = settings_identity(job.settings, "pretrain")
    given = {"proposals": rows_digest(job.store), "seed": job.seed}
    return {**settings, "precision": precision, "detector": job.detector.model_dump(), **given}
