"""What we assume of the undocumented parts of torch; a new version that changes one fails here."""

import inspect
import multiprocessing
import multiprocessing.queues
import threading
import time
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from torch import nn
from torch.distributed.run import get_args_parser
from torch.utils.data import DataLoader, Dataset

from soco import torch_compat


@pytest.fixture
def tensors():
    """Three tensors of different shapes, and others of the same shapes."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((3,), (2, 4), (1, 2, 3))
    return [
        [torch.randn(shape, generator=generator) for shape in shapes] for _ in ("these", "others")
    ]


def equal(ours, theirs):
    return all(a.equal(b) for a, b in zip(ours, theirs, strict=True))


def test_foreach_operations_that_return_are_those_on_each_tensor(tensors):
    these, others = tensors
    added = [a + 0.5 * b for a, b in zip(these, others, strict=True)]
    assert equal(torch_compat.add(these, others, alpha=0.5), added)
    torch.testing.assert_close(torch_compat.norms(these), torch.stack([a.norm() for a in these]))


@pytest.mark.parametrize(
    ("in_place", "each"),
    [
        (lambda a, b: torch_compat.mul_(a, 0.9), lambda a, b: a * 0.9),
        (lambda a, b: torch_compat.mul_(a, [x.sum() for x in b]), lambda a, b: a * b.sum()),
        (lambda a, b: torch_compat.add_(a, b, alpha=-2.0), lambda a, b: a - 2.0 * b),
        (lambda a, b: torch_compat.lerp_(a, b, 0.25), lambda a, b: torch.lerp(a, b, 0.25)),
        # Factors on the device.
        (lambda a, b: torch_compat.mul_(a, torch.tensor(0.9)), lambda a, b: a * 0.9),
        (lambda a, b: torch_compat.add_(a, b, alpha=torch.tensor(-2.0)), lambda a, b: a - 2.0 * b),
        (
            lambda a, b: torch_compat.lerp_(a, b, torch.tensor(0.25)),
            lambda a, b: a + 0.25 * (b - a),
        ),
    ],
)
def test_foreach_operations_in_place_are_those_on_each_tensor(tensors, in_place, each):
    these, others = tensors
    expected = [each(a, b) for a, b in zip(these, others, strict=True)]
    in_place(these, others)
    assert equal(these, expected)


def test_a_capture_has_the_arguments_and_the_clean_up_that_we_use():
    parameters = inspect.signature(torch.cuda.graph).parameters
    assert {"pool", "capture_error_mode"} <= parameters.keys()
    assert callable(torch._C._cuda_endAllocateToPool)


def test_batch_norms_of_all_dimensions_share_the_base_class():
    for norm in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm):
        assert issubclass(norm, torch_compat.BatchNorm)
    made = torch_compat.BatchNorm(3, 1e-4, 0.2)
    assert (made.num_features, made.eps, made.momentum) == (3, 1e-4, 0.2)
    assert made.num_batches_tracked == 0 and made.running_var.tolist() == [1, 1, 1]


def test_the_cpu_reports_bf16_as_the_system_does():
    flags = Path("/proc/cpuinfo").read_text()
    assert torch_compat.cpu_multiplies_bf16() == ("avx512_bf16" in flags)


class Slow(Dataset):
    """A data set whose second sample takes longer than the test."""

    def __len__(self):
        return 2

    def __getitem__(self, number):
        time.sleep(60 * number)
        return number


def test_workers_that_are_stopped_may_be_killed_without_an_error():
    others = set(multiprocessing.active_children())  # what an earlier test left running
    batches = iter(DataLoader(Slow(), num_workers=1, multiprocessing_context="fork"))
    assert next(batches) == 0
    (worker,) = set(multiprocessing.active_children()) - others
    stopping = threading.Thread(target=torch_compat.stop_workers, args=(batches,))
    stopping.start()
    stopping.join(timeout=30)
    worker.join(timeout=30)  # torch 2.11 does not wait after its SIGTERM
    assert not stopping.is_alive() and not worker.is_alive()
    torch_compat.stop_workers(iter(DataLoader([1])))  # without workers there is nothing to stop


def test_a_queue_that_cannot_send_calls_the_hook_that_we_replace():
    """Its effect is tested with a full shared memory, where such a disk may be mounted."""
    feeder = inspect.getsource(multiprocessing.queues.Queue._feed)
    assert "onerror(e, obj)" in feeder
    assert "self._on_queue_feeder_error" in inspect.getsource(
        multiprocessing.queues.Queue._start_thread
    )


def test_a_wrapped_error_is_raised_again_with_its_message():
    try:
        raise OSError("no room")
    except OSError:
        wrapped = torch_compat.ExceptionWrapper(where="in a data loader's worker")
    with pytest.raises(OSError, match="no room"):
        wrapped.reraise()


def test_torchrun_takes_the_option_that_it_is_given_and_ours_has_it():
    option = torch_compat.torchrun_grace(7)
    chosen = get_args_parser().parse_args([*option, "script.py"])
    if Version(torch.__version__) >= Version("2.14"):
        assert chosen.shutdown_timeout == 7
    else:
        assert option == [] or chosen.shutdown_timeout == 7


def test_ddp_takes_the_argument_for_buffers_that_it_is_given():
    (name,) = torch_compat.buffers_of_their_own()
    assert name in inspect.signature(nn.parallel.DistributedDataParallel).parameters
