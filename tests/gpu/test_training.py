"""Whole pretrainings on a GPU: their first loss, a stop and resume, a lack of memory."""

import contextlib
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
from soco.pretrain.feed import Feed
from soco.pretrain.graph import GraphedStep
from soco.pretrain.training import Training

pytestmark = pytest.mark.gpu
LITTLE = 200 << 20  # bytes


def test_a_run_computes_on_the_device_and_its_first_loss_is_the_cpus(device, job_of, recipe):
    job = job_of("whole", recipe)
    pretrain(job)
    metrics = json.loads(job.metrics.read_text())
    assert (metrics["device"], metrics["steps"]) == (device.type, 40)
    first = json.loads(job.log.read_text().splitlines()[0])["loss"]
    on_cpu = Training(job_of("cpu", recipe), Ranks(0, 1, torch.device("cpu")))
    (expected,) = losses_of(on_cpu, 1)
    # With norms in train mode, rounding shows in the fifth digit.
    assert first == pytest.approx(expected, abs=2e-4)


def losses_of(training, steps):
    """Take the first steps of a pretraining; return their losses."""
    with contextlib.closing(
        Feed(training.dataset, training.sampler, 0, training.device)
    ) as batches:
        taken = [training.step(batches, training._rates(number)) for number in range(steps)]
    return [step.values[0, 0].item() for step in taken]


def test_steps_replayed_as_a_graph_have_the_losses_of_plain_ones(device, job_of, recipe, tell):
    graphed, plain = (
        Training(job_of(way, recipe.model_copy(update={"cuda_graph": way})), Ranks(0, 1, device))
        for way in ("auto", "off")
    )
    assert isinstance(graphed.step, GraphedStep) == (device.type == "cuda")
    ours, theirs = losses_of(graphed, 20), losses_of(plain, 20)
    apart = max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True))
    tell(f"20 losses of a CUDA graph and of plain steps: apart by up to {apart:.1g}, relative")
    assert ours == pytest.approx(theirs, rel=1e-3)
    if device.type == "cuda":
        assert graphed.step._graph is not None, "the graph was given up; see the log"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_trains_to_finite_weights(device, job_of, recipe, precision):
    job = job_of(precision, recipe.model_copy(update={"precision": precision, "epochs": 2}))
    pretrain(job)
    assert json.loads(job.metrics.read_text())["precision"] == precision
    weights = safetensors.torch.load_file(job.weights)
    assert all(torch.isfinite(tensor.float()).all() for tensor in weights.values())


def started(job):
    """Start a pretraining as a program."""
    folder = job.folder.parent
    folder.mkdir(exist_ok=True)
    (folder / "job.json").write_text(job.model_dump_json())
    with (folder / "printed").open("ab") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "soco.pretrain", str(folder / "job.json")],
            stderr=printed,
            start_new_session=True,
        )


def weights_of(job, stop_after=None):
    """Run a pretraining to its end, stopped once after some steps; return its weights."""
    if stop_after is not None:
        process = started(job)
        log, until = job.folder / "log.jsonl", time.monotonic() + 300
        while not log.exists() or len(log.read_text().splitlines()) < stop_after:
            assert process.poll() is None, (job.folder.parent / "printed").read_text()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=120) == 75
        assert list(job.folder.glob("step-*.pt"))
    assert started(job).wait(timeout=600) == 0
    return safetensors.torch.load_file(job.weights)


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_stopped_and_resumed_run_ends_with_the_weights_of_a_whole_one(
    job_of, recipe, tell, deterministic
):
    """The same bits with deterministic algorithms; without them, the difference is printed."""
    recipe = recipe.model_copy(update={"deterministic": deterministic})
    whole = weights_of(job_of("whole", recipe))
    resumed = weights_of(job_of("resumed", recipe), stop_after=5)
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
