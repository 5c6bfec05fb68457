"""The pretraining loop.

What a process does from the first step, or the last checkpoint, to the end.
"""

import contextlib
import logging
import math
import multiprocessing
import signal
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from soco.data import open_source
from soco.data.stores.archives import load_archive
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.machine import report_worker_errors
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.hardware import autocast_type
from soco.pretrain.identity import identity
from soco.pretrain.job import PretrainJob
from soco.pretrain.lars import LARS
from soco.pretrain.model import build_model
from soco.pretrain.model.norms import synchronise_norms
from soco.pretrain.ranks import Ranks
from soco.pretrain.sampler import EpochSampler
from soco.pretrain.schedules import learning_rate, peak_rate, target_momentum
from soco.pretrain.stop import StopSignals, leave
from soco.pretrain.training_log import TrainingLog
from soco.pretrain.views import Batch, ViewDataset, collate, prepare_worker

log = logging.getLogger(__name__)

_LEAST_SCALE = (
    1e-4  # of the loss in fp16, which begins at 65536 and halves when a gradient overflows
)


@dataclass
class Step:
    """What one step gave in this process.

    Attributes:
        values: Means over the passes, by name: `loss`, `spread`, `cosine_apart`.
        waited: Seconds spent waiting for views.
        failed: Numbers of images in a pass whose loss was not finite.
    """

    values: dict[str, torch.Tensor] = field(default_factory=dict)
    waited: float = 0.0
    failed: list[int] = field(default_factory=list)


