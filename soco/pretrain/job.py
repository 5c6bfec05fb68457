"""A pretraining as plain values, which its processes read from a file."""

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from soco.config import DetectorConfig, FilterConfig, ImagesConfig, PretrainConfig
from soco.config.effects import identity as settings_identity
from soco.config.section import InvalidValue, Section
from soco.data.stores.proposal_store import rows_digest
from soco.data.stores.tensors import tensors_digest
from soco.io import Origin
from soco.pretrain.model import load_weights


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
    initial_weights: Path | None = Field(
        None, description="Tensors by our name that the model begins with, instead of the seed's."
    )
    origin: Origin | None = Field(None, description="What makes the files; written into them.")

    @property
    def initial_name(self) -> str:
        """What the log and the report call the initial weights."""
        return self.settings.initial_weights or str(self.initial_weights)

    @model_validator(mode="after")
    def _initial_weights_are_given(self) -> "PretrainJob":
        if self.settings.initial_weights is not None and self.initial_weights is None:
            raise InvalidValue(
                "pretrain.initial_weights_not_given",
                "the settings begin with the weights '{name}', but initial_weights of the job names"
                " no file: give it, or set that key to null",
                name=self.settings.initial_weights,
            )
        return self


def identity(job: PretrainJob, precision: str) -> dict[str, Any]:
    """Return everything that determines the final weights, as plain values.

    Checkpoints store it: a run resumes only from a checkpoint of the same identity.

    Args:
        job: The run.
        precision: The precision in use; `auto` is resolved on this machine.
    """
    settings = settings_identity(job.settings, "pretrain")
    given: dict[str, Any] = {"proposals": rows_digest(job.store), "seed": job.seed}
    if job.initial_weights is not None:
        # By content, whatever the name.
        given["initial_weights"] = tensors_digest(load_weights(job.initial_weights))
    return {**settings, "precision": precision, "detector": job.detector.model_dump(), **given}
