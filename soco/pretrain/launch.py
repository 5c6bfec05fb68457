"""Start a pretraining.

In this process, or by torchrun in several that train together, on one machine or more.
"""

import contextlib
import logging
import os
import signal
import subprocess
from pathlib import Path

import torch

from soco.data.stores.lock import exclusive_lock
from soco.errors import UserError
from soco.io import write_json
from soco.machine import machine_faults
from soco.pretrain.hardware import fix_threads, see_that_cores_suffice, training_device
from soco.pretrain.job import PretrainJob
from soco.pretrain.nodes import torchrun_command
from soco.pretrain.outcome import write_outcome
from soco.pretrain.proposals import check_proposals
from soco.pretrain.ranks import Ranks, joined_ranks, started_by_torchrun
from soco.pretrain.slurm import current_job
from soco.pretrain.stop import StopSignals, ends_with_parent, leave
from soco.pretrain.training import Training

log = logging.getLogger(__name__)

STOPPED = "stopped"
_CRASHED = (
    "A training process crashed without an error message (torchrun's code is {code}; see the log"
    " above, and whether the machine ran out of memory); run it again, and it resumes from its last"
    " checkpoint."
)
_MORE_MEMORY = (
    "raise accumulate, which splits a step into more passes, set recompute to true, lower"
    " batch_size or workers, or use a larger machine"
)


def pretrain(job: PretrainJob, threads: int | None = None) -> None:
    """Pretrain a model on the images of a proposal store, or go on with a run that was stopped.

    With `processes` above 1 torchrun starts them; a program that torchrun started itself calls this
    in each of its. In a Slurm job it saves and leaves some minutes before the job's end.

    Args:
        job: The run.
        threads: CPU threads of all processes on this machine together; None: as torch chooses.

    Raises:
        UserError: The input, the checkpoints or the machine do not allow it, or the loss is no
            longer finite.
        SystemExit: SIGTERM came, or the Slurm job is about to end; the code (75) asks for another
            start, which goes on.
        KeyboardInterrupt: SIGINT came; the same.
    """
    check_proposals(job)
    if started_by_torchrun():
        train_in_this_process(job)
        return
    see_that_cores_suffice(job.settings.processes // job.settings.nodes, job.settings.workers)
    if job.settings.processes > 1:
        _by_torchrun(job, threads)
    else:
        fix_threads(threads)
        _train(job, Ranks(0, 1, training_device()))


def ending_of(job_file: Path) -> Path:
    """Where a process that torchrun started leaves the sentence that ended it, or that it was asked to stop."""
    return job_file.with_suffix(".ending")


def train_in_this_process(job: PretrainJob) -> None:
    """The part of one process among those that torchrun started."""
    fix_threads()
    with joined_ranks() as ranks:
        _train(job, ranks)


def _train(job: PretrainJob, ranks: Ranks) -> None:
    # Held by the process that writes, and not by one that waits for it: that one may be killed
    # alone.
    stopping = StopSignals(current_job() if ranks.is_first else None)
    alone = exclusive_lock(job.folder) if ranks.is_first else contextlib.nullcontext()
    with machine_faults(job.folder, memory=_MORE_MEMORY), stopping as stop, alone:
        training = Training(job, ranks)
        if ranks.is_first:
            training.say_plan(job)
        training.run(stop)
        if ranks.is_first:
            write_outcome(job, training)
            training.checkpoints.remove()


def _by_torchrun(job: PretrainJob, threads: int | None) -> None:
    here = job.settings.processes // job.settings.nodes
    _check_gpus(here)
    # Named by this process: another that is started in vain writes its own.
    job_file = job.folder / f"job-{os.getpid()}.json"
    command = torchrun_command(job.settings, job_file, threads)
    each = str(max(1, (threads or os.cpu_count() or 1) // here))
    # Torch takes MKL's number, and Snakemake sets it in its jobs' environment, to the threads of
    # all processes.
    environment = {**os.environ, "OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
    write_json(job_file, job.model_dump(mode="json"))
    try:
        with StopSignals() as stop:
            # In a session of its own, so that Ctrl-C reaches it once, from here.
            process = subprocess.Popen(
                command, env=environment, start_new_session=True, preexec_fn=ends_with_parent()
            )
            code = _wait(process, stop)
        ending = ending_of(job_file)
        told = ending.read_text() if ending.exists() else _CRASHED.format(code=code)
    finally:
        for left in job.folder.glob(f"{job_file.stem}.*"):
            left.unlink()
    if code and (stop.asked or told == STOPPED):
        leave(stop.asked or signal.SIGTERM)
    if code:
        raise UserError(told)


def _wait(process: subprocess.Popen, stop: StopSignals) -> int:
    """Wait for torchrun's end, and pass on that it is asked for."""
    told = False
    while True:
        if stop.asked and not told:
            process.terminate()
            told = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=0.5)


def _check_gpus(processes: int) -> None:
    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise UserError(
            f"processes is {processes} and this machine has {gpus} GPU(s): lower processes to at"
            f" most {gpus}, and raise accumulate by as much, so that a pass takes no more memory;"
            " both together must divide batch_size."
        )
    if not gpus:
        log.warning("no GPU: %d processes train on this machine's cores", processes)
