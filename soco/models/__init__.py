"""The SoCo model: a detector's backbone, FPN and box head in two branches, and the loss between them."""

from soco.models.soco import Agreement, SoCo, build_model

__all__ = ["Agreement", "SoCo", "build_model"]
