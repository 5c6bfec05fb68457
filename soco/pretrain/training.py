"""The pretraining loop: from the first step, or the last checkpoint, to the end."""

import contextlib
import dataclasses
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch

from soco import torch_compat
from soco.data import open_source
from soco.data.stores.torch_files import Content, load_archive
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.distributed import Ranks
from soco.pretrain.feed import Feed
from soco.pretrain.graph import GraphedStep
from soco.pretrain.initial import Initial, load_initial
from soco.pretrain.job import PretrainJob, identity
from soco.pretrain.model import build_model
from soco.pretrain.model.norms import synchronise_norms
from soco.pretrain.optimiser import build_optimiser
from soco.pretrain.precision import autocast_type, fastest_precision, known_precision, set_tf32
from soco.pretrain.readings import Reading, Window
from soco.pretrain.sampler import EpochSampler
from soco.pretrain.schedules import learning_rate, peak_rate, target_momentum
from soco.pretrain.step import Rates, TrainStep
from soco.pretrain.stop import StopSignals, leave
from soco.pretrain.training_log import TrainingLog
from soco.pretrain.travel import Moved, Travel, Walk, lars_walk, travelling_weights, warn_of_walk
from soco.pretrain.views import Batch, ViewDataset
from soco.pretrain.views.batch import collate

log = logging.getLogger(__name__)

# The loss scale of fp16 begins at 65536 and is halved whenever a gradient overflows.
# It falls below this after 30 overflows that no growth made up for.
_LEAST_SCALE = 1e-4
_MOST_NAMED = 8  # images that an error message names
_TRIAL_IMAGES = 8  # in the steps that choose a precision


