"""Checks of a detection set: faults are counted, explained, and repaired in a copy.

Needs no detectron2.
"""

from soco.data.checks.dataset import CheckedDataset, check_dataset, decoded_folder, with_annotations
from soco.data.checks.findings import Finding
from soco.data.checks.tables import lvis_faults, read_tables

__all__ = [
    "CheckedDataset",
    "Finding",
    "check_dataset",
    "decoded_folder",
    "lvis_faults",
    "read_tables",
    "with_annotations",
]
