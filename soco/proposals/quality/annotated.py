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
        path: Where it lies.
        objects: (G, 4) float64: x1, y1, x2, y2, in pixels, at least one.
    """

    path: Path
    objects: npt.NDArray[np.float64]


def annotated_images(split: SplitConfig) -> list[AnnotatedImage]:
    """The images of a COCO or LVIS file that show at least one object, in the order of their ids.

    Crowd regions and boxes without area are passed over.

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
                boxes[entry["image_id"]].append((left, top, left + width, top + height))
        images = sorted(
            (image for image in content["images"] if image["id"] in boxes),
            key=lambda image: image["id"],
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read as COCO or LVIS annotations ({type(error).__name__}: {error}); "
            "correct `annotations` in `datasets`."
        ) from None
    if not images:
        raise UserError(
            f"{path} annotates no object; give a file that does, or take the set out of"
            " quality.recall."
        )
    folder = Path(split.images)
    return [
        AnnotatedImage(annotated_image(folder, image), np.array(boxes[image["id"]]))
        for image in images
    ]
