"""The detections of a detector that reports none.

Pycocotools' and lvis' readers look at the first one.
"""

import lvis
from pycocotools.coco import COCO


def no_coco_detections(labelled: COCO) -> COCO:
    """What `labelled.loadRes` would make of no detections."""
    nothing = COCO()
    nothing.dataset = {**labelled.dataset, "annotations": []}
    nothing.createIndex()
    return nothing


class NoLvisDetections(lvis.LVISResults):
    """What `lvis.LVISResults` would make of no detections."""

    def __init__(self, labelled: lvis.LVIS) -> None:
        self.logger = labelled.logger
        self.dataset = {**labelled.dataset, "annotations": []}
        self._create_index()
