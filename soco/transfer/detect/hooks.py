"""What detectron2's training loop does beside its steps, where ours departs from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from detectron2.engine import HookBase, hooks
from detectron2.utils import comm

from soco.seeds import torch_seed


class SeedEachStep(HookBase):
    """Let what a step draws follow from the seed and its number, so that a resumed run draws the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def before_step(self) -> None:
        """Seed PyTorch's generators, from which detectron2 draws the boxes that it trains on."""
        torch.manual_seed(torch_seed(self._seed, self.trainer.iter, comm.get_rank()))


class PreciseBN(hooks.PreciseBN):
    """detectron2's, over the same images each time.

    It goes on in its loader, which no checkpoint holds.
    """

    def update_stats(self) -> None:
        """Take the statistics anew, over the loader's first batches."""
        self._data_iter = None
        super().update_stats()


class ScoreWhileTraining(HookBase):
    """Score the detector every so many steps but for the last, and add the figures to a file of JSON lines."""

    def __init__(self, every: int, score: Callable[[], dict[str, Any]], file: Path) -> None:
        self._every, self._score, self._file = every, score, file

    def after_step(self) -> None:
        """Score after step `every`, twice it, and so on."""
        done = self.trainer.iter + 1
        if not self._every or done % self._every or done == self.trainer.max_iter:
            return
        scores = self._score()
        if comm.is_main_process():
            parts = {
                part: {name: scores[part][name] for name in ("AP", "AP50", "AP75")}
                for part in ("box", "mask")
            }
            with self._file.open("a") as file:
                file.write(json.dumps({"iteration": done, **parts}) + "\n")
            told = ", ".join(
                f"{part} AP {_words(figures['AP'])}" for part, figures in parts.items()
            )
            print(f"After {done} iterations: {told}.", flush=True)
        comm.synchronize()


def _words(value: float | None) -> str:
    return "not scored, for there are no objects" if value is None else f"{value:.2f}"
