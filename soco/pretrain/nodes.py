"""How several training processes are started.

By torchrun on this machine, or by srun and torchrun on several.
"""

import os
import socket
import sys
from pathlib import Path

from soco.config import PretrainConfig
from soco.errors import UserError

GRACE = 600  # seconds from SIGTERM to SIGKILL: a step and a checkpoint


def torchrun_command(settings: PretrainConfig, job_file: Path, threads: int | None) -> list[str]:
    """The command that starts the processes of a run.

    On several nodes srun starts a torchrun on each, one task a node; they meet on the first, which
    this process runs on, under the number of the Slurm job.

    Args:
        settings: The recipe, for `processes` and `nodes`.
        job_file: What each process is told; on several nodes, a path that all see.
        threads: CPU cores of this job on each node; None: Slurm's default.

    Raises:
        UserError: Several nodes are asked for and this is no Slurm job.
    """
    each = settings.processes // settings.nodes
    meeting = ["--standalone"] if settings.nodes == 1 else _rendezvous_args(settings.nodes)
    torchrun = [sys.executable, "-m", "torch.distributed.run", *meeting, f"--nproc-per-node={each}"]
    torchrun += [f"--shutdown-timeout={GRACE}", "-m", "soco.pretrain", str(job_file)]
    return torchrun if settings.nodes == 1 else [*_srun(settings.nodes, threads), *torchrun]


def _rendezvous_args(nodes: int) -> list[str]:
    number = os.environ.get("SLURM_JOB_ID")
    if number is None:
        raise UserError(
            f"nodes is {nodes} and this is no Slurm job: start it with `snakemake --profile slurm`,"
            " or set nodes to 1, and all processes train on this machine."
        )
    place = f"{socket.gethostname()}:{_free_port()}"
    return [
        f"--nnodes={nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-id={number}",
        f"--rdzv-endpoint={place}",
    ]


def _srun(nodes: int, threads: int | None) -> list[str]:
    cores = [] if threads is None else [f"--cpus-per-task={threads}"]
    # A torchrun that has failed ends the others, which would wait for it.
    return [
        "srun",
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        *cores,
    ]


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("", 0))
        return any_port.getsockname()[1]
