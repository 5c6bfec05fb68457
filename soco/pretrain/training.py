"""The pretraining loop: from the first step, or the last checkpoint, to the end."""

import contextlib
import logging
import math
import multiprocessing
import signal
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from soco import torch_compat
from soco.data import open_source
from soco.data.stores.torch_files import load_archive
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.distributed import Ranks, autocast_type
from soco.pretrain.job import PretrainJob, identity
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model
from soco.pretrain.model.norms import synchronise_norms
from soco.pretrain.sampler import EpochSampler
from soco.pretrain.schedules import learning_rate, peak_rate, target_momentum
from soco.pretrain.stop import StopSignals, leave
from soco.pretrain.training_log import TrainingLog
from soco.pretrain.views import Batch, ViewDataset, prepare_worker
from soco.pretrain.views.dataset import Reported

log = logging.getLogger(__name__)

# The loss scale of fp16 begins at 65536 and is halved whenever a gradient overflows.
# It falls below this after 30 overflows that no growth made up for.
_LEAST_SCALE = 1e-4
_MOST_NAMED = 8  # images that an error message names


@dataclass
class Step:
    """The results of one step in this process.

    Attributes:
        values: Means over its gradient accumulation steps: `loss`, `spread`, `cosine_apart`.
        waited: Seconds spent waiting for views.
        failed: Numbers of the images in a batch whose loss was not finite.
    """

    values: dict[str, torch.Tensor] = field(default_factory=dict)
    waited: float = 0.0
    failed: list[int] = field(default_factory=list)


