"""The SoCo model: a detector's backbone, FPN and box head in two branches, and the loss."""

from soco.pretrain.model.release import load_released, load_weights
from soco.pretrain.model.soco import Agreement, SoCo, build_model, model_of_recipe

__all__ = ["Agreement", "SoCo", "build_model", "load_released", "load_weights", "model_of_recipe"]
