"""COCO and LVIS: paths of images, the limit on detections per image, and empty sets of detections.

Import-light: the report and the audit use it without torch or detectron2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import lvis
    from pycocotools.coco import COCO

STANDARD_LIMIT = {"coco": 100, "lvis": 300}
"""Detections per image that each format's own evaluation counts."""


def annotated_image(folder: Path, image: Mapping[str, Any]) -> Path:
    """The path of an entry of `images` in an annotation file.

    LVIS has no file name but a `coco_url`, whose last two parts (`train2017/000000000009.jpg`) are
    the path below the folder.
    """
    return folder / (
        image.get("file_name") or "/".join(str(image.get("coco_url", "")).split("/")[-2:])
    )


def over_limit(annotations: Iterable[Mapping[str, Any]], limit: int) -> dict[str, int]:
    """Count the images that have more objects than a detector may report.

    Args:
        annotations: The labelled objects of a set; crowd regions are not counted.
        limit: Maximum detections per image.

    Returns:
        `images`, how many have more objects than the limit, and `most`, the largest number of
        objects in one of them; empty if no image has more.
    """
    counts = Counter(entry["image_id"] for entry in annotations if not entry.get("iscrowd", 0))
    more = [count for count in counts.values() if count > limit]
    return {"images": len(more), "most": max(more)} if more else {}


def limit_sentences(
    form: str, limit: int, over: Mapping[str, int], images: int, task: str
) -> list[str]:
    """Caveats that `detections_per_image` adds to an AP; usually none.

    Args:
        form: `coco` or `lvis`.
        limit: Maximum detections per image, of the detector and of the evaluation.
        over: The result of `over_limit`.
        images: Number of validation images.
        task: Name of the fine-tuning.
    """
    sentences = []
    if limit != STANDARD_LIMIT[form]:
        sentences.append(
            f"AP counts at most {limit} detections per image (`detections_per_image`), where"
            f" {form.upper()}'s own evaluation counts {STANDARD_LIMIT[form]}."
        )
    if over:
        sentences.append(
            f"{over['images']} of {images} validation images have more than {limit} objects, up to"
            f" {over['most']}, so AP cannot reach 100; raise finetune.{task}.detections_per_image"
            " to report them all."
        )
    return sentences


def no_coco_detections(labelled: COCO) -> COCO:
    """What `labelled.loadRes([])` would return, which fails because it looks at the first entry."""
    from pycocotools.coco import COCO

    nothing = COCO()
    nothing.dataset = {**labelled.dataset, "annotations": []}
    nothing.createIndex()
    return nothing


def no_lvis_detections(labelled: lvis.LVIS) -> lvis.LVISResults:
    """What `lvis.LVISResults(labelled, [])` would return, which fails for the same reason."""
    import lvis

    nothing = lvis.LVISResults.__new__(lvis.LVISResults)
    nothing.logger = labelled.logger
    nothing.dataset = {**labelled.dataset, "annotations": []}
    nothing._create_index()
    return nothing