class Training:
    """One pretraining in one of its processes: its state, and the steps that change it."""

    def __init__(self, job: PretrainJob, ranks: Ranks) -> None:
        """Build model, optimiser and data, and load the newest checkpoint.

        Raises:
            UserError: There are too few images, or the checkpoints belong to another run.
        """
        settings = job.settings
        self.settings, self.ranks, self.device = settings, ranks, ranks.device
        self.dataset = ViewDataset(job.store, open_source(job.images), settings, job.seed)
        self.autocast_type = autocast_type(settings.precision, self.device)
        self.sampler = EpochSampler(
            len(self.dataset), settings, job.seed, rank=ranks.rank, ranks=ranks.count
        )
        self.model = build_model(settings, job.detector, job.seed)
        self.parallel = self._wrap_ddp()
        online = (p for p in self.model.parameters() if p.requires_grad)
        self.optimiser = LARS(online, settings.momentum, settings.weight_decay, settings.trust)
        # bf16 has the range of float32 and needs no loss scaling; fp16 does.
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=self.autocast_type is torch.float16
        )
        # Only the first process reads and writes checkpoints.
        decisive = identity(job, self.precision) if ranks.is_first else {}
        self.checkpoints = Checkpoints(
            job.folder, decisive, settings.keep_checkpoints, origin=job.origin
        )
        self._resume()
        self.log_path, self.tensorboard = job.folder / "log.jsonl", job.tensorboard

    def log_plan(self, job: PretrainJob) -> None:
        """Log what is about to be trained; images without proposals are a warning."""
        s, count = self.settings, self.ranks.count
        log.info(
            "%s: %d images, %d epochs of %d steps",
            job.run,
            len(self.dataset),
            s.epochs,
            self.sampler.steps_per_epoch,
        )
        counts = count_without(self.dataset.store)
        if counts.without:
            log.warning("%s; each has one box, the whole image", counts.words(job.filter))
        log.info(
            "total batch %d: %d process(es) x %d gradient accumulation step(s) x %d images",
            s.batch_size,
            count,
            s.accumulate,
            s.batch_size // count // s.accumulate,
        )
        log.info("learning rate %g: %g x %d / 256", peak_rate(s), s.base_lr, s.batch_size)
        threads, norms = torch.get_num_threads(), ", synchronised norms" if count > 1 else ""
        log.info(
            "on %s in %s, %d CPU thread(s) per process%s",
            self.device,
            self.precision,
            threads,
            norms,
        )

    @property
    def precision(self) -> str:
        """The precision that the model computes in."""
        return {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self.autocast_type]

    def run(self, stop: StopSignals) -> None:
        """Train from the checkpoint's step to the last one.

        Checkpoints are written every `checkpoint_minutes` and at the end of each epoch.

        Args:
            stop: Whether to stop; the step in progress is then finished and saved.

        Raises:
            UserError: The loss or a weight is not finite, or a file cannot be read or written.
            SystemExit: SIGTERM was received, and a checkpoint was written.
            KeyboardInterrupt: SIGINT was received, and a checkpoint was written.
        """
        first, steps = self.sampler.first_step, self.sampler.steps
        with contextlib.ExitStack() as opened:
            batches = opened.enter_context(contextlib.closing(self._batches()))
            log_file = opened.enter_context(self._training_log()) if self.ranks.is_first else None
            saved = time.monotonic()
            for number in range(first, steps):
                step = self._step(number, batches)
                # Before log and checkpoint, which a failed step must not reach. All processes get
                # the same answer, or some would wait forever for the gradients of one that left.
                asked = self._sync_status(number, step, stop)
                if log_file:
                    epoch = number // self.sampler.steps_per_epoch
                    log_file.log_step(
                        number,
                        waited=step.waited,
                        **step.values,
                        **self._rates(number),
                        epoch=epoch,
                    )
                done = number + 1
                due = done % self.sampler.steps_per_epoch == 0 or done == steps or asked
                if due or time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                    self._save(done)
                    saved = time.monotonic()
                if asked and done < steps:
                    self.ranks.total(0)  # a barrier: wait until the checkpoint is written
                    log.info(
                        "stopped on request after step %d of %d; checkpoint written, run again to"
                        " resume",
                        done,
                        steps,
                    )
                    leave(asked)

    def _wrap_ddp(self) -> nn.Module:
        """Move the model to its device; with several processes, wrap it to average gradients."""
        if self.ranks.count > 1:
            self.model = synchronise_norms(self.model, self.device)
        # Channels-last: convolutions need no transposed copies (1.2 times as fast on a CPU, see
        # docs/pretraining.md), and RoIAlign reads the maps as views.
        self.model = self.model.to(self.device, memory_format=torch.channels_last).train()
        if self.settings.compile:
            self.model.compile_parts()
        if self.ranks.count == 1:
            return self.model
        devices = [self.device] if self.device.type == "cuda" else None
        # No broadcast of buffers: synchronised norms have the same statistics in all processes.
        # Gradients are views of DDP's buckets, which saves a copy of all of them.
        return DistributedDataParallel(
            self.model, devices, forward_sync_buffers=False, gradient_as_bucket_view=True
        )

    def _resume(self) -> None:
        newest = self.checkpoints.newest_readable() if self.ranks.is_first else None
        path = self.ranks.broadcast(newest[0] if newest else None)
        if path is not None:
            # The first process has already read and checked the file.
            state = newest[1] if newest else load_archive(path)
            self.sampler.first_step = self.checkpoints.load(
                state, self.model, self.optimiser, self.scaler
            )
            log.info("resuming from %s", path)

    def _training_log(self) -> TrainingLog:
        s = self.settings
        return TrainingLog(
            self.log_path,
            self.sampler.first_step,
            self.sampler.steps,
            s.batch_size,
            s.log_every,
            self.tensorboard,
        )

    def _batches(self) -> Generator[Batch]:
        torch_compat.report_worker_errors()
        loader = DataLoader(
            Reported(self.dataset),
            batch_sampler=self.sampler,
            num_workers=self.settings.workers,
            collate_fn=Reported.collate,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=prepare_worker,
            # Forked, so that workers share the mapped store and the compiled loops.
            multiprocessing_context="fork" if self.settings.workers else None,
        )
        others = set(multiprocessing.active_children())
        batches = iter(loader)
        try:
            for batch in batches:
                if isinstance(batch, UserError):
                    raise batch
                yield batch
        finally:
            # Workers ignore SIGTERM (`prepare_worker`), and Python would wait for them at exit.
            torch_compat.stop_workers(batches)
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()

    def _step(self, number: int, batches: Iterator[Batch]) -> Step:
        """Take one step; if a loss is not finite, leave the weights unchanged."""
        rates = self._rates(number)
        for group in self.optimiser.param_groups:
            group["lr"] = rates["lr"]
        # As in the release, the EMA comes before the forward pass, with the weights that the last
        # step left.
        self.model.update_target(rates["ema_momentum"])
        self.optimiser.zero_grad(set_to_none=True)
        step = Step()
        for last in [False] * (self.settings.accumulate - 1) + [True]:
            start = time.monotonic()
            batch = next(batches)
            step.waited += time.monotonic() - start
            self._accumulate(batch, last, step)
        # Another process may still step with NaN gradients, but `_sync_status` then ends all of
        # them before anything is saved.
        if not step.failed:
            self.scaler.step(self.optimiser)
            self.scaler.update()
        return step

    def _accumulate(self, batch: Batch, last: bool, step: Step) -> None:
        """Run forward and backward for one of the gradient accumulation steps.

        Gradients add up, and only the last step averages them over the processes: DDP would
        otherwise communicate in each of them.
        """
        # Parts are equal, so that the mean of their means is that of the whole batch. The norms,
        # however, have statistics of one part only.
        share = 1 / self.settings.accumulate
        with contextlib.nullcontext() if last or self.ranks.count == 1 else self.parallel.no_sync():
            with torch.autocast(
                self.device.type, self.autocast_type, enabled=self.autocast_type is not None
            ):
                agreement = self.parallel(batch.to(self.device, torch.channels_last))
            self.scaler.scale(agreement.loss * share).backward()
        for name, value in agreement._asdict().items():
            step.values[name] = step.values.get(name, 0) + value.detach() * share
        if not torch.isfinite(agreement.loss):
            step.failed += batch.numbers.tolist()

    def _rates(self, number: int) -> dict[str, float]:
        return {
            "lr": learning_rate(number, self.sampler.steps_per_epoch, self.settings),
            "ema_momentum": target_momentum(number, self.sampler.steps, self.settings.ema_base),
        }

    def _sync_status(self, number: int, step: Step, stop: StopSignals) -> signal.Signals | None:
        """Average the loss over the processes; return the signal that any of them received.

        Raises:
            UserError: A loss is not finite, in whichever process.
        """
        loss = float(step.values["loss"])
        if not math.isfinite(loss):  # the error names only some of the images
            log.error("loss %g for the images %s", loss, ", ".join(self._keys(step.failed)))
        failed, asked, loss = self.ranks.total(len(step.failed), stop.asked is not None, loss)
        step.values["loss"] = torch.tensor(loss / self.ranks.count)
        if failed:
            keys = [key for keys in self.ranks.gather(self._keys(step.failed)) for key in keys]
            more = len(keys) - _MOST_NAMED
            raise UserError(
                "pretrain.loss_not_finite",
                "The loss is {loss:g} at step {step} (learning rate {lr:g}) for the images"
                " {images}. {remedy}",
                loss=loss,
                images=", ".join(keys[:_MOST_NAMED])
                + (f" and {more} more (see the log)" if more > 0 else ""),
                **self._diverged(number),
            )
        if self.scaler.is_enabled() and self.scaler.get_scale() < _LEAST_SCALE:
            raise UserError(
                "pretrain.fp16_overflow",
                "Gradients overflow fp16 in every step up to step {step} (learning rate {lr:g})."
                " bf16 has the range that they need. {remedy}",
                **self._diverged(number),
            )
        return (stop.asked or signal.SIGTERM) if asked else None

    def _save(self, done: int) -> None:
        """Write a checkpoint.

        Raises:
            UserError: A weight is not finite; such weights are never written.
        """
        # A norm is finite only if all of its values are: few kernels, and one answer.
        norms = torch_compat.norms([p.detach() for p in self.model.parameters()])
        if not torch.isfinite(norms).all():
            raise UserError(
                "pretrain.weight_not_finite",
                "A weight is not finite after step {step} (learning rate {lr:g}). {remedy}",
                **self._diverged(done - 1),
            )
        if self.ranks.is_first:
            self.checkpoints.save(done, self.model, self.optimiser, self.scaler)

    def _keys(self, numbers: list[int]) -> list[str]:
        return [self.dataset.store.key(number) for number in numbers]

    def _diverged(self, number: int) -> dict[str, Any]:
        """The values that all errors about a diverged run have."""
        good = self.checkpoints.last or "none"
        return {
            "step": number,
            "lr": self._rates(number)["lr"],
            "checkpoint": str(good),
            "remedy": (
                f"The last good checkpoint is {good}. Lower base_lr or lengthen warmup_epochs, and"
                f" remove {self.checkpoints.folder} to start over."
            ),
        }
