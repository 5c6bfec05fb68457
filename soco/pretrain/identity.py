"""What decides the weights that a run ends with: its checkpoints are taken up by a run of the same alone."""

import hashlib
from typing import Any

from soco.pretrain.job import PretrainJob

# Settings that change how a run goes and not what it computes; the number of processes changes rounding alone.
_WITHOUT_EFFECT = {"processes", "recompute", "workers", "checkpoint_minutes", "keep_checkpoints", "log_every"}


def identity(job: PretrainJob, precision: str) -> dict[str, Any]:
    """Recipe, arithmetic, detector, proposals and seed of a run, as plain values.

    Args:
        job: The run.
        precision: The arithmetic that it computes in, which `auto` leaves to the machine.
    """
    settings = job.settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    with job.store.open("rb") as store:
        proposals = hashlib.file_digest(store, "sha256").hexdigest()
    given = {"proposals": proposals, "seed": job.seed}
    return {**settings, "precision": precision, "detector": job.detector.model_dump(), **given}
