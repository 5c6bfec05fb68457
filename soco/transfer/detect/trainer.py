"""detectron2's trainer with the loader, hooks and logs of a fine-tuning that can resume."""

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.engine import DefaultTrainer, HookBase, hooks
from detectron2.modeling import build_model
from detectron2.solver import build_optimizer
from detectron2.utils import comm
from detectron2.utils.events import CommonMetricPrinter, EventWriter, JSONWriter

from soco.seeds import torch_seed
from soco.transfer.detect.checkpoints import AtomicCheckpointer, SaveCheckpoints
from soco.transfer.detect.compat import PreciseBN, replace_data_loader
from soco.transfer.detect.jobs import CURVE, HISTORY
from soco.transfer.detect.loader import TrainingLoader
from soco.transfer.detect.scoring import Scores

# None: detectron2's list has it in place of PreciseBN, which our configuration leaves off.
_REPLACED = (hooks.EvalHook, hooks.PeriodicCheckpointer, type(None))


class Trainer(DefaultTrainer):
    """detectron2's trainer, which resumes as if it had not been interrupted."""

    def __init__(
        self, cfg: CfgNode, training: dict[str, Any], score: Callable[[torch.nn.Module], Scores]
    ) -> None:
        """Build model, optimiser and loader.

        Args:
            cfg: detectron2's configuration.
            training: The description in each checkpoint; see `describe_training`.
            score: Scores a detector during training; called in all processes at once.
        """
        self._score = score
        super().__init__(cfg)
        # As in detectron2: trainer and checkpointer would else refer to each other.
        own = weakref.proxy(self)
        self.checkpointer = AtomicCheckpointer(self.model, cfg.OUTPUT_DIR, training, trainer=own)

    @classmethod
    def build_model(cls, cfg: CfgNode) -> torch.nn.Module:
        """Build the detector without printing its layers."""
        return build_model(cfg)

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: torch.nn.Module) -> torch.optim.Optimizer:
        """detectron2's SGD, as one pass over each tensor instead of one for each operation."""
        optimizer = build_optimizer(cfg, model)
        groups = [{**group, "foreach": False, "fused": True} for group in optimizer.param_groups]
        return torch.optim.SGD(groups, cfg.SOLVER.BASE_LR)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> TrainingLoader:
        """The training images, from the first batch."""
        return TrainingLoader(cfg)

    def resume_or_load(self, resume: bool = True) -> None:
        """Load the last checkpoint or the initial weights, and skip images already trained on."""
        super().resume_or_load(resume)
        match_memory(self.optimizer)
        if self.start_iter:
            replace_data_loader(self, lambda: TrainingLoader(self.cfg, self.start_iter))

    def build_hooks(self) -> list[HookBase | None]:
        """detectron2's hooks; ours replace those that would make a resumed run differ."""
        theirs = [hook for hook in super().build_hooks() if not isinstance(hook, _REPLACED)]
        # detectron2's order: timer and learning rate first, the writer of the main process last.
        before, after = theirs[:2], theirs[2:]
        # Scores before checkpoints: a run that is killed in between scores again and omits nothing.
        ours = [self._precise_bn(), self._scoring(), self._checkpoints()]
        # The seed first: no other hook may draw numbers before it. Statistics of norms before
        # scores, which use them.
        return [SeedEachStep(self.cfg.SEED), *before, *ours, *after]

    def build_writers(self) -> list[EventWriter]:
        """Print losses, learning rate and time left every 20 iterations, and write them as JSON."""
        return [
            CommonMetricPrinter(self.max_iter),
            JSONWriter(str(Path(self.cfg.OUTPUT_DIR) / HISTORY)),
        ]

    def _precise_bn(self) -> HookBase | None:
        cfg = self.cfg.clone()
        if not cfg.TEST.PRECISE_BN.NUM_ITER:
            return None
        cfg.defrost()
        cfg.DATALOADER.NUM_WORKERS = 0  # as in detectron2, to save memory
        return PreciseBN(
            cfg.TEST.EVAL_PERIOD, self.model, TrainingLoader(cfg), cfg.TEST.PRECISE_BN.NUM_ITER
        )

    def _checkpoints(self) -> HookBase | None:
        if not comm.is_main_process():
            return None
        return SaveCheckpoints(self.cfg.SOLVER.CHECKPOINT_PERIOD)

    def _scoring(self) -> HookBase:
        file = Path(self.cfg.OUTPUT_DIR) / CURVE
        return ScoreWhileTraining(self.cfg.TEST.EVAL_PERIOD, lambda: self._score(self.model), file)


def match_memory(optimizer: torch.optim.Optimizer) -> None:
    """Lay momentum out in memory as its weight.

    SGD in one pass reads weight, gradient and momentum side by side, and ignores strides. Autograd
    lays a gradient out as its weight; a checkpoint of another device may have another layout.
    """
    for weight, state in optimizer.state.items():
        momentum = state.get("momentum_buffer")
        if momentum is not None and momentum.stride() != weight.stride():
            state["momentum_buffer"] = torch.empty_like(weight).copy_(momentum)


class SeedEachStep(HookBase):
    """Seeds each iteration by its number, so that a resumed run draws the same numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def before_step(self) -> None:
        """Seed PyTorch's generators, from which detectron2 samples proposals and anchors."""
        torch.manual_seed(torch_seed(self._seed, self.trainer.iter, comm.get_rank()))


class ScoreWhileTraining(HookBase):
    """Scores the detector every `every` iterations, except the last, into a file of JSON lines."""

    def __init__(self, every: int, score: Callable[[], dict[str, Any]], file: Path) -> None:
        self._every, self._score, self._file = every, score, file

    def after_step(self) -> None:
        """Score after iteration `every`, twice that, and so on."""
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
            scored = ", ".join(f"{part} AP {_ap_words(parts[part]['AP'])}" for part in parts)
            print(f"After {done} iterations: {scored}.", flush=True)
        comm.synchronize()


def _ap_words(value: float | None) -> str:
    return "not scored (no objects)" if value is None else f"{value:.2f}"
