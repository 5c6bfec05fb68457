"""Pretraining without labels: views, model, and the training loop in one or more processes."""

from soco.pretrain.job import PretrainJob
from soco.pretrain.launch import pretrain

__all__ = ["PretrainJob", "pretrain"]
