"""How many detections an image AP counts, and when fewer are allowed than there are objects.

AP counts as many detections an image as the detector may report, which `detections_per_image` of a
fine-tuning says. COCO's own evaluation counts 100 and LVIS's 300, whatever a detector reports.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

STANDARD = {"coco": 100, "lvis": 300}
"""Detections an image that the evaluation of each format counts by itself."""


def over_limit(annotations: Iterable[Mapping[str, Any]], limit: int) -> dict[str, int]:
    """Count the images on which a detector may not report every object.

    Args:
        annotations: The labelled objects of a set; crowd regions are not counted.
        limit: Most detections an image.

    Returns:
        `images`, how many have more objects than the limit, and `most`, the largest number of
        objects on one of them; nothing where no image has more.
    """
    counts = Counter(entry["image_id"] for entry in annotations if not entry.get("iscrowd", 0))
    more = [count for count in counts.values() if count > limit]
    return {"images": len(more), "most": max(more)} if more else {}


def limit_sentences(
    form: str, limit: int, over: Mapping[str, int], images: int, task: str
) -> list[str]:
    """What has to be said of the limit, a sentence each; often nothing.

    Args:
        form: `coco` or `lvis`.
        limit: Most detections an image.
        over: What `over_limit` counted.
        images: Of the validation half.
        task: Name of the fine-tuning.
    """
    sentences = (_other_limit(form, limit), _objects_over_limit(over, images, task, limit))
    return [sentence for sentence in sentences if sentence]


def _other_limit(form: str, limit: int) -> str | None:
    """That AP counts another number of detections than the format's own evaluation.

    None where it does not.
    """
    if limit == STANDARD[form]:
        return None
    return (
        f"AP counts at most {limit} detections an image (`detections_per_image`), where"
        f" {form.upper()}'s own evaluation counts {STANDARD[form]}."
    )


def _objects_over_limit(over: Mapping[str, int], images: int, task: str, limit: int) -> str | None:
    """That AP cannot reach 100, and which key to raise; None where it can."""
    if not over:
        return None
    return (
        f"{over['images']} of {images} validation images have more than {limit} objects, up to"
        f" {over['most']}, so AP cannot reach 100; raise finetune.{task}.detections_per_image to"
        " report them all."
    )
