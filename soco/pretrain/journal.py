"""The run's journal: a line of JSON every few steps, and a bar with loss, speed and ETA."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from soco.stores.files import whole_file


class Journal:
    """Keeps `log.jsonl` of a run; a resumed run drops the lines past its checkpoint and goes on behind the rest."""

    def __init__(
        self,
        path: str | Path,
        first_step: int,
        steps: int,
        batch_size: int,
        every: int,
        tensorboard: str | Path | None = None,
    ) -> None:
        self._path, self._every, self._batch_size = Path(path), every, batch_size
        kept = [line for line in self._lines() if line["step"] < first_step]
        with whole_file(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self.seconds_before = kept[-1]["seconds"] if kept else 0.0
        self._started = self._last = time.monotonic()
        self._last_step = first_step
        wait = 0.5 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(total=steps, initial=first_step, desc="pretraining", unit="step", mininterval=wait)

    @property
    def seconds(self) -> float:
        """Seconds of training up to now, those before a resume included."""
        return self.seconds_before + time.monotonic() - self._started

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def note(self, step: int, waited: float = 0.0, **values: Any) -> None:
        """Move the bar past step `step`; write a line where it is due.

        Args:
            step: The step just done, from 0.
            waited: Seconds.
            values: `loss`, `lr`, ...; numbers or one-element tensors.
        """
        self._bar.update(1)
        if step % self._every and step + 1 != self._bar.total:
            return
        now = time.monotonic()
        speed = self._batch_size * (step + 1 - self._last_step) / max(now - self._last, 1e-9)
        self._last, self._last_step = now, step + 1
        numbers = {name: float(value) for name, value in values.items()}
        line = {"step": step, **numbers, "images_per_second": round(speed, 3), "seconds": round(self.seconds, 3)}
        with self._path.open("a") as journal:
            journal.write(json.dumps(line) + "\n")
        self._bar.set_postfix_str(f"loss {numbers['loss']:.3f}, {speed:.1f} images/s", refresh=False)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()

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