class Training:
    """One pretraining in one of its processes: its state, and the steps that change it."""

    def __init__(self, job: PretrainJob, ranks: Ranks) -> None:
        """Build model, optimiser and data, and take up the newest checkpoint.

        Raises:
            UserError: There are too few images, or the checkpoints are of another run.
        """
        settings = job.settings
        self.settings, self.ranks, self.device = settings, ranks, ranks.device
        self.dataset = ViewDataset(job.store, open_source(job.images), settings, job.seed)
        self.autocast_type = autocast_type(settings.precision, self.device)
        self.sampler = EpochSampler(
            len(self.dataset),
            settings.batch_size,
            settings.epochs,
            job.seed,
            accumulate=settings.accumulate,
            rank=ranks.rank,
            ranks=ranks.count,
        )
        self.model = build_model(settings, job.detector, job.seed)
        self.parallel = self._wrap_ddp()
        online = (p for p in self.model.parameters() if p.requires_grad)
        self.optimiser = LARS(online, settings.momentum, settings.weight_decay, settings.trust)
        # bf16 has float32's range and needs no loss scaling; fp16 does.
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=self.autocast_type is torch.float16
        )
        told = (
            identity(job, self.precision) if ranks.is_first else {}
        )  # the first alone reads and writes them
        self.checkpoints = Checkpoints(job.folder, told, settings.keep_checkpoints)
        self._resume()
        self.log_path, self.tensorboard = job.folder / "log.jsonl", job.tensorboard

    def say_plan(self, job: PretrainJob) -> None:
        """Log in words what is about to be trained; images without a proposal are a warning."""
        s, count = self.settings, self.ranks.count
        share = s.batch_size // count // s.accumulate
        log.info(
            "%s: %d images, %d epochs of %d steps",
            job.run,
            len(self.dataset),
            s.epochs,
            self.sampler.steps_per_epoch,
        )
        found = count_without(self.dataset.store)
        if found.without:
            log.warning(
                "%s; each of them is trained on as one box, the whole image",
                found.words(job.filter),
            )
        log.info(
            "total batch %d: %d process(es) x %d pass(es) x %d images",
            s.batch_size,
            count,
            s.accumulate,
            share,
        )
        log.info("learning rate %g: %g x %d / 256", peak_rate(s), s.base_lr, s.batch_size)
        threads, norms = torch.get_num_threads(), ", norms synchronised" if count > 1 else ""
        log.info(
            "on %s in %s, %d CPU thread(s) a process%s", self.device, self.precision, threads, norms
        )

    @property
    def precision(self) -> str:
        """The arithmetic that the model computes in."""
        return {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self.autocast_type]

    def run(self, stop: StopSignals) -> None:
        """Train from the checkpoint's step to the last, writing checkpoints by time and by epoch.

        Args:
            stop: Says whether a signal came; the step under way is then finished and saved.

        Raises:
            UserError: The loss or a weight is no longer finite, or a file cannot be read or
                written.
            SystemExit: SIGTERM came, and a checkpoint was written.
            KeyboardInterrupt: SIGINT came, and a checkpoint was written.
        """
        first, steps = self.sampler.first_step, self.sampler.steps
        with contextlib.ExitStack() as held:
            passes = held.enter_context(contextlib.closing(self._passes()))
            log_file = held.enter_context(self._training_log()) if self.ranks.is_first else None
            saved = time.monotonic()
            for number in range(first, steps):
                step = self._step(number, passes)
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
                    self.ranks.total(0)  # nobody leaves before the checkpoint is written
                    log.info(
                        "asked to stop: left after step %d of %d, saved; run it again to go on",
                        done,
                        steps,
                    )
                    leave(asked)

    def _wrap_ddp(self) -> nn.Module:
        """The model as the steps call it.

        On its device, and averaging gradients where there are several processes.
        """
        if self.ranks.count > 1:
            self.model = synchronise_norms(self.model, self.device)
        self.model = self.model.to(self.device, memory_format=torch.channels_last).train()
        if self.settings.compile:
            self.model.compile_parts()
        if self.ranks.count == 1:
            return self.model
        devices = [self.device] if self.device.type == "cuda" else None
        # The norms' buffers are alike everywhere: their statistics are of all processes.
        return DistributedDataParallel(
            self.model, devices, forward_sync_buffers=False, gradient_as_bucket_view=True
        )

    def _resume(self) -> None:
        newest = self.checkpoints.newest_readable() if self.ranks.is_first else None
        path = self.ranks.from_first(newest[0] if newest else None)
        if path is not None:
            state = newest[1] if newest else load_archive(path)
            self.sampler.first_step = self.checkpoints.load(
                state, self.model, self.optimiser, self.scaler
            )
            log.info("goes on from %s", path)

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

    def _passes(self) -> Generator[Batch]:
        report_worker_errors()
        loader = DataLoader(
            self.dataset,
            batch_sampler=self.sampler,
            num_workers=self.settings.workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=prepare_worker,
            # Forked, whatever started this process: what is mapped and compiled is then shared.
            multiprocessing_context="fork" if self.settings.workers else None,
        )
        others = set(multiprocessing.active_children())
        batches = iter(loader)
        try:
            yield from batches
        except UserError as error:
            # A worker's exception arrives with its traceback as its message; the sentence is what
            # stands last.
            raise UserError(str(error).rsplit("UserError: ", 1)[-1].strip()) from None
        finally:
            # Workers take no SIGTERM, and Python would wait for them at its end. First torch must
            # stop watching them (a killed one is a failure to it), which it does with the last
            # reference; but a traceback may hold one.
            if self.settings.workers:
                batches._shutdown_workers()
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()

    def _step(self, number: int, passes: Iterator[Batch]) -> Step:
        """One step, over all its passes.

        The weights stay as they are where a loss is not finite.
        """
        rates = self._rates(number)
        for group in self.optimiser.param_groups:
            group["lr"] = rates["lr"]
        self.model.update_target(rates["ema_momentum"])
        self.optimiser.zero_grad(set_to_none=True)
        step = Step()
        for last in [False] * (self.settings.accumulate - 1) + [True]:
            start = time.monotonic()
            batch = next(passes)
            step.waited += time.monotonic() - start
            self._pass(batch, last, step)
        if not step.failed:
            self.scaler.step(self.optimiser)
            self.scaler.update()
        return step

    def _pass(self, batch: Batch, last: bool, step: Step) -> None:
        """Forward and backward of one pass.

        Gradients add up, and are averaged over processes in the last.
        """
        share = 1 / self.settings.accumulate
        with contextlib.nullcontext() if last or self.ranks.count == 1 else self.parallel.no_sync():
            with torch.autocast(
                self.device.type, self.autocast_type, enabled=self.autocast_type is not None
            ):
                given = self.parallel(batch.to(self.device, torch.channels_last))
            self.scaler.scale(given.loss * share).backward()
        for name, value in given._asdict().items():
            step.values[name] = step.values.get(name, 0) + value.detach() * share
        if not torch.isfinite(given.loss):
            step.failed += batch.numbers.tolist()

    def _rates(self, number: int) -> dict[str, float]:
        return {
            "lr": learning_rate(number, self.sampler.steps_per_epoch, self.settings),
            "ema_momentum": target_momentum(number, self.sampler.steps, self.settings.ema_base),
        }

    def _sync_status(self, number: int, step: Step, stop: StopSignals) -> signal.Signals | None:
        """Tell the other processes how the step went, and hear of theirs; returns the signal that
        any was sent.

        Raises:
            UserError: A loss was not finite.
        """
        loss = float(step.values["loss"])
        if not math.isfinite(loss):  # all images, where there are more than the sentence names
            log.error("loss %g for the images %s", loss, ", ".join(self._keys(step.failed)))
        failed, asked, loss = self.ranks.total(len(step.failed), stop.asked is not None, loss)
        step.values["loss"] = torch.tensor(loss / self.ranks.count)
        if failed:
            keys = [key for keys in self.ranks.from_all(self._keys(step.failed)) for key in keys]
            more = f" and {len(keys) - 8} more, see the log" if len(keys) > 8 else ""
            self._fail(
                f"The loss is {loss:g}", number, f", with the images {', '.join(keys[:8])}{more}"
            )
        if self.scaler.is_enabled() and self.scaler.get_scale() < _LEAST_SCALE:
            self._fail(
                "Gradients overflow fp16 in every step",
                number,
                "; bf16 has the range that they need",
            )
        return (stop.asked or signal.SIGTERM) if asked else None

    def _save(self, done: int) -> None:
        """Write a checkpoint of weights that are numbers.

        Raises:
            UserError: A weight is not.
        """
        norms = torch.stack(torch._foreach_norm([p.detach() for p in self.model.parameters()]))
        if not torch.isfinite(norms).all():
            self._fail("A weight is no finite number", done - 1, "")
        if self.ranks.is_first:
            self.checkpoints.save(done, self.model, self.optimiser, self.scaler)

    def _keys(self, numbers: list[int]) -> list[str]:
        return [self.dataset.store.key(number) for number in numbers]

    def _fail(self, what: str, number: int, where: str) -> None:
        good = self.checkpoints.last
        raise UserError(
            f"{what} at step {number}, learning rate {self._rates(number)['lr']:g}{where}; the last"
            f" good checkpoint is {good or 'none'}. Lower base_lr or lengthen warmup_epochs, and"
            f" remove {self.checkpoints.folder} to start anew with them."
        )
