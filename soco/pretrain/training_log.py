"""The training log.

A line of JSON every few steps, the same for TensorBoard, a bar, and a watch for collapse.
"""

import json
import math
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from soco.io import atomic_write
from soco.pretrain.collapse_watch import CollapseWatch
from soco.pretrain.event_log import EventLog
from soco.progress import progress_bar

_COUNTS = ("step", "epoch")


class TrainingLog:
    """Keeps `log.jsonl` of a run; a resumed run drops the lines past its checkpoint and goes on
    behind the rest.

    docs/loss.md says what each key of a line is. As a context manager it closes bar and files in
    any case.
    """

    def __init__(
        self,
        path: str | Path,
        first_step: int,
        steps: int,
        batch_size: int,
        every: int,
        tensorboard: str | Path | None = None,
    ) -> None:
        self._path, self._every, self._batch_size, self._steps = (
            Path(path),
            every,
            batch_size,
            steps,
        )
        kept = [line for line in self._lines() if line["step"] < first_step]
        with atomic_write(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._events = None if tensorboard is None else EventLog(tensorboard, first_step)
        self._watch = CollapseWatch(steps)
        self._seconds_before = kept[-1]["seconds"] if kept else 0.0
        self._waited, self._next_step = 0.0, first_step
        self._bar = progress_bar(steps, "pretraining", "step", done=first_step)
        self._started = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training up to now, those before a resume included."""
        return self._seconds_before + time.monotonic() - self._started

    def log_step(self, step: int, waited: float = 0.0, **values: Any) -> None:
        """Move the bar past step `step`; write a line where it is due.

        Args:
            step: The step just done, from 0.
            waited: Seconds that the step waited for its images.
            values: `loss`, `lr`, ...; numbers, or one-element tensors, which are read only where a
                line is due: reading makes a GPU finish its work first.
        """
        self._waited += waited
        if step % self._every == 0 or step + 1 == self._steps:
            self._write(step, {name: _number(name, value) for name, value in values.items()})
        self._bar.update(1)

    def close(self) -> None:
        """End the bar and close the files."""
        self._bar.close()
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, step: int, values: dict[str, Any]) -> None:
        line = {
            "step": step,
            **values,
            **self._speed(step),
            **_memory(),
            "seconds": round(self.seconds, 3),
        }
        with self._path.open("a") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")
        if self._events is not None:
            self._events.write(
                step, {name: value for name, value in line.items() if name != "step"}
            )
        self._bar.set_postfix_str(_told(line), refresh=False)
        self._watch.read(line)

    def _speed(self, step: int) -> dict[str, float]:
        """Images a second, and the share of the time spent waiting for them, since the last line."""
        now = time.monotonic()
        passed = max(now - self._last, 1e-9)
        images, waited = (
            self._batch_size * (step + 1 - self._next_step),
            min(self._waited / passed, 1.0),
        )
        self._last, self._next_step, self._waited = now, step + 1, 0.0
        return {"images_per_second": round(images / passed, 3), "data_wait": round(waited, 4)}

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        lines = []
        for text in self._path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:  # a kill may cut the last line short
                break
        return lines


def _number(name: str, value: Any) -> float | int | None:
    """The value as JSON holds it: counts whole, and null for what is not finite."""
    if name in _COUNTS:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _memory() -> dict[str, float]:
    """Peaks up to now, in MB of 2^20 bytes.

    Resident memory of this process, without its workers, and of the GPU.
    """
    # Not getrusage: a started process takes over the peak of the one that started it.
    resident = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peaks = {"memory_mb": round(int(resident[1]) / 1024, 1)} if resident else {}
    if torch.cuda.is_initialized():
        peaks["gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return peaks


def _told(line: dict[str, Any]) -> str:
    """A line in the words of the bar; what it lacks is left out."""
    forms = {
        "loss": "loss {:.3f}",
        "lr": "lr {:.3g}",
        "ema_momentum": "EMA {:.4f}",
        "images_per_second": "{:.1f} images/s",
        "data_wait": "data wait {:.0%}",
        "memory_mb": "{:.0f} MB",
        "gpu_memory_mb": "GPU {:.0f} MB",
    }
    return ", ".join(
        form.format(line[name]) for name, form in forms.items() if line.get(name) is not None
    )
