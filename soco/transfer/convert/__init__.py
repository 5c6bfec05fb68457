"""Pretrained weights under the names of the libraries that fine-tune them."""

from soco.transfer.convert.detector import torchvision_detector
from soco.transfer.convert.formats import write_detectron2
from soco.transfer.convert.names import KINDS, Kind, left_behind, renamed, translated
from soco.transfer.convert.safe_pickle import read_pickle
from soco.transfer.convert.sources import load_source, read_source
from soco.transfer.convert.targets import TARGETS, Target
from soco.transfer.convert.weights import convert_file, convert_state

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
