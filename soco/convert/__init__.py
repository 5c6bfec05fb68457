"""Pretrained weights under the names of the libraries that fine-tune them."""

from soco.convert.detector import torchvision_detector
from soco.convert.formats import write_detectron2
from soco.convert.names import KINDS, Kind, left_behind, renamed, translated
from soco.convert.safe_pickle import read_pickle
from soco.convert.sources import load_source, read_source
from soco.convert.targets import TARGETS, Target
from soco.convert.weights import convert_file, convert_state

__all__ = [
    "KINDS",
    "TARGETS",
    "Kind",
    "Target",
    "convert_file",
    "convert_state",
    "left_behind",
    "load_source",
    "read_pickle",
    "read_source",
    "renamed",
    "torchvision_detector",
    "translated",
    "write_detectron2",
]
