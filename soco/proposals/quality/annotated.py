"""The annotated objects that recall is measured on."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soco.config import SplitConfig
from soco.data import annotated_image
from soco.errors import UserError


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and its objects.

    Attributes:
        path: The image file.
        objects: (G, 4) float64: x1, y1, x2, y2, in pixels, at least one.
    """

    path: Path
    objects: npt.NDArray[np.float64]


def annotated_images(split: SplitConfig) -> list[AnnotatedImage]:
    """List the images with objects in a COCO or LVIS file, in the order of their ids.

    Crowd regions and boxes without area do not count as objects.

    Raises:
        UserError: The file is missing, is in neither format, or annotates no object.
    """
    path = Path(split.annotations)
    try:
        content = json.loads(path.read_text())
        boxes = defaultdict(list)
        for entry in content["annotations"]:
            left, top, width, height = entry["bbox"]
            if not entry.get("iscrowd", 0) and width > 0 and height > 0:
                # COCO's boxes are continuous: x2 = x + w, without the - 1 of the release's rects.
                boxes[entry["image_id"]].append((left, top, left + width, top + height))
        images = sorted(
            (image for image in content["images"] if image["id"] in boxes),
            key=lambda image: image["id"],
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            "quality.invalid_annotations",
            "{path} cannot be read as COCO or LVIS annotations ({reason}); correct `annotations` of"
            " this set in `datasets`.",
            path=path,
            reason=f"{type(error).__name__}: {error}",
        ) from None
    if not images:
        raise UserError(
            "quality.no_objects",
            "{path} annotates no object; use another file, or remove the set from quality.recall.",
            path=path,
        )
    folder = Path(split.images)
    return [
        AnnotatedImage(annotated_image(folder, image), np.array(boxes[image["id"]]))
        for image in images
    ]
