"""The SoCo model: a detector's backbone, FPN and box head in two branches, and the loss between them."""

from soco.models.soco import SoCo, build_model

__all__ = ["SoCo", "build_model"]
