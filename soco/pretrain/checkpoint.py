"""Checkpoints: written whole, the last few kept, read without running code."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

import soco
from soco.errors import UserError
from soco.stores.files import whole_file

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run: a folder of `step-NNNNNNNN.pt`.

    All chance in training follows from seed, epoch and picture number, so a checkpoint needs no generator's state.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any], keep: int) -> None:
        """Use a folder.

        Args:
            folder: Made when the first checkpoint is written.
            settings: What decides the run's bits; a checkpoint of other settings is refused.
            keep: How many of the newest to keep.
        """
        self.folder, self.settings, self.keep = Path(folder), settings, keep

    def save(self, step: int, model: nn.Module, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
        """Write the state before step `step`, then drop the oldest beyond `keep`."""
        state = {
            "step": step,
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "scaler": scaler.state_dict(),
            "settings": self.settings,
            "version": soco.__version__,
        }
        with whole_file(self.folder / f"step-{step:08d}.pt") as temporary:
            torch.save(state, temporary)
        for old in self._paths()[: -self.keep]:
            old.unlink()

    def resume(self, model: nn.Module, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> int:
        """Load the newest readable checkpoint into model, optimiser and loss scaler.

        Returns:
            The step to go on with; 0 where there is none.

        Raises:
            UserError: The newest checkpoint is of other settings.
        """
        for part in self.folder.glob(".step-*.part"):  # what a kill left half-written
            part.unlink()
        for path in reversed(self._paths()):
            try:
                state = torch.load(path, weights_only=True, map_location="cpu")
            except Exception as error:  # a damaged file fails in many ways; the one before may serve
                log.warning("%s cannot be read (%s); trying the one before", path, error)
                continue
            self._check_settings(path, state["settings"])
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            scaler.load_state_dict(state["scaler"])
            log.info("goes on from %s", path)
            return int(state["step"])
        return 0

    def remove(self) -> None:
        """Remove the folder: the run's final weights are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))

    def _check_settings(self, path: Path, settings: dict[str, Any]) -> None:
        differing = sorted(
            key for key in self.settings.keys() | settings.keys() if self.settings.get(key) != settings.get(key)
        )
        if differing:
            raise UserError(
                f"The checkpoint {path} is of a run that was not finished and had other settings "
                f"({', '.join(differing)}); restore them, or remove {self.folder} to start anew."
            )
