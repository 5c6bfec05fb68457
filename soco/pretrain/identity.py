"""What decides the weights that a run ends with.

Its checkpoints are taken up by a run of the same alone.
"""

from typing import Any

from soco.config.effects import identity as settings_identity
from soco.data.stores.merged import rows_digest
from soco.pretrain.job import PretrainJob


def identity(job: PretrainJob, precision: str) -> dict[str, Any]:
    """Recipe, arithmetic, detector, proposals and seed of a run, as plain values.

    Args:
        job: The run.
        precision: The arithmetic that it computes in, which `auto` leaves to the machine.
    """
    settings = settings_identity(job.settings, "pretrain")
    given = {"proposals": rows_digest(job.store), "seed": job.seed}
    return {**settings, "precision": precision, "detector": job.detector.model_dump(), **given}
