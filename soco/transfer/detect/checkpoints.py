"""The folder of checkpoints that an interrupted fine-tuning resumes from.

It is not an output of the workflow, because Snakemake deletes the outputs of a failed job; it is
removed once the final weights are written. Each checkpoint describes its training, so that a run
never resumes from a checkpoint with other settings.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import HookBase
from torch import nn

from soco.config import identity
from soco.data.stores.torch_files import DamagedArchive, load_archive, newest_sound, save_archive
from soco.errors import UserError
from soco.io import Origin, atomic_write, origin_inside, sha256_of
from soco.transfer.detect.jobs import FinetuneJob

FINAL = "model_final"
_POINTER = "last_checkpoint"
_LOCK = "lock"
# The one before serves if the last one is damaged.
_KEPT = 2
_TRAINING = "training"


def describe_training(job: FinetuneJob) -> dict[str, Any]:
    """Everything that affects what a training computes; input files by their SHA-256."""
    return {
        "settings": identity(job.settings, "finetune_weights"),
        "detector": job.detector.model_dump(mode="json"),
        "train": job.dataset.train.model_dump(mode="json"),
        "annotations": sha256_of(Path(job.dataset.train.annotations)),
        "weights": sha256_of(job.weights) if job.weights else None,
        "seed": job.seed,
    }


def prepare_folder(folder: Path, training: dict[str, Any]) -> None:
    """Prepare the folder of a training: it has an intact checkpoint of that training, or none.

    A damaged checkpoint is set aside with a warning, and the one before is used. The files of any
    other training are removed, and a message says so.

    Args:
        folder: The folder; its lock file (`soco.data.stores.lock`) is kept, and so are folders in
            it, because no training makes any.
        training: See `describe_training`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = newest_sound(_checkpoints(folder))
    if newest is not None and newest[1].get(_TRAINING) == training:
        _point_at(newest[0])
        return
    if newest is not None:
        origin = "with other settings or input files"
        if _TRAINING not in newest[1]:
            origin = "of an earlier version of this program, which did not record its settings"
        print(f"{folder} has checkpoints {origin}; they are removed.", flush=True)
    files = [path for path in folder.iterdir() if not path.is_dir()]
    others = [path for path in files if path.name != _LOCK and path.suffix != ".damaged"]
    # Checkpoints first: after a kill, none is left without its logs.
    for path in sorted(others, key=lambda path: path.suffix != ".pth"):
        path.unlink()


class AtomicCheckpointer(DetectionCheckpointer):
    """detectron2's checkpointer with atomic writes; it keeps the last two checkpoints.

    It reads without verifying checksums, as detectron2 does: `prepare_folder` has verified them.
    """

    def __init__(
        self, model: nn.Module, save_dir: str, training: dict[str, Any], **checkpointables: Any
    ) -> None:
        """Use a folder.

        Args:
            model: The detector.
            save_dir: The folder.
            training: The description that each checkpoint carries; see `describe_training`.
            checkpointables: Other objects with a state: optimiser, trainer.
        """
        super().__init__(model, save_dir, **checkpointables)
        self._training = training

    def save(self, name: str, **more: Any) -> None:
        """Write the state of everything atomically, then remove the oldest files."""
        if not self.save_dir or not self.save_to_disk:
            return
        states = {key: value.state_dict() for key, value in self.checkpointables.items()}
        path = Path(self.save_dir, f"{name}.pth")
        save_archive(
            path, {"model": self.model.state_dict(), **states, **more, _TRAINING: self._training}
        )
        _point_at(path)
        for old in _checkpoints(path.parent)[:-_KEPT]:
            old.unlink()


class SaveCheckpoints(HookBase):
    """Saves every `every` iterations, and as `model_final` after the last."""

    def __init__(self, every: int) -> None:
        self._every = every

    def after_step(self) -> None:
        """Save if a checkpoint is due."""
        done = self.trainer.iter + 1
        if done == self.trainer.max_iter:
            self.trainer.checkpointer.save(FINAL, iteration=self.trainer.iter)
        elif done % self._every == 0:
            self.trainer.checkpointer.save(
                f"model_{self.trainer.iter:07d}", iteration=self.trainer.iter
            )


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints by iteration, not by time: a clock that was set back changes nothing."""
    numbered = sorted(
        folder.glob("model_[0-9]*.pth"), key=lambda path: int(path.stem.removeprefix("model_"))
    )
    # The final one last: it is the newest.
    return [*numbered, *folder.glob(f"{FINAL}.pth")]


def _point_at(checkpoint: Path) -> None:
    """Write detectron2's file that names the last checkpoint, which a kill may have truncated."""
    with atomic_write(checkpoint.with_name(_POINTER)) as temporary:
        temporary.write_text(checkpoint.name)


def write_final_weights(folder: Path, output: Path, origin: Origin | None) -> None:
    """Write the trained model, without the optimiser's state, as a file that detectron2 reads too.

    Args:
        folder: The folder with `model_final.pth`.
        output: Receives `{"model": name -> tensor}`, and `origin`.
        origin: What made the file.

    Raises:
        UserError: The disk did not return the bytes that were written.
    """
    path = folder / f"{FINAL}.pth"
    try:
        final = load_archive(path)
    except DamagedArchive as error:
        raise UserError(
            "detect.damaged_final_weights",
            "{path} was damaged after it was written ({reason}); check that disk and run it again:"
            " it resumes from the checkpoint before.",
            path=path,
            reason=error,
        ) from None
    save_archive(output, {"model": final["model"], **origin_inside(origin)})


def copy_file(source: Path, destination: Path) -> None:
    """Copy a file atomically."""
    with atomic_write(destination) as temporary:
        shutil.copyfile(source, temporary)


def copy_lines(source: Path, destination: Path) -> None:
    """Copy a log of JSON lines; where a resumed run logged an iteration twice, keep the later line.

    Args:
        source: The log; if there is none, the copy is empty.
        destination: The copy, in the order of iterations.
    """
    lines = source.read_text(errors="replace").splitlines() if source.exists() else []
    latest = {iteration: line for line in lines if (iteration := _iteration(line)) is not None}
    with atomic_write(destination) as temporary:
        temporary.write_text("".join(f"{latest[iteration]}\n" for iteration in sorted(latest)))


def _iteration(line: str) -> int | None:
    """The iteration of a line; None if a kill truncated it (the next may be appended to it)."""
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return None
