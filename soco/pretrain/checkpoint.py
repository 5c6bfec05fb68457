"""Checkpoints.

Written whole, the last few kept, their checksums looked at, read without running code.
"""

import logging
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

import soco
from soco.data.stores.archives import Content, newest_sound, save_archive
from soco.errors import UserError
from soco.io import origin_inside, remove_folder

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run: a folder of `step-NNNNNNNN.pt`.

    All chance in training follows from seed, epoch and image number, so a checkpoint needs no
    generator's state.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any], keep: int) -> None:
        """Use a folder.

        Args:
            folder: Made when the first checkpoint is written.
            settings: What decides the run's outcome; a checkpoint of other settings is refused.
            keep: How many of the newest to keep.
        """
        self.folder, self.settings, self.keep = Path(folder), settings, keep

    def save(
        self,
        step: int,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> None:
        """Write the state before step `step`, then drop the oldest beyond `keep`.

        Raises:
            UserError: The disk does not take it; what was written before stays.
        """
        state = {
            "step": step,
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "scaler": scaler.state_dict(),
            "settings": self.settings,
            "version": soco.__version__,
            **origin_inside(),
        }
        save_archive(self.folder / f"step-{step:08d}.pt", state)
        for old in self._paths()[: -self.keep]:
            old.unlink()

    @property
    def last(self) -> Path | None:
        """The newest checkpoint, read or not."""
        return next(reversed(self._paths()), None)

    def newest_readable(self) -> tuple[Path, Content] | None:
        """The newest checkpoint that is whole, with its content; damaged ones are put aside with a
        warning.

        Halves are removed.

        Raises:
            UserError: It is of other settings.
        """
        for part in self.folder.glob(".step-*.part"):  # what a kill left half-written
            part.unlink()
        newest = newest_sound(self._paths())
        if newest is None:
            return None
        path, state = newest
        self._check_settings(path, state["settings"])
        if state["version"] != soco.__version__:
            log.warning(
                "%s was written by version %s; this is %s", path, state["version"], soco.__version__
            )
        return newest

    @staticmethod
    def load(
        state: Content,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> int:
        """Load a checkpoint's content into model, optimiser and loss scaler.

        Returns the step to go on with.
        """
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        return int(state["step"])

    def remove(self) -> None:
        """Remove the folder: the run's final weights are written."""
        remove_folder(self.folder)

    def _paths(self) -> list[Path]:
        return sorted(
            path
            for path in self.folder.glob("step-*.pt")
            if re.fullmatch(r"step-\d+\.pt", path.name)
        )

    def _check_settings(self, path: Path, settings: dict[str, Any]) -> None:
        ours, theirs = _flat(self.settings), _flat(settings)
        differing = sorted(
            key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
        )
        if differing:
            raise UserError(
                f"The checkpoint {path} is of a run that was not finished and had other settings "
                f"({', '.join(differing)}); restore them, or remove {self.folder} to start anew."
            )


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the keys of sections as `section.key`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= (
            {f"{key}.{inner}": held for inner, held in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    return flat
