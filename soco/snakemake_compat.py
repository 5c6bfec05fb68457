"""Everything that we use of Snakemake beyond its documented interface.

`tests/test_snakemake_compat.py` has a test for each use, which fails when Snakemake changes it.
`workflow` is the object that Snakemake gives to a Snakefile.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemake.exceptions import IncompleteCheckpointException
from snakemake.utils import update_config

_NO_LIMIT = 10_000  # more jobs than any machine runs at a time


def lay_over(config: dict[str, Any], overlay: dict[str, Any]) -> None:
    """Update a nested mapping in place, key by key, as `--configfile` and `--config` do."""
    update_config(config, overlay)


def given_files(workflow: Any) -> list[Path]:
    """The files of `--configfile`; Snakemake has read them when a Snakefile begins."""
    return [Path(path) for path in workflow.overwrite_configfiles]


def given_entries(workflow: Any) -> list[str]:
    """The entries of `--config`, KEY=VALUE each."""
    return list(workflow.config_settings.config_args or ())


def is_job_process(workflow: Any) -> bool:
    """Whether this process runs one job, for which it builds the graph again."""
    return not workflow.is_main_process


def share_resources(workflow: Any) -> None:
    """Limit all jobs together to the cores of `--max-threads`, or to one GPU if none is declared.

    The profile slurm/ sets max-threads to the cores of a node; profiles/default sets `_cores` to
    those of this machine, which only submits jobs to Slurm. Without Slurm, every job sees all GPUs
    of the machine and uses the first ones, so only one GPU job may run at a time. A machine without
    a GPU runs as many as its cores allow.
    """
    if is_job_process(workflow):
        return
    if workflow.resource_settings.max_threads:
        workflow.register_resource("_cores", workflow.resource_settings.max_threads)
    elif workflow.global_resources.get("gpu").value is None:
        has_gpu = any(Path("/dev").glob("nvidia[0-9]*"))
        workflow.register_resource("gpu", 1 if has_gpu else _NO_LIMIT)


def block_group(workflow: Any, name: str, number: int) -> str:
    """Group a job with its neighbours, as many as `--group-components` says.

    Snakemake forms groups again after each checkpoint, and merges those that it formed before. With
    one name for all jobs, that would be a single group; a name for each block prevents it.

    Args:
        workflow: The workflow.
        name: The group's name in `--group-components`.
        number: The number of the job among its neighbours.

    Returns:
        The name of the job's group.
    """
    block = f"{name}_{number // workflow.group_settings.group_components.get(name, 1)}"
    workflow.parent_groupids[block] = name
    return block


class CheckpointWait:
    """Asks whether a checkpoint is up to date, once for each state of the DAG.

    Each query makes Snakemake go through all outputs of the checkpoint: thousands for a large set.
    """

    def __init__(self, checkpoints: Any, name: str) -> None:
        """Watch a checkpoint.

        Args:
            checkpoints: The object that Snakemake gives to a Snakefile.
            name: The checkpoint's rule.
        """
        self._checkpoints, self._name = checkpoints, name
        self._answers: dict[int, Exception | None] = {}

    def __call__(self) -> None:
        """Return if it is up to date; else raise the error after which Snakemake runs it first."""
        state = len(self._checkpoints.created_output)
        if state not in self._answers:
            self._answers[state] = _raised(getattr(self._checkpoints, self._name).get)
        answer = self._answers[state]
        if answer is not None:
            raise answer


def _raised(ask: Callable[[], Any]) -> Exception | None:
    try:
        ask()
    except IncompleteCheckpointException as not_yet:
        return not_yet
    return None
