"""The training log: JSON lines, TensorBoard, a progress bar, and a warning about collapse."""

import json
import logging
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from soco.io import atomic_write
from soco.progress import progress_bar

log = logging.getLogger(__name__)

_COUNTS = ("step", "epoch")
_BAR = {
    "loss": "loss {:.3f}",
    "lr": "lr {:.3g}",
    "ema_momentum": "EMA {:.4f}",
    "images_per_second": "{:.1f} images/s",
    "data_wait": "data wait {:.0%}",
    "memory_mb": "{:.0f} MB",
    "gpu_memory_mb": "GPU {:.0f} MB",
}

# Between the values of healthy and of collapsed runs: docs/loss.md.
LEAST_SPREAD, MOST_COSINE_APART = 0.2, 0.95
# New weights may give all images similar vectors, and a single batch may mislead.
_WARM_UP_SHARE, _LINES_IN_A_ROW = 0.1, 3


class TrainingLog:
    """Writes `log.jsonl` of a run; a resumed run drops the lines past its checkpoint.

    docs/loss.md explains the keys of a line. As a context manager it closes its files and the bar.
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
        """Open the log.

        Args:
            path: The file of JSON lines.
            first_step: The next step: 0, or that of the checkpoint.
            steps: Steps of the whole run.
            batch_size: Images in a step, over all processes.
            every: Steps between two lines.
            tensorboard: Folder of TensorBoard events; None: none are written.
        """
        self._path, self._every, self._steps = Path(path), every, steps
        self._batch_size = batch_size
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
        """Seconds of training up to now, including those before a resume."""
        return self._seconds_before + time.monotonic() - self._started

    def log_step(self, step: int, waited: float = 0.0, **values: Any) -> None:
        """Advance the bar past step `step`, and write a line if one is due.

        Args:
            step: The step just done, from 0.
            waited: Seconds that the step waited for its images.
            values: `loss`, `lr`, ...; numbers, one-element tensors, or dictionaries of them. A
                tensor is read only for a line, since reading synchronises with the GPU.
        """
        self._waited += waited
        if step % self._every == 0 or step + 1 == self._steps:
            self._write(step, {name: _number(name, value) for name, value in values.items()})
        self._bar.update(1)

    def close(self) -> None:
        """Close the bar and the files."""
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
                step, _flat({name: value for name, value in line.items() if name != "step"})
            )
        shown = (form.format(line[k]) for k, form in _BAR.items() if line.get(k) is not None)
        self._bar.set_postfix_str(", ".join(shown), refresh=False)
        self._watch.read(line)

    def _speed(self, step: int) -> dict[str, float]:
        """Images a second, and the share of time spent waiting for them, since the last line."""
        now = time.monotonic()
        passed = max(now - self._last, 1e-9)
        images = self._batch_size * (step + 1 - self._next_step)
        waited = min(self._waited / passed, 1.0)
        self._last, self._next_step, self._waited = now, step + 1, 0.0
        return {"images_per_second": round(images / passed, 3), "data_wait": round(waited, 4)}

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        lines = []
        for text in self._path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:  # the last line of a killed run may be cut short
                break
        return lines


def _number(name: str, value: Any) -> Any:
    """The value for JSON: counts as integers, and null for what is not finite."""
    if isinstance(value, Mapping):
        return {key: _number(key, entry) for key, entry in value.items()}
    if name in _COUNTS:
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _flat(values: Mapping[str, Any]) -> dict[str, float | None]:
    """Nested values with names such as `travel/stem/cosine`, which TensorBoard groups."""
    flat: dict[str, float | None] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{key}": entry for key, entry in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _memory() -> dict[str, float]:
    """Peak memory up to now, in MB of 2^20 bytes: resident (without workers), and on the GPU."""
    # Not getrusage, whose peak a child process inherits from its parent.
    resident = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peaks = {"memory_mb": round(int(resident[1]) / 1024, 1)} if resident else {}
    if torch.cuda.is_initialized():
        peaks["gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return peaks


class EventLog:
    """TensorBoard scalars; a resumed run replaces those past its checkpoint."""

    def __init__(self, folder: str | Path, first_step: int) -> None:
        # Imported here: it takes seconds, which a run without TensorBoard should not spend.
        from torch.utils.tensorboard import SummaryWriter

        if first_step == 0:
            for old in Path(folder).glob("events.out.tfevents.*"):
                old.unlink()
        self._writer = SummaryWriter(log_dir=str(folder), purge_step=first_step)

    def write(self, step: int, values: Mapping[str, float | None]) -> None:
        """Write the values of a step, except None, and flush, so that a kill loses nothing."""
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class CollapseWatch:
    """Warns when several lines of the log in a row show collapse.

    It ignores the first tenth of the steps. It warns once, and again only after as many healthy
    lines.
    """

    def __init__(self, steps: int) -> None:
        self._first_step = _WARM_UP_SHARE * steps
        self._collapsed = self._healthy = 0
        self._warned = False

    def read(self, line: Mapping[str, Any]) -> None:
        """Read a line of the log; a step without two images has neither value."""
        spread, apart = line.get("spread"), line.get("cosine_apart")
        if line["step"] < self._first_step or spread is None or apart is None:
            return
        if spread < LEAST_SPREAD or apart > MOST_COSINE_APART:
            self._collapsed, self._healthy = self._collapsed + 1, 0
        else:
            self._collapsed, self._healthy = 0, self._healthy + 1
        if self._collapsed >= _LINES_IN_A_ROW and not self._warned:
            self._warned = True
            log.warning(
                "Collapse: different images get almost the same vectors. At step %d their spread is"
                " %.3f (healthy: near 1, at least %g) and their mean cosine %.3f (healthy: near 0,"
                " at most %g). A falling loss means nothing now. Lower base_lr, check that ema_base"
                " is near 0.99, and look at the views with `soco show views`; see docs/loss.md.",
                line["step"],
                spread,
                LEAST_SPREAD,
                apart,
                MOST_COSINE_APART,
            )
        elif self._healthy >= _LINES_IN_A_ROW and self._warned:
            self._warned = False
            log.info(
                "Recovered from collapse: at step %d the spread is %.3f.", line["step"], spread
            )
