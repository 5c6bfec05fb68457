"""The pretraining loop."""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch.utils.data import DataLoader

import soco
from soco.config import DetectorConfig, PretrainConfig
from soco.errors import UserError
from soco.models import SoCo, build_model
from soco.pictures import PictureSource
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.hardware import autocast_type, training_device
from soco.pretrain.journal import Journal
from soco.pretrain.lars import LARS
from soco.pretrain.order import PictureOrder
from soco.pretrain.schedules import learning_rate, peak_rate, target_momentum
from soco.stores.files import whole_file, write_json
from soco.views import Batch, ViewDataset, collate

log = logging.getLogger(__name__)

# Settings that change how a run goes but not the bits it ends with.
_WITHOUT_EFFECT = {"processes", "recompute", "workers", "checkpoint_minutes", "keep_checkpoints", "log_every"}


def pretrain(
    run: str,
    settings: PretrainConfig,
    detector: DetectorConfig,
    store: str | Path,
    pictures: PictureSource,
    checkpoints: str | Path,
    weights: str | Path,
    journal: str | Path,
    metrics: str | Path,
    seed: int,
) -> None:
    """Pretrain a model on the pictures of a proposal store, or go on with a run that was stopped.

    Args:
        run: The run's name in the configuration.
        settings: The recipe.
        detector: Sizes of the parts that detectors fine-tune.
        store: Arrow file of the merged proposals.
        pictures: Where the store's pictures lie.
        checkpoints: Folder for the run's checkpoints and live log; removed at the end.
        weights: Receives the trained weights (safetensors, the release's names), the target's among them.
        journal: Receives the log, a line of JSON every few steps.
        metrics: Receives a JSON summary of the run.
        seed: All chance follows from it.

    Raises:
        UserError: There are too few pictures, a picture can no longer be read, or the checkpoints are of another run.
    """
    dataset = ViewDataset(store, pictures, settings, seed)
    training = Training(settings, detector, dataset, Path(checkpoints), seed)
    training.say_plan(run)
    training.run()
    _write_weights(training.model, weights, {"run": run, "seed": seed, "settings": settings.model_dump(mode="json")})
    with whole_file(journal) as temporary:
        shutil.copyfile(training.journal_path, temporary)
    write_json(metrics, {"run": run, **training.summary()})
    training.checkpoints.remove()


