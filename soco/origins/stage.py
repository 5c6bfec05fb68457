"""What a workflow script stands in.

Its log, the origin that its files carry, and the record that it leaves.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from soco.logs import stage_log
from soco.origins.environment import environment
from soco.origins.inside import made_by
from soco.origins.record import Clock, Job, described, write_record

_RECORD = "origin"


@contextlib.contextmanager
def stage(snakemake: Any) -> Iterator[None]:
    """Run a script's work: into its log (see `stage_log`), its files with their origin, and a
    record at its end.

    Args:
        snakemake: What Snakemake hands to a script. Its log comes first; its output `origin`
            receives the record.
    """
    with stage_log(snakemake.log[0]):
        clock, job, runs_in = Clock(), job_of(snakemake), environment()
        with made_by(described(job, runs_in)):
            yield
        write_record(Path(snakemake.output[_RECORD]), job, runs_in, clock)


def job_of(snakemake: Any) -> Job:
    """The job in plain values."""
    outputs = _paths(snakemake.output.items())
    del outputs[_RECORD]
    return Job(
        rule=snakemake.rule,
        wildcards={name: str(value) for name, value in snakemake.wildcards.items()},
        params=json.loads(json.dumps(dict(snakemake.params.items()), default=str)),
        threads=snakemake.threads,
        inputs=_paths(snakemake.input.items()),
        outputs=outputs,
    )


def _paths(named: Iterable[tuple[str, Any]]) -> dict[str, list[str]]:
    return {
        name: [str(held)] if isinstance(held, str) else [str(path) for path in held]
        for name, held in named
    }
