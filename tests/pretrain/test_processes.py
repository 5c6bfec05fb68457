import json
import math
import os
import random
import signal
import time

import psutil
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import nn
from user_errors import refused

from soco.errors import UserError
from soco.pretrain.distributed import check_cores
from soco.pretrain.launch import _raise_end, report_end
from soco.pretrain.model.norms import synchronise_norms
from soco.pretrain.stop import StopSignals


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_processes_have_the_loss_of_one_at_the_same_batch_size(
    run, tiny_recipe, monkeypatch, capfd
):
    recipe = tiny_recipe.model_copy(update={"batch_size": 4, "epochs": 3, "projector_norm": True})
    alone = run("alone", recipe)
    each = max(1, os.cpu_count() // 2)
    monkeypatch.setenv("MKL_NUM_THREADS", str(2 * each))  # as in a job of Snakemake
    together = run("together", recipe.model_copy(update={"processes": 2}))
    assert (
        f"on cpu in fp32, {each} CPU thread(s) per process, synchronised norms"
        in capfd.readouterr().err
    )
    assert len(losses(alone)) == len(losses(together)) == 3
    assert losses(together) == pytest.approx(losses(alone), abs=1e-4)
    counts = [
        json.loads((folder / "metrics.json").read_text())["processes"]
        for folder in (alone, together)
    ]
    assert counts == [1, 2]


@pytest.mark.slow
def test_bits_do_not_depend_on_the_thread_variables_of_the_environment(
    run, weights, tiny_recipe, monkeypatch
):
    """Without Snakemake, and as in a job of Snakemake, which sets these variables."""
    recipe, ended = tiny_recipe.model_copy(update={"processes": 2}), []
    for number in ("1", "2"):
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            monkeypatch.setenv(name, number)
        folder = run(f"threads{number}", recipe)
        ended.append((losses(folder), weights(folder)))
    assert ended[0][0] == ended[1][0]
    assert all(tensor.equal(ended[1][1][name]) for name, tensor in ended[0][1].items())


def test_an_error_in_a_process_of_torchrun_is_raised_by_its_parent(run, tiny_recipe):
    with refused("pretrain.uneven_batch", batch_size=3, processes=2, accumulate=1):
        run("uneven", tiny_recipe.model_copy(update={"batch_size": 3, "processes": 2}))


def test_a_loss_that_is_not_finite_reaches_the_parent(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    error = UserError("pretrain.loss_not_finite", "The loss is {loss:g}.", loss=math.inf)
    report_end(tmp_path / "job.json", error)
    with refused("pretrain.loss_not_finite", loss=math.inf):
        _raise_end(tmp_path / "job.json", 1, StopSignals())


def rows(rank):
    """A different number of rows in each process, none in the last."""
    generator = torch.Generator().manual_seed(rank)
    return torch.randn((7, 2, 0)[rank], 3, 4, 4, generator=generator) * 3 + 5 * rank


def norm_over_processes(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=3)
    model = synchronise_norms(two_norms(), torch.device("cpu"))
    own = rows(rank).requires_grad_()
    out = model(own)
    (out * out.detach().cos()).sum().backward()
    torch.save(
        {"out": out, "gradient": own.grad, "scale": model[0].weight.grad, **model.state_dict()},
        f"{folder}/{rank}",
    )
    dist.destroy_process_group()


def two_norms():
    """The second one is as the projector's with `projector_norm`: without weights."""
    return nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(3, affine=False))


def test_norms_take_statistics_over_the_rows_of_all_processes(tmp_path):
    multiprocessing.spawn(norm_over_processes, (str(tmp_path),), nprocs=3)
    parts = [torch.load(tmp_path / str(rank)) for rank in range(3)]
    model = two_norms()
    everything = torch.cat([rows(rank) for rank in range(3)]).requires_grad_()
    out = model(everything)
    (out * out.detach().cos()).sum().backward()
    for name, whole in (("out", out), ("gradient", everything.grad)):
        torch.testing.assert_close(
            torch.cat([part[name] for part in parts]), whole, atol=1e-5, rtol=1e-5
        )
    torch.testing.assert_close(
        sum(part["scale"] for part in parts), model[0].weight.grad, atol=1e-4, rtol=1e-5
    )
    for name, whole in model.state_dict().items():
        for part in parts:
            torch.testing.assert_close(part[name], whole, atol=1e-5, rtol=1e-5)


def kill_one_of(process, draws):
    """Kill the program, torchrun or a training process with -9; wait until the others exit."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    victim = draws.choice(family)
    victim.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=90)
    assert not [member for member in family if member.is_running() and member.status() != "zombie"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "workers", "kills"), [(1, 0, 20), (1, 2, 20), (2, 0, 10), (2, 1, 10)]
)
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(
    job_of, started, run, weights, tiny_recipe, processes, workers, kills
):
    recipe = tiny_recipe.model_copy(
        update={
            "epochs": 60,
            "processes": processes,
            "workers": workers,
            "checkpoint_minutes": 0.02,
        }
    )
    whole = weights(run("whole", recipe))
    job, draws, done = job_of("killed", recipe), random.Random(processes * 10 + workers), 0
    while done < kills:
        process = started(job)
        moment = time.monotonic() + draws.uniform(1, 12)
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is not None:
            break
        kill_one_of(process, draws)
        done += 1
    print(f"{processes} process(es), {workers} worker(s): {done} kills")
    if done == kills:
        process = started(job)
    assert process.wait(timeout=600) == 0
    assert done >= 3, "the run finished before it was killed often enough: give it more epochs"
    assert all(tensor.equal(whole[name]) for name, tensor in weights(job.weights.parent).items())


@pytest.fixture
def cores(monkeypatch):
    """A machine of two cores and no GPU."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_many_more_processes_than_cores_are_refused(cores):
    with refused("machine.too_many_processes", processes=64, cores=2, most=8):
        check_cores(processes=64, workers=0)


@pytest.mark.parametrize(("processes", "workers", "most"), [(1, 300, 64), (4, 17, 16)])
def test_many_more_workers_than_cores_are_refused(cores, processes, workers, most):
    with refused("machine.too_many_workers", workers=workers, processes=processes, most=most):
        check_cores(processes, workers)


def test_somewhat_more_than_the_cores_are_accepted(cores, monkeypatch):
    """The largest numbers that are accepted, each next to one that is not."""
    check_cores(8, 8)
    with refused("machine.too_many_processes"):
        check_cores(9, 0)
    with refused("machine.too_many_workers"):
        check_cores(8, 9)
    # With GPUs, processes are not compared with the cores.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_cores(16, 4)
    with refused("machine.too_many_workers"):
        check_cores(16, 5)
