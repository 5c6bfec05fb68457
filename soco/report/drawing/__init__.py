"""Drawings that `soco show` and the report share: boxes, masks, samples with views, curves."""
