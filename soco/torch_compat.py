"""Everything that we use of torch beyond its documented interface.

`tests/test_torch_compat.py` fails if a new version of torch changes any of it.
"""

import contextlib
import inspect
import multiprocessing.queues
import os
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._utils import ExceptionWrapper
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils.data import dataloader

__all__ = [
    "BatchNorm",
    "add",
    "add_",
    "buffers_of_their_own",
    "captured",
    "cpu_multiplies_bf16",
    "lerp_",
    "mul_",
    "norms",
    "report_worker_errors",
    "stop_workers",
    "torchrun_grace",
]

# BatchNorm: the base class of torch's batch norms of all dimensions, SyncBatchNorm among them.

Tensors = Sequence[Tensor]

# The foreach operations change or read many tensors in few kernels: one for each chunk of a list of
# parameters instead of one for each parameter. torch.optim uses them; they are not documented.


# A scalar tensor as factor is read on the device, when the kernel runs: a CUDA graph needs that.


def mul_(tensors: Tensors, factor: float | Tensor | Tensors) -> None:
    """Multiply each tensor in place by one number, or by the scalar tensor at its place."""
    if isinstance(factor, (int, float, Tensor)):
        torch._foreach_mul_(list(tensors), factor)
    else:
        torch._foreach_mul_(list(tensors), list(factor))


def add_(tensors: Tensors, others: Tensors, alpha: float | Tensor = 1.0) -> None:
    """Add `alpha` times the other tensor to each tensor in place."""
    if isinstance(alpha, Tensor):
        torch._foreach_add_(list(tensors), torch._foreach_mul(list(others), alpha))
    else:
        torch._foreach_add_(list(tensors), list(others), alpha=alpha)


def add(tensors: Tensors, others: Tensors, alpha: float = 1.0) -> list[Tensor]:
    """Return each tensor plus `alpha` times the other one."""
    return list(torch._foreach_add(list(tensors), list(others), alpha=alpha))


def lerp_(tensors: Tensors, others: Tensors, weight: float | Tensor) -> None:
    """Move each tensor in place towards the other one by a share `weight`."""
    if isinstance(weight, Tensor):
        add_(tensors, torch._foreach_sub(list(others), list(tensors)), alpha=weight)
    else:
        torch._foreach_lerp_(list(tensors), list(others), weight)


def norms(tensors: Tensors) -> Tensor:
    """Return the 2-norm of each tensor: (len(tensors),)."""
    return torch.stack(torch._foreach_norm(list(tensors)))


def cpu_multiplies_bf16() -> bool:
    """Return whether the CPU has instructions for bf16 products (AVX-512 BF16)."""
    return bool(torch.cpu._is_avx512_bf16_supported())


def stop_workers(batches: Any) -> None:
    """Make a data loader's iterator end its workers and stop watching them; kill what is left.

    torch does this when the iterator is garbage-collected, which the traceback of an exception
    delays. Until then, torch treats a killed worker as an error. Workers that ignore SIGTERM are
    left over, and Python would wait for them at exit.
    """
    if isinstance(batches, dataloader._MultiProcessingDataLoaderIter):
        workers = list(batches._workers)
        batches._shutdown_workers()
        for worker in workers:
            worker.kill()


def report_worker_errors() -> None:
    """Make data loader workers report that they cannot send a batch, such as for lack of memory.

    Python prints such an error and continues without the batch, for which the loader would wait
    forever. Workers that are forked later inherit this.
    """
    multiprocessing.queues.Queue._on_queue_feeder_error = _send_error_instead  # type: ignore[attr-defined]


def _send_error_instead(queue: Any, error: Exception, item: Any) -> None:
    """Called while the error is handled, in the thread that sends; an item is (number, batch)."""
    if not isinstance(item, tuple) or isinstance(item[1], ExceptionWrapper):
        traceback.print_exception(error)
        os._exit(1)
    queue.put((item[0], ExceptionWrapper(where="in a data loader's worker")))


@contextlib.contextmanager
def captured(graph: torch.cuda.CUDAGraph) -> Iterator[None]:
    """Capture the block as a CUDA graph; after an error, torch can go on without it.

    If an operation invalidates the capture, torch leaves the stream of the capture current. Older
    versions also leave their allocator in the state of a capture, in which it frees no memory that
    several streams use.
    """
    before, pool = torch.cuda.current_stream(), torch.cuda.graph_pool_handle()
    try:
        # thread_local: meanwhile a data loader's thread may allocate page-locked memory, which a
        # global capture forbids.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            yield
    except BaseException:
        torch.cuda.set_stream(before)
        with contextlib.suppress(RuntimeError):  # newer versions have ended it
            torch._C._cuda_endAllocateToPool(before.device.index, pool)
        graph.reset()
        raise


def torchrun_grace(seconds: int) -> list[str]:
    """Return torchrun's option for the seconds from SIGTERM to SIGKILL; none where it has none.

    torch 2.11 always kills after 30 seconds, and refuses options that it does not know.
    """
    from torch.distributed.run import get_args_parser

    option = "--shutdown-timeout"
    return [f"{option}={seconds}"] if option in get_args_parser().format_help() else []


def buffers_of_their_own() -> dict[str, bool]:
    """Return DDP's argument for not broadcasting buffers, which torch 2.11 calls by another name.

    The older name is deprecated where there is the newer one.
    """
    known = inspect.signature(nn.parallel.DistributedDataParallel).parameters
    newer = "forward_sync_buffers"
    return {newer if newer in known else "broadcast_buffers": False}
