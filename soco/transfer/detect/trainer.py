"""detectron2's trainer, with the order, the hooks and the logs that a resumable fine-tuning needs."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.engine import DefaultTrainer, HookBase, hooks
from detectron2.modeling import build_model
from detectron2.utils import comm
from detectron2.utils.events import CommonMetricPrinter, EventWriter, JSONWriter

from soco.transfer.detect.checkpoints import SaveCheckpoints, WholeCheckpointer
from soco.transfer.detect.hooks import PreciseBN, ScoreWhileTraining, SeedEachStep
from soco.transfer.detect.order import TrainingLoader
from soco.transfer.detect.scoring import Scores

HISTORY = "history.jsonl"
CURVE = "ap.jsonl"
_REPLACED = (hooks.EvalHook, hooks.PeriodicCheckpointer, type(None))


class Trainer(DefaultTrainer):
    """detectron2's trainer.

    Goes on from a checkpoint as if it had never stopped, and keeps two of them.
    """

    def __init__(
        self, cfg: CfgNode, training: dict[str, Any], score: Callable[[torch.nn.Module], Scores]
    ) -> None:
        """Build model, optimiser and loader.

        Args:
            cfg: detectron2's configuration.
            training: What is trained, see `describe_training`; the checkpoints say it.
            score: Scores a detector while it trains; called in all processes at once.
        """
        self._score = score
        super().__init__(cfg)
        own = weakref.proxy(self)
        self.checkpointer = WholeCheckpointer(self.model, cfg.OUTPUT_DIR, training, trainer=own)

    @classmethod
    def build_model(cls, cfg: CfgNode) -> torch.nn.Module:
        """Build the detector without printing its layers."""
        return build_model(cfg)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> TrainingLoader:
        """The training images from the first on."""
        return TrainingLoader(cfg)

    def resume_or_load(self, resume: bool = True) -> None:
        """Load the last checkpoint, or the weights to start from, and pass over what was trained on."""
        super().resume_or_load(resume)
        if self.start_iter:
            self._trainer.reset_data_loader(lambda: TrainingLoader(self.cfg, self.start_iter))

    def build_hooks(self) -> list[HookBase | None]:
        """detectron2's hooks, of which ours replace those whose work a resumed run would do otherwise."""
        theirs = [hook for hook in super().build_hooks() if not isinstance(hook, _REPLACED)]
        before, after = (
            theirs[:2],
            theirs[2:],
        )  # the timer and the learning rate; the writer, in the first process
        # Scores come before checkpoints: a run that is killed between the two scores again, and
        # leaves none out.
        ours = [self._precise_bn(), self._scoring(), self._checkpoints()]
        return [SeedEachStep(self.cfg.SEED), *before, *ours, *after]

    def build_writers(self) -> list[EventWriter]:
        """Lines with losses, rate and time left every 20 steps, and the same as JSON."""
        return [
            CommonMetricPrinter(self.max_iter),
            JSONWriter(str(Path(self.cfg.OUTPUT_DIR) / HISTORY)),
        ]

    def _precise_bn(self) -> HookBase | None:
        cfg = self.cfg.clone()
        if not cfg.TEST.PRECISE_BN.NUM_ITER:
            return None
        cfg.defrost()
        cfg.DATALOADER.NUM_WORKERS = 0  # as detectron2 has it, to save memory
        return PreciseBN(
            cfg.TEST.EVAL_PERIOD, self.model, TrainingLoader(cfg), cfg.TEST.PRECISE_BN.NUM_ITER
        )

    def _checkpoints(self) -> HookBase | None:
        if not comm.is_main_process():
            return None
        return SaveCheckpoints(self.cfg.SOLVER.CHECKPOINT_PERIOD)

    def _scoring(self) -> ScoreWhileTraining:
        file = Path(self.cfg.OUTPUT_DIR) / CURVE
        return ScoreWhileTraining(self.cfg.TEST.EVAL_PERIOD, lambda: self._score(self.model), file)
