"""SoCo: object-level self-supervised pretraining aligned with detection (NeurIPS 2021)."""

__version__ = "0.1.0"
