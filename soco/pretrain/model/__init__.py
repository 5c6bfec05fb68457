"""The SoCo model.

A detector's backbone, FPN and box head in two branches, and the loss between them.
"""

from soco.pretrain.model.by_name import model_of_recipe
from soco.pretrain.model.release import load_released, load_weights
from soco.pretrain.model.soco import Agreement, SoCo, build_model

__all__ = ["Agreement", "SoCo", "build_model", "load_released", "load_weights", "model_of_recipe"]
