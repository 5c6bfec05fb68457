"""Start a pretraining: in this process, or by torchrun in several that train together."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import torch

from soco.errors import UserError
from soco.pretrain.hardware import training_device
from soco.pretrain.job import PretrainJob
from soco.pretrain.lock import alone_in
from soco.pretrain.outcome import write_outcome
from soco.pretrain.ranks import Ranks, joined_ranks, started_by_torchrun
from soco.pretrain.stop import StopSignals, ends_with_parent, leave
from soco.pretrain.training import Training
from soco.stores.files import write_json


def pretrain(job: PretrainJob, threads: int | None = None) -> None:
    """Pretrain a model on the pictures of a proposal store, or go on with a run that was stopped.

    With `processes` above 1 torchrun starts them; a program that torchrun started itself calls this in each of its.

    Args:
        job: The run.
        threads: CPU threads of all processes together; None: as torch chooses.

    Raises:
        UserError: The input, the checkpoints or the machine do not allow it, or the loss is no longer finite.
        SystemExit: SIGTERM came; the code (75) asks for another start, which goes on.
        KeyboardInterrupt: SIGINT came; the same.
    """
    if started_by_torchrun():
        train_in_this_process(job)
    elif job.settings.processes > 1:
        _by_torchrun(job, threads or os.cpu_count() or 1)
    else:
        if threads:
            torch.set_num_threads(threads)
        _train(job, Ranks(0, 1, training_device()))


def train_in_this_process(job: PretrainJob) -> None:
    """The part of one process among those that torchrun started."""
    with joined_ranks() as ranks:
        _train(job, ranks)


def failure_of(job_file: Path) -> Path:
    """Where a process that torchrun started leaves the sentence that ended it."""
    return job_file.with_name("failure.txt")


def _train(job: PretrainJob, ranks: Ranks) -> None:
    # Held by the process that writes, and not by one that waits for it: that one may be killed alone.
    with alone_in(job.folder) if ranks.is_first else contextlib.nullcontext():
        training = Training(job, ranks)
        if ranks.is_first:
            training.say_plan(job.run)
        training.run()
        if ranks.is_first:
            write_outcome(job, training)
            training.checkpoints.remove()


def _by_torchrun(job: PretrainJob, threads: int) -> None:
    count = job.settings.processes
    _check_gpus(count)
    job_file = job.folder / "job.json"
    write_json(job_file, job.model_dump(mode="json"))
    failure_of(job_file).unlink(missing_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, threads // count))}
    with StopSignals() as stop:
        # In a session of its own, so that Ctrl-C reaches it once, from here.
        process = subprocess.Popen(
            [*command, "-m", "soco.pretrain", str(job_file)],
            env=environment,
            start_new_session=True,
            preexec_fn=ends_with_parent(),
        )
        code = _wait(process, stop)
    if code and stop.asked:
        leave(stop.asked)
    if code:
        failure = failure_of(job_file)
        raise UserError(failure.read_text() if failure.exists() else _CRASHED.format(code=code))


_CRASHED = (
    "A training process ended without a word of ours (torchrun's code is {code}; see the log above, and whether the "
    "machine ran out of memory); run it again, and it goes on from its last checkpoint."
)


def _wait(process: subprocess.Popen, stop: StopSignals) -> int:
    """Wait for torchrun's end, and pass on that it is asked for; torchrun then gives its processes 30 s."""
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
            f"processes is {processes} and this machine has {gpus} GPU(s): set processes to {gpus}, and accumulate to "
            f"{-(-processes // gpus)} times what it is, so that a pass takes as much memory as before."
        )
