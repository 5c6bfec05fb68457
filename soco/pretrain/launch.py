"""Start a pretraining in this process, or by torchrun in several, on one or more machines."""

import contextlib
import functools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import torch

from soco import torch_compat
from soco.config import PretrainConfig
from soco.data.stores.lock import exclusive_lock
from soco.data.stores.proposal_store import ProposalStore
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.io import atomic_write, write_json
from soco.machine import machine_faults
from soco.pretrain.distributed import (
    Ranks,
    check_cores,
    fix_threads,
    joined_ranks,
    started_by_torchrun,
    training_device,
)
from soco.pretrain.job import PretrainJob
from soco.pretrain.outcome import write_outcome
from soco.pretrain.slurm import current_job
from soco.pretrain.stop import StopSignals, ends_with_parent, leave
from soco.pretrain.training import Training

log = logging.getLogger(__name__)

_GRACE = 600  # seconds from SIGTERM to SIGKILL: enough for a step and a checkpoint
_MORE_MEMORY = (
    "raise accumulate (more gradient accumulation steps), set recompute to true, lower batch_size"
    " or workers, or use a larger machine"
)


def pretrain(job: PretrainJob, threads: int | None = None) -> None:
    """Pretrain a model on the images of a proposal store, or resume a run that was stopped.

    With `processes` above 1, torchrun starts the processes. A program that was itself started by
    torchrun calls this function in each process. In a Slurm job the run saves a checkpoint and
    exits some minutes before the time limit.

    Args:
        job: The run.
        threads: CPU threads of all processes on this machine together; None: as torch chooses.

    Raises:
        UserError: Input, checkpoints or machine are not usable, or the loss is not finite.
        SystemExit: SIGTERM was received, or the Slurm job is about to end. The exit code 75 asks to
            run it again, which resumes.
        KeyboardInterrupt: SIGINT was received.
    """
    check_proposals(job)
    if started_by_torchrun():
        # torchrun's OMP_NUM_THREADS is already this process's part of the cores.
        fix_threads()
        with joined_ranks() as ranks:
            _train(job, ranks)
        return
    check_cores(job.settings.processes // job.settings.nodes, job.settings.workers)
    if job.settings.processes > 1:
        _by_torchrun(job, threads)
    else:
        fix_threads(threads)
        _train(job, Ranks(0, 1, training_device()))


def check_proposals(job: PretrainJob) -> None:
    """Refuse a store in which too many images have no proposals.

    Such images are trained on as one box, the whole image, which is no longer object-level. With
    `boxes: whole` that is wanted.

    Raises:
        UserError: Their share is above `max_without_proposals`, or there is no such store.
    """
    counts = count_without(ProposalStore(job.store))
    most = job.settings.max_without_proposals
    if counts.share <= most or job.settings.boxes == "whole":
        return
    if counts.mostly_regionless:
        remedy = "check proposals.engine and the names in proposals.file"
    else:
        remedy = "lower filter.min_side, choose other filter.fallbacks"
    raise UserError(
        "pretrain.too_few_proposals",
        "{found}, more than {key} = {most:g} allows; {remedy}, or raise {key} to train on each of"
        " these images as one box.",
        found=counts.words(job.filter),
        key=f"pretrain.{job.run}.max_without_proposals",
        most=most,
        remedy=remedy,
    )


def _train(job: PretrainJob, ranks: Ranks) -> None:
    # The lock belongs to the process that writes, not to the one that waits for torchrun: that one
    # may be killed alone.
    stopping = StopSignals(current_job() if ranks.is_first else None)
    lock = exclusive_lock(job.folder) if ranks.is_first else contextlib.nullcontext()
    with machine_faults(job.folder, memory=_MORE_MEMORY), stopping as stop, lock:
        training = Training(job, ranks)
        if ranks.is_first:
            training.log_plan(job)
        training.run(stop)
        if ranks.is_first:
            write_outcome(job, training)
            # Last: until the results are complete, a crash resumes from a checkpoint.
            training.checkpoints.remove()


def _by_torchrun(job: PretrainJob, threads: int | None) -> None:
    here = job.settings.processes // job.settings.nodes
    _check_gpus(here)
    # The process id keeps a second start, which waits for the lock, from overwriting these files.
    job_file = job.folder / f"job-{os.getpid()}.json"
    command = torchrun_command(job.settings, job_file, threads)
    # Snakemake sets both variables to the threads of the whole job, and torch takes MKL's.
    each = str(max(1, (threads or os.cpu_count() or 1) // here))
    environment = {**os.environ, "OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
    write_json(job_file, job.model_dump(mode="json"))
    try:
        with StopSignals() as stop:
            # In a session of its own: Ctrl-C reaches it once, from here.
            process = subprocess.Popen(
                command, env=environment, start_new_session=True, preexec_fn=ends_with_parent()
            )
            code = _wait(process, stop)
        if code:
            _raise_end(job_file, code, stop)
    finally:
        for leftover in job.folder.glob(f"{job_file.stem}.*"):
            leftover.unlink()


def _wait(process: subprocess.Popen, stop: StopSignals) -> int:
    """Wait for torchrun to end; pass on a request to stop, once."""
    terminated = False
    while True:
        if stop.asked and not terminated:
            process.terminate()
            terminated = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A signal's handler only sets a flag, after which Python goes on waiting: look twice a
            # second.
            return process.wait(timeout=0.5)


def report_end(job_file: Path, error: UserError | None) -> None:
    """Report to the process that started torchrun why this process of torchrun ends.

    torchrun itself passes on only an exit code.

    Args:
        job_file: The job that this process runs.
        error: Why it ends; None: it was asked to stop.
    """
    if started_by_torchrun():
        values = {} if error is None else {k: _plain(v) for k, v in error.values.items()}
        end = None if error is None else [error.code, error.template, values]
        # Not write_json, which refuses the loss of a run that diverged.
        with atomic_write(_end_of(job_file)) as temporary:
            temporary.write_text(json.dumps(end))


def _raise_end(job_file: Path, code: int, stop: StopSignals) -> None:
    """Raise what ended the processes of torchrun."""
    end_file = _end_of(job_file)
    end = json.loads(end_file.read_text()) if end_file.exists() else None
    # A null in the file: the processes themselves were asked to stop.
    if stop.asked or (end_file.exists() and end is None):
        leave(stop.asked or signal.SIGTERM)
    if end is not None:
        error_code, template, values = end
        raise functools.partial(UserError, error_code, template)(**values)
    raise UserError(
        "pretrain.crashed",
        "A training process crashed without an error message (exit code {code} of torchrun). See"
        " the log above, and whether the machine ran out of memory. Run it again to resume from the"
        " last checkpoint.",
        code=code,
    )


def _end_of(job_file: Path) -> Path:
    return job_file.with_suffix(".end")


def _plain(value: object) -> object:
    """A value as JSON has it; numbers stay numbers, as templates may format them."""
    return value if isinstance(value, int | float) else str(value)


def _check_gpus(processes: int) -> None:
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise UserError(
            "pretrain.too_few_gpus",
            "processes is {processes}, but this machine has {gpus} GPU(s). Lower processes to at"
            " most {gpus} and raise accumulate by the same factor, so that each GPU needs no"
            " more memory; their product must divide batch_size.",
            processes=processes,
            gpus=gpus,
        )
    if not gpus:
        log.warning("no GPU: %d processes train on the cores of this machine", processes)


def torchrun_command(settings: PretrainConfig, job_file: Path, threads: int | None) -> list[str]:
    """Return the command that starts the processes of a run.

    On several nodes, srun starts one torchrun on each. They meet on the first node, where this
    process runs, under the id of the Slurm job.

    Args:
        settings: The recipe, for `processes` and `nodes`.
        job_file: The job as a file; on several nodes, on a path that all of them see.
        threads: CPU cores of this job on each node; None: Slurm's default.

    Raises:
        UserError: There are several nodes, and this is not a Slurm job.
    """
    each = settings.processes // settings.nodes
    rendezvous = ["--standalone"] if settings.nodes == 1 else _rendezvous_args(settings.nodes)
    torchrun = [sys.executable, "-m", "torch.distributed.run", *rendezvous]
    torchrun += [f"--nproc-per-node={each}", *torch_compat.torchrun_grace(_GRACE)]
    torchrun += ["-m", "soco.pretrain", str(job_file)]
    return torchrun if settings.nodes == 1 else [*_srun_args(settings.nodes, threads), *torchrun]


def _rendezvous_args(nodes: int) -> list[str]:
    number = os.environ.get("SLURM_JOB_ID")
    if number is None:
        raise UserError(
            "pretrain.nodes_without_slurm",
            "nodes is {nodes}, but this is not a Slurm job. Start it with `snakemake --profile"
            " slurm`, or set nodes to 1 to train all processes on this machine.",
            nodes=nodes,
        )
    return [
        f"--nnodes={nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-id={number}",
        f"--rdzv-endpoint={socket.gethostname()}:{_free_port()}",
    ]


def _srun_args(nodes: int, threads: int | None) -> list[str]:
    cores = [] if threads is None else [f"--cpus-per-task={threads}"]
    # --kill-on-bad-exit: a failed torchrun ends the others, which would wait for it.
    return [
        "srun",
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        *cores,
    ]


def _free_port() -> int:
    # Two runs on one node would meet on torchrun's default port.
    with socket.socket() as any_port:
        any_port.bind(("", 0))
        return any_port.getsockname()[1]
