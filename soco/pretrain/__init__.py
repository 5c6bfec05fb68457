"""Pretraining without labels.

Schedules, LARS, checkpoints, the loop, and the processes that run it.
"""

from soco.pretrain.job import PretrainJob
from soco.pretrain.launch import pretrain

__all__ = ["PretrainJob", "pretrain"]
