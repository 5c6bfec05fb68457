"""Pretraining without labels: schedules, LARS, checkpoints and the loop."""

from soco.pretrain.train import pretrain

__all__ = ["pretrain"]
