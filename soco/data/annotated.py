"""Where the images of a COCO or LVIS annotation file lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def annotated_image(folder: Path, image: Mapping[str, Any]) -> Path:
    """The path of an entry of `images`.

    LVIS names no file but a `coco_url`, whose last two parts (`train2017/000000000009.jpg`) lie
    below the folder.
    """
    return folder / (
        image.get("file_name") or "/".join(str(image.get("coco_url", "")).split("/")[-2:])
    )
