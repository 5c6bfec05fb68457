"""Whole pretrainings on a GPU: their first loss, a stop and resume, a lack of memory."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from user_errors import refused

from soco.config import ViewConfig
from soco.pretrain import pretrain
from soco.pretrain.distributed import Ranks
from soco.pretrain.training import Training

pytestmark = pytest.mark.gpu
PROGRAM = Path(__file__).parent / "deterministic.py"
LITTLE = 200 << 20  # bytes


def test_a_run_computes_on_the_device_and_its_first_loss_is_the_cpus(device, job_of, recipe):
    job = job_of("whole", recipe)
    pretrain(job)
    metrics = json.loads(job.metrics.read_text())
    assert (metrics["device"], metrics["steps"]) == (device.type, 40)
    first = json.loads(job.log.read_text().splitlines()[0])["loss"]
    on_cpu = Training(job_of("cpu", recipe), Ranks(0, 1, torch.device("cpu")))
    step = on_cpu._step(0, on_cpu._batches())
    # The log has four digits; with norms in train mode, rounding shows in the fifth.
    assert first == pytest.approx(step.values["loss"].item(), abs=2e-4)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_trains_to_finite_weights(device, job_of, recipe, precision):
    job = job_of(precision, recipe.model_copy(update={"precision": precision, "epochs": 2}))
    pretrain(job)
    assert json.loads(job.metrics.read_text())["precision"] == precision
    weights = safetensors.torch.load_file(job.weights)
    assert all(torch.isfinite(tensor.float()).all() for tensor in weights.values())


def started(job, deterministic):
    """Start a pretraining as a program."""
    path = job.folder.parent / "job.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(job.model_dump_json())
    program = [str(PROGRAM)] if deterministic else ["-m", "soco.pretrain"]
    with (job.folder.parent / "printed").open("ab") as printed:
        return subprocess.Popen(
            [sys.executable, *program, str(path)], stderr=printed, start_new_session=True
        )


def weights_of(job, deterministic, stop_after=None):
    """Run a pretraining to its end, stopped once after some steps; return its weights."""
    if stop_after is not None:
        process = started(job, deterministic)
        log, until = job.folder / "log.jsonl", time.monotonic() + 300
        while not log.exists() or len(log.read_text().splitlines()) < stop_after:
            assert process.poll() is None, (job.folder.parent / "printed").read_text()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=120) == 75
        assert list(job.folder.glob("step-*.pt"))
    assert started(job, deterministic).wait(timeout=600) == 0
    return safetensors.torch.load_file(job.weights)


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_stopped_and_resumed_run_ends_with_the_weights_of_a_whole_one(
    job_of, recipe, tell, deterministic
):
    """The same bits with deterministic algorithms; without them, the difference is printed."""
    whole = weights_of(job_of("whole", recipe), deterministic)
    resumed = weights_of(job_of("resumed", recipe), deterministic, stop_after=5)
    floats = [name for name, tensor in whole.items() if tensor.is_floating_point()]
    largest = max(
        ((resumed[n] - whole[n]).norm() / whole[n].norm().clamp(min=1e-12)).item() for n in floats
    )
    tell(
        f"resumed with{'' if deterministic else 'out'} deterministic algorithms: tensors differ by"
        f" up to {largest:.2g}, relative"
    )
    assert whole.keys() == resumed.keys()
    if deterministic:
        assert [name for name in whole if not whole[name].equal(resumed[name])] == []
    # 40 steps at a high learning rate magnify rounding, but a wrong state would differ by far more.
    assert largest < 0.1


@pytest.fixture
def little_memory(device):
    """Let this process take little more memory of the device than it has."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(device).total_memory
        share = (torch.cuda.memory_reserved() + LITTLE) / total
        torch.cuda.set_per_process_memory_fraction(share)
        yield
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    else:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits = resource.getrlimit(resource.RLIMIT_AS)
        allowed = pages * resource.getpagesize() + 3 * LITTLE
        resource.setrlimit(resource.RLIMIT_AS, (allowed, limits[1]))
        yield
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_too_large_a_batch_ends_in_one_sentence(device, job_of, recipe, little_memory):
    """The first convolution of 64 views of 448 pixels alone makes 822 MB."""
    views = (ViewConfig(size=448), ViewConfig(size=448, crop="a"))
    large = recipe.model_copy(
        update={"views": views, "level_bounds": (48, 96, 192, 448), "batch_size": 64, "workers": 0}
    )
    where = "The GPU" if device.type == "cuda" else "The machine"
    with refused("machine.out_of_memory", device=where) as caught:
        pretrain(job_of("large", large))
    assert "raise accumulate" in str(caught.value) and "\n" not in str(caught.value)