class Training:
    """One pretraining in one of its processes: its state, and the steps that change it."""

    def __init__(self, job: PretrainJob, ranks: Ranks) -> None:
        """Build model, optimiser and data, and load the newest checkpoint.

        Raises:
            UserError: There are too few images, the initial weights do not fit, or the checkpoints
                belong to another run.
        """
        settings = job.settings
        self.settings, self.ranks, self.device = settings, ranks, ranks.device
        self.dataset = ViewDataset(job.store, open_source(job.images), settings, job.seed)
        self.sampler = EpochSampler(
            len(self.dataset), settings, job.seed, rank=ranks.rank, ranks=ranks.count
        )
        self.model = build_model(settings, job.detector, job.seed)
        self.initial: Initial | None = None
        if job.initial_weights is not None:
            self.initial = load_initial(self.model, job.initial_weights)
        # Channels-last, as the views: see `soco.pretrain.feed`.
        self.model = self.model.to(self.device, memory_format=torch.channels_last).train()
        # Before a checkpoint is loaded: a resumed run compares with the same first weights.
        self._travel = Travel(travelling_weights(self.model))
        # Only the first process reads and writes checkpoints.
        decisive = identity(job, self._asked_precision()) if ranks.is_first else {}
        self.checkpoints = Checkpoints(
            job.folder, decisive, settings.keep_checkpoints, origin=job.origin
        )
        newest = self.checkpoints.newest_readable() if ranks.is_first else None
        self.precision = ranks.broadcast(self._precision(newest[1] if newest else None))
        self.checkpoints.settings["precision"] = self.precision
        self.step = self._build_step()
        self._resume(newest)
        self.log_path, self.tensorboard = job.folder / "log.jsonl", job.tensorboard

    def log_plan(self, job: PretrainJob) -> None:
        """Log what is about to be trained; images without proposals are a warning."""
        s, count = self.settings, self.ranks.count
        log.info(
            "%s: %d images, %d steps, %.4g epochs",
            job.run,
            len(self.dataset),
            self.sampler.steps,
            self.sampler.steps / self.sampler.steps_per_epoch,
        )
        if self.initial is not None:
            log.info("initialised from %s: %s", job.initial_name, self.initial.words())
        self._log_boxes(job)
        log.info(
            "total batch %d: %d process(es) x %d gradient accumulation step(s) x %d images",
            s.batch_size,
            count,
            s.accumulate,
            s.batch_size // count // s.accumulate,
        )
        log.info("learning rate %g: %g x %d / 256", peak_rate(s), s.base_lr, s.batch_size)
        if walk := self.walk:
            warn_of_walk(walk)
        threads, norms = torch.get_num_threads(), ", synchronised norms" if count > 1 else ""
        log.info(
            "on %s in %s, %d CPU thread(s) per process%s",
            self.device,
            self.precision,
            threads,
            norms,
        )

    @property
    def walk(self) -> Walk | None:
        """How far the whole run can go; None: only LARS knows it before."""
        s, steps = self.settings, range(self.sampler.steps)
        if s.optimiser != "lars":
            return None
        return lars_walk([self._rates(number).lr for number in steps], s.trust, s.momentum)

    def travel(self) -> Moved:
        """Measure how far the weights are from those before the first step."""
        return self._travel.measure(travelling_weights(self.model))

    def _log_boxes(self, job: PretrainJob) -> None:
        if self.settings.boxes == "whole":
            log.info("boxes: whole: each view is one box, and proposals are not used")
            return
        counts = count_without(self.dataset.store)
        if counts.without:
            log.warning("%s; each has one box, the whole image", counts.words(job.filter))

    def run(self, stop: StopSignals) -> None:
        """Train from the checkpoint's step to the last one.

        Checkpoints are written every `checkpoint_minutes` and at the end.

        Args:
            stop: Whether to stop; the step in progress is then finished and saved.

        Raises:
            UserError: The loss or a weight is not finite, or a file cannot be read or written.
            SystemExit: SIGTERM was received, and a checkpoint was written.
            KeyboardInterrupt: SIGINT was received, and a checkpoint was written.
        """
        first, steps = self.sampler.first_step, self.sampler.steps
        with contextlib.ExitStack() as opened:
            # Whatever ends the block, a checkpoint that is being written is completed first.
            opened.callback(self.checkpoints.join)
            feed = Feed(self.dataset, self.sampler, self.settings.workers, self.device)
            opened.enter_context(contextlib.closing(feed))
            log_file = opened.enter_context(self._training_log()) if self.ranks.is_first else None
            window = Window(first, steps, self.settings.log_every)
            saved = time.monotonic()
            for number in range(first, steps):
                window.add(number, self.step(feed, self._rates(number)))
                # Alone, a process stops at once; several must agree, after the same step.
                if not window.is_due and (self.ranks.count > 1 or stop.asked is None):
                    continue
                # Before log and checkpoint, which a failed step must not reach.
                reading, asked = self._read(window, stop)
                if log_file:
                    self._log(log_file, reading, feed)
                self.checkpoints.check()
                done = number + 1
                is_over = asked or done == steps
                if is_over or time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                    self._save(done)
                    saved = time.monotonic()
                if asked and done < steps:
                    self._leave(done, asked)
            self.checkpoints.wait()

    def _asked_precision(self) -> str:
        """The precision that the configuration names; `auto` if it leaves the choice to us."""
        setting = self.settings.precision
        return setting if setting == "auto" else known_precision(setting, self.device) or setting

    def _precision(self, newest: Content | None) -> str:
        """The precision to compute in; with `auto`, a resumed run keeps that of its checkpoint."""
        if self.settings.precision == "auto" and newest is not None:
            return str(newest["settings"]["precision"])
        known = known_precision(self.settings.precision, self.device)
        if known is None and self.ranks.is_first:
            return fastest_precision(self.model, self._trial_batch())
        return known or "fp32"  # the first process tells the others

    def _trial_batch(self) -> Batch:
        share = self.settings.batch_size // self.ranks.count // self.settings.accumulate
        count = min(share, _TRIAL_IMAGES)
        batch = collate([self.dataset[0, number] for number in range(count)])
        return batch.to(self.device, torch.channels_last)

    def _build_step(self) -> TrainStep | GraphedStep:
        s = self.settings
        if self.device.type == "cuda":
            set_tf32(self.precision == "tf32")
            _set_deterministic(s.deterministic)
        if self.ranks.count > 1:
            self.model = synchronise_norms(self.model, self.device)
        if s.compile:
            self.model.compile_parts()
        self.optimiser = build_optimiser(self.model, s)
        dtype = autocast_type(self.precision)
        # bf16 has the range of float32 and needs no loss scaling; fp16 does.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=dtype is torch.float16)
        step = TrainStep(self.model, self.optimiser, self.scaler, dtype, s.accumulate)
        if self.ranks.count > 1:
            step.distribute(self.device)
        # Loss scaling reads from the GPU in each step, and DDP's messages are not captured.
        alone = self.ranks.count == 1 and s.accumulate == 1 and not self.scaler.is_enabled()
        # A resumed run begins with steps without a graph, in which the rates are numbers: they
        # round differently from a graph's tensors.
        alone = alone and not s.deterministic
        graphed = s.cuda_graph == "auto" and self.device.type == "cuda" and alone
        return GraphedStep(step) if graphed else step

    def _resume(self, newest: tuple[Path, Content] | None) -> None:
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

    def _rates(self, number: int) -> Rates:
        return Rates(
            lr=learning_rate(number, self.sampler.steps_per_epoch, self.settings),
            ema_momentum=target_momentum(number, self.sampler.steps, self.settings.ema_base),
        )

    def _read(self, window: Window, stop: StopSignals) -> tuple[Reading, signal.Signals | None]:
        """Read the steps of a window; average their losses over the processes.

        All processes get the same answers, or some would wait forever for the gradients of one that
        left.

        Returns:
            The steps, and the signal that any of the processes received.

        Raises:
            UserError: A loss is not finite, in whichever process.
        """
        reading = window.read()
        for values, failed in zip(reading.values, reading.failed, strict=True):
            if failed:  # the error names only some of the images
                named = ", ".join(self._keys(failed))
                log.error("loss %g for the images %s", values["loss"], named)
        losses = [values["loss"] for values in reading.values]
        *losses, asked, seconds = self.ranks.total(
            *losses, stop.asked is not None, window.seconds_per_step
        )
        for values, loss in zip(reading.values, losses, strict=True):
            values["loss"] = loss / self.ranks.count
        self._check(reading)
        window.restart(seconds / self.ranks.count)
        return reading, (stop.asked or signal.SIGTERM) if asked else None

    def _check(self, reading: Reading) -> None:
        """Raise a `UserError` if a loss is not finite, or if gradients overflow in every step."""
        index = reading.first_failed
        if index is not None:
            failed = self._keys(reading.failed[index])
            keys = [key for keys in self.ranks.gather(failed) for key in keys]
            more = len(keys) - _MOST_NAMED
            raise UserError(
                "pretrain.loss_not_finite",
                "The loss is {loss:g} at step {step} (learning rate {lr:g}) for the images"
                " {images}. {remedy}",
                loss=reading.values[index]["loss"],
                images=", ".join(keys[:_MOST_NAMED])
                + (f" and {more} more (see the log)" if more > 0 else ""),
                **self._diverged(reading.numbers[index]),
            )
        if self.scaler.is_enabled() and self.scaler.get_scale() < _LEAST_SCALE:
            raise UserError(
                "pretrain.fp16_overflow",
                "Gradients overflow fp16 in every step up to step {step} (learning rate {lr:g})."
                " bf16 has the range that they need. {remedy}",
                **self._diverged(reading.numbers[-1]),
            )

    def _log(self, log_file: TrainingLog, reading: Reading, feed: Feed) -> None:
        waited, feed.waited = feed.waited / len(reading.numbers), 0.0
        for number, values in zip(reading.numbers, reading.values, strict=True):
            epoch, rates = number // self.sampler.steps_per_epoch, self._rates(number)
            named = {**values, **dataclasses.asdict(rates), "epoch": epoch}
            # Such a step is the last one of its reading: the weights are those that it left.
            if number % self.settings.log_every**2 == 0 or number + 1 == self.sampler.steps:
                named["travel"] = self.travel()
            log_file.log_step(number, waited=waited, **named)

    def _leave(self, done: int, asked: signal.Signals) -> None:
        self.checkpoints.wait()
        self.ranks.total(0)  # a barrier: wait until the checkpoint is written
        log.info(
            "stopped on request after step %d of %d; checkpoint written, run again to resume",
            done,
            self.sampler.steps,
        )
        leave(asked)

    def _save(self, done: int) -> None:
        """Begin to write a checkpoint.

        Raises:
            UserError: A weight is not finite; such weights are never written. Or the checkpoint
                before cannot be written.
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
            "lr": self._rates(number).lr,
            "checkpoint": str(good),
            "remedy": (
                f"The last good checkpoint is {good}. Lower base_lr or lengthen warmup_epochs, and"
                f" remove {self.checkpoints.folder} to start over."
            ),
        }


def _set_deterministic(wanted: bool) -> None:
    """Let GPUs use only operations with a fixed order of summation, or any."""
    if wanted:
        # cuBLAS reads this at its first product: one workspace for each stream.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted, warn_only=True)