class Training:
    """One pretraining run: its state, and the steps that change it."""

    def __init__(
        self, settings: PretrainConfig, detector: DetectorConfig, dataset: ViewDataset, folder: Path, seed: int
    ) -> None:
        self.settings, self.dataset, self.seed = settings, dataset, seed
        self.device = training_device()
        self.autocast_type = autocast_type(settings.precision, self.device)
        self.order = PictureOrder(len(dataset), settings.batch_size, settings.epochs, seed)
        self.steps = len(self.order)
        self.model = build_model(settings, detector, seed).to(self.device, memory_format=torch.channels_last).train()
        online = (p for p in self.model.parameters() if p.requires_grad)
        self.optimiser = LARS(online, settings.momentum, settings.weight_decay, settings.trust)
        # bf16 has float32's range and needs no loss scaling; fp16 does.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.autocast_type is torch.float16)
        self.checkpoints = Checkpoints(folder, self._identity(detector), settings.keep_checkpoints)
        self.order.first_step = self.checkpoints.resume(self.model, self.optimiser, self.scaler)
        self.journal_path = folder / "log.jsonl"

    def say_plan(self, run: str) -> None:
        """Log in words what is about to be trained."""
        s = self.settings
        log.info(
            "%s: %d pictures, %d a step, %d epochs of %d steps; learning rate %g (%g x %d / 256) on %s in %s",
            run, len(self.dataset), s.batch_size, s.epochs, self.order.steps_per_epoch,
            peak_rate(s), s.base_lr, s.batch_size, self.device, self.precision,
        )  # fmt: skip

    @property
    def precision(self) -> str:
        """The arithmetic that the model computes in."""
        return {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self.autocast_type]

    def run(self) -> None:
        """Train from the checkpoint's step to the last, writing checkpoints by time and by epoch.

        Raises:
            UserError: The loss is no longer finite.
        """
        first = self.order.first_step
        journal = Journal(self.journal_path, first, self.steps, self.settings.batch_size, self.settings.log_every)
        saved = time.monotonic()
        for step, batch in enumerate(self._batches(), start=first):
            loss = self._step(step, batch)
            self._check_finite(step, loss, batch)
            journal.note(step, loss=loss, **self._rates(step), epoch=step // self.order.steps_per_epoch)
            done, epoch_ends = step + 1, (step + 1) % self.order.steps_per_epoch == 0
            if epoch_ends or done == self.steps or time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                self.checkpoints.save(done, self.model, self.optimiser, self.scaler)
                saved = time.monotonic()
        journal.close()

    def summary(self) -> dict[str, Any]:
        """What the report says about the run."""
        lines = [json.loads(line) for line in self.journal_path.read_text().splitlines()]
        return {
            "architecture": self.settings.architecture,
            "epochs": self.settings.epochs,
            "steps": self.steps,
            "pictures": len(self.dataset),
            "total_batch": self.settings.batch_size,
            "peak_lr": peak_rate(self.settings),
            "final_loss": lines[-1]["loss"],
            "seconds": round(lines[-1]["seconds"], 1),
            "images_per_second": round(self.steps * self.settings.batch_size / lines[-1]["seconds"], 2),
            "precision": self.precision,
            "device": self.device.type,
            "processes": 1,
            "seed": self.seed,
            "parameters": sum(p.numel() for p in self.model.parameters() if p.requires_grad),
        }

    def _batches(self) -> Iterator[Batch]:
        loader = DataLoader(
            self.dataset,
            batch_sampler=self.order,
            num_workers=self.settings.workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=_one_thread,
        )
        try:
            yield from loader
        except UserError as error:
            # A worker's exception arrives with its traceback as its message; the sentence is what stands last.
            raise UserError(str(error).rsplit("UserError: ", 1)[-1].strip()) from None

    def _step(self, step: int, batch: Batch) -> torch.Tensor:
        rates = self._rates(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rates["lr"]
        self.model.update_target(rates["ema_momentum"])
        batch = batch.to(self.device, torch.channels_last)
        with torch.autocast(self.device.type, self.autocast_type, enabled=self.autocast_type is not None):
            loss = self.model(batch).loss
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss.detach()

    def _rates(self, step: int) -> dict[str, float]:
        return {
            "lr": learning_rate(step, self.order.steps_per_epoch, self.settings),
            "ema_momentum": target_momentum(step, self.steps, self.settings.ema_base),
        }

    def _check_finite(self, step: int, loss: torch.Tensor, batch: Batch) -> None:
        if not torch.isfinite(loss):
            keys = ", ".join(self.dataset.store.key(int(number)) for number in batch.numbers[:8])
            raise UserError(
                f"The loss is {float(loss)} at step {step}, lr {self._rates(step)['lr']:g}, pictures {keys}; "
                f"lower base_lr or lengthen warmup_epochs, and remove {self.checkpoints.folder} to start anew."
            )

    def _identity(self, detector: DetectorConfig) -> dict[str, Any]:
        settings = self.settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
        with self.dataset.store.path.open("rb") as store:
            proposals = hashlib.file_digest(store, "sha256").hexdigest()
        given = {"proposals": proposals, "seed": self.seed}
        return {**settings, "precision": self.precision, "detector": detector.model_dump(), **given}


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def _write_weights(model: SoCo, path: str | Path, origin: dict[str, Any]) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    metadata = {"soco": json.dumps({**origin, "version": soco.__version__})}
    with whole_file(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, metadata=metadata)
