"""Convert pretrained weights to the names of the libraries that fine-tune them."""

from soco.transfer.convert.formats import write_detectron2
from soco.transfer.convert.initial import prepare_initial
from soco.transfer.convert.libraries import torchvision_detector
from soco.transfer.convert.names import left_behind, renamed, translated
from soco.transfer.convert.safe_pickle import read_pickle
from soco.transfer.convert.sources import load_source, read_source
from soco.transfer.convert.targets import TARGETS
from soco.transfer.convert.weights import convert_file, convert_state

__all__ = [
    "TARGETS",
    "convert_file",
    "convert_state",
    "left_behind",
    "load_source",
    "prepare_initial",
    "read_pickle",
    "read_source",
    "renamed",
    "torchvision_detector",
    "translated",
    "write_detectron2",
]
