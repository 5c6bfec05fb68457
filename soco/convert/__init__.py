"""Pretrained weights under the names of the detector that fine-tunes them."""

from soco.convert.names import KINDS, Kind, Target, left_behind, renamed
from soco.convert.weights import convert_run, convert_to_detectron2, write_detectron2

__all__ = [
    "KINDS",
    "Kind",
    "Target",
    "convert_run",
    "convert_to_detectron2",
    "left_behind",
    "renamed",
    "write_detectron2",
]
