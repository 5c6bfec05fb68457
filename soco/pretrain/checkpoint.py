"""Checkpoints: written atomically, verified by checksum, read without running code."""

import logging
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import soco
from soco.data.stores.torch_files import Content, newest_sound, save_archive
from soco.errors import UserError
from soco.io import Origin, origin_inside, remove_folder

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run: a folder of `step-NNNNNNNN.pt`.

    They contain no random state: every draw follows from the seed, the epoch and the image number.
    A thread writes them from a copy of the state, while training continues.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: dict[str, Any],
        keep: int,
        origin: Origin | None = None,
    ) -> None:
        """Use a folder.

        Args:
            folder: Created when the first checkpoint is written.
            settings: The run's identity; a checkpoint of other settings is refused. The precision
                `auto` accepts any, and must be set before a checkpoint is written.
            keep: How many of the newest checkpoints to keep.
            origin: What makes the files.
        """
        self.folder, self.settings, self.keep = Path(folder), settings, keep
        self.origin = origin
        self._writer: threading.Thread | None = None
        self._error: BaseException | None = None
        self._pinned: dict[str, Any] = {}  # page-locked memory of the last copy, from a GPU

    def save(
        self,
        step: int,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
    ) -> None:
        """Copy the state, and begin to write it; then the oldest files beyond `keep` are removed.

        One checkpoint is written at a time: this waits for the one before.

        Args:
            step: The next step.
            model: The model.
            optimiser: Its optimiser.
            scaler: The loss scaler.

        Raises:
            UserError: The checkpoint before could not be written; earlier ones stay.
        """
        self.wait()
        state = {
            "step": step,
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "scaler": scaler.state_dict(),
            "settings": self.settings,
            "version": soco.__version__,
            **origin_inside(self.origin),
        }
        copied = _copied(state, self._pinned)
        ready = None
        if any(p.is_cuda for p in model.parameters()):
            # The GPU copies after the steps up to now and before the next one, while the host
            # launches that.
            ready, self._pinned = torch.cuda.current_stream().record_event(), copied
        self._writer = threading.Thread(target=self._write, args=(step, copied, ready))
        self._writer.start()

    def _write(self, step: int, state: Content, ready: torch.Event | None) -> None:
        """Write a checkpoint, in a thread of its own."""
        try:
            if ready is not None:
                ready.synchronize()
            save_archive(self.folder / f"step-{step:08d}.pt", state)
            # After the new file is complete, so that there is always one to resume from.
            for old in self._paths()[: -self.keep]:
                old.unlink()
        except BaseException as error:  # raised again in the main thread
            self._error = error

    def wait(self) -> None:
        """Wait until the checkpoint in progress is written.

        Raises:
            UserError: It could not be written.
        """
        self.join()
        self.check()

    def check(self) -> None:
        """Raise the error of the last checkpoint, if it has failed by now."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def join(self) -> None:
        """Wait until no checkpoint is being written, whether it succeeds or not."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None

    @property
    def last(self) -> Path | None:
        """The newest checkpoint, whether readable or not."""
        self.join()
        return next(reversed(self._paths()), None)

    def newest_readable(self) -> tuple[Path, Content] | None:
        """Return the newest undamaged checkpoint and its content; None if there is none.

        Damaged checkpoints are renamed with a warning; partly written files are removed.

        Raises:
            UserError: The checkpoint has other settings.
        """
        for part in self.folder.glob(".step-*.part"):  # left by a killed process
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
        """Load a checkpoint into model, optimiser and loss scaler; return the next step.

        Args:
            state: Its content, from `newest_readable`.
            model: The model.
            optimiser: Its optimiser.
            scaler: The loss scaler.
        """
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        scaler.load_state_dict(state["scaler"])
        return int(state["step"])

    def remove(self) -> None:
        """Remove the folder, once the final weights are written."""
        remove_folder(self.folder)

    def _paths(self) -> list[Path]:
        # Names have eight digits: their order is that of the steps.
        return sorted(
            path
            for path in self.folder.glob("step-*.pt")
            if re.fullmatch(r"step-\d+\.pt", path.name)
        )

    def _check_settings(self, path: Path, settings: dict[str, Any]) -> None:
        ours, theirs = _flat(self.settings), _flat(settings)
        if ours.get("precision") == "auto":
            ours["precision"] = theirs.get("precision")
        differing = sorted(
            key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
        )
        if differing:
            raise UserError(
                "pretrain.other_settings",
                "The checkpoint {path} belongs to an unfinished run with other settings ({keys})."
                " Restore them, or remove {folder} to start over.",
                path=path,
                keys=", ".join(differing),
                folder=self.folder,
            )


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the keys of nested sections as `section.key`."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= (
            {f"{key}.{inner}": entry for inner, entry in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    return flat


def _copied(value: Any, memory: Any) -> Any:
    """Copy the tensors of nested dictionaries and lists to the CPU's memory.

    Args:
        value: A tensor, a dictionary, a list or a plain value.
        memory: The result of an earlier copy, which this one may overwrite; empty for none.
    """
    if isinstance(value, Tensor):
        # A GPU copies to page-locked memory without the host.
        target = memory if isinstance(memory, Tensor) else _host_memory(value)
        return target.copy_(value, non_blocking=True)
    if isinstance(value, Mapping):
        used = memory if isinstance(memory, Mapping) else {}
        return {key: _copied(entry, used.get(key)) for key, entry in value.items()}
    if isinstance(value, list):
        parts = memory if isinstance(memory, list) else [None] * len(value)
        return [_copied(entry, part) for entry, part in zip(value, parts, strict=True)]
    return value


def _host_memory(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda)
