"""The folder that an interrupted fine-tuning resumes from.

It is no output of the workflow, which deletes the outputs of a job that failed; it is removed once
the final weights are written. Each checkpoint says what is trained, so that a training never
resumes from one of other settings.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.engine import HookBase
from torch import nn

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig, identity
from soco.data.stores.archives import DamagedArchive, load_archive, newest_sound, save_archive
from soco.errors import UserError
from soco.io import atomic_write, origin_inside, sha256_of

FINAL = "model_final"
_POINTER = "last_checkpoint"
_LOCK = "lock"
_KEPT = 2
_TRAINING = "training"


def describe_training(
    settings: FinetuneConfig,
    detector: DetectorConfig,
    dataset: DatasetConfig,
    weights: Path | None,
    seed: int,
) -> dict[str, Any]:
    """All that decides what a training computes, the content of its input files included (as SHA-256)."""
    return {
        "settings": identity(settings, "finetune_weights"),
        "detector": detector.model_dump(mode="json"),
        "train": dataset.train.model_dump(mode="json"),
        "annotations": sha256_of(Path(dataset.train.annotations)),
        "weights": sha256_of(weights) if weights else None,
        "seed": seed,
    }


def open_folder(folder: Path, training: dict[str, Any]) -> None:
    """Make the folder ready for a training: its newest checkpoint is whole and of that training, or
    it has none.

    A damaged checkpoint is put aside with a warning, and the one before is taken. The files of any
    other training are removed, and that is printed.

    Args:
        folder: The folder; what holds it for one run (`soco.data.stores.lock`) is left alone, and
            so are folders in it: no training makes any.
        training: See `describe_training`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = newest_sound(_checkpoints(folder))
    if newest is not None and newest[1].get(_TRAINING) == training:
        _point_at(newest[0])
        return
    if newest is not None:
        whose = "of other settings or input files"
        if _TRAINING not in newest[1]:
            whose = "of an earlier version of this program, which do not say what they are of"
        print(f"{folder} holds checkpoints {whose}; they are removed.", flush=True)
    files = [path for path in folder.iterdir() if not path.is_dir()]
    others = [path for path in files if path.name != _LOCK and path.suffix != ".damaged"]
    for path in sorted(
        others, key=lambda path: path.suffix != ".pth"
    ):  # no checkpoint is ever left without its logs
        path.unlink()


class WholeCheckpointer(DetectionCheckpointer):
    """detectron2's, whose files appear when they are whole; two of them are kept.

    It reads as detectron2 does, without checksums: `open_folder` has looked at them.
    """

    def __init__(
        self, model: nn.Module, save_dir: str, training: dict[str, Any], **held: Any
    ) -> None:
        """Use a folder.

        Args:
            model: The detector.
            save_dir: The folder.
            training: What is trained, which each checkpoint says; see `describe_training`.
            held: What else has a state: optimiser, trainer.
        """
        super().__init__(model, save_dir, **held)
        self._training = training

    def save(self, name: str, **more: Any) -> None:
        """Write the state of all that is held, whole or not at all, then drop the oldest files."""
        if not self.save_dir or not self.save_to_disk:
            return
        states = {key: held.state_dict() for key, held in self.checkpointables.items()}
        path = Path(self.save_dir, f"{name}.pth")
        save_archive(
            path, {"model": self.model.state_dict(), **states, **more, _TRAINING: self._training}
        )
        _point_at(path)
        for old in _checkpoints(path.parent)[:-_KEPT]:
            old.unlink()


class SaveCheckpoints(HookBase):
    """Lets the trainer save every so many steps, and as `model_final` after the last."""

    def __init__(self, every: int) -> None:
        self._every = every

    def after_step(self) -> None:
        """Save where it is due."""
        done = self.trainer.iter + 1
        if done == self.trainer.max_iter:
            self.trainer.checkpointer.save(FINAL, iteration=self.trainer.iter)
        elif done % self._every == 0:
            self.trainer.checkpointer.save(
                f"model_{self.trainer.iter:07d}", iteration=self.trainer.iter
            )


def _checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder by their iteration: a clock that was set back changes nothing."""
    numbered = sorted(
        folder.glob("model_[0-9]*.pth"), key=lambda path: int(path.stem.removeprefix("model_"))
    )
    return [*numbered, *folder.glob(f"{FINAL}.pth")]


def _point_at(checkpoint: Path) -> None:
    """Write detectron2's note of the last checkpoint, which a kill may have cut short."""
    with atomic_write(checkpoint.with_name(_POINTER)) as temporary:
        temporary.write_text(checkpoint.name)


def write_final_weights(folder: Path, output: Path) -> None:
    """Write the finished model, without the optimiser's state, as a file that detectron2 reads too.

    Args:
        folder: Holds `model_final.pth`.
        output: Receives `{"model": name -> tensor}`, and in a stage `origin`.

    Raises:
        UserError: The disk gave back other bytes than were written.
    """
    path = folder / f"{FINAL}.pth"
    try:
        final = load_archive(path)
    except DamagedArchive as error:
        raise UserError(
            f"{path} was damaged after it was written ({error}); check that disk and run it again:"
            " it resumes from the checkpoint before."
        ) from None
    save_archive(output, {"model": final["model"], **origin_inside()})


def copy_whole(source: Path, destination: Path) -> None:
    """Copy a file so that it appears under its new name only when it is whole."""
    with atomic_write(destination) as temporary:
        shutil.copyfile(source, temporary)


def copy_lines(source: Path, destination: Path) -> None:
    """Copy a log of JSON lines, in which a resumed run has told some iterations twice: the later
    line stays.

    Args:
        source: The log; where there is none, the copy is empty.
        destination: The copy, in the order of iterations.
    """
    lines = source.read_text(errors="replace").splitlines() if source.exists() else []
    told = {iteration: line for line in lines if (iteration := _iteration(line)) is not None}
    with atomic_write(destination) as temporary:
        temporary.write_text("".join(f"{told[iteration]}\n" for iteration in sorted(told)))


def _iteration(line: str) -> int | None:
    """The iteration that a line tells of.

    None where a kill cut it, and another may follow in its place.
    """
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return None
