"""Map a record of a detection set to the detector's input, with our own image reader."""

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from detectron2.data import DatasetMapper
from detectron2.data import transforms as T
from detectron2.data.detection_utils import convert_PIL_to_numpy
from PIL import Image

from soco.data import UnreadableImageError, read_rgb
from soco.errors import UserError
from soco.transfer.detect.compat import transform_annotations

Record = dict[str, Any]


class ImageMapper(DatasetMapper):
    """detectron2's mapper and augmentations with our own image reader.

    detectron2's `read_image` shows 16-bit grey as white and floats as black, ignores transparency,
    and rotates a TIFF twice. With our reader an image looks the same here as in every other stage.
    Semantic segmentation and precomputed proposals, which we do not use, are not supported.
    """

    def __call__(self, dataset_dict: Record) -> Record:
        """Read the image of a record, and augment it together with its annotations.

        Args:
            dataset_dict: A record in detectron2's format; it is not changed.

        Returns:
            A copy with `image`, (3, H, W) uint8 in the channel order of `cfg.INPUT.FORMAT`; in
            training also `instances`.

        Raises:
            UserError: The image cannot be read, or its size differs from the record's.
        """
        record = copy.deepcopy(dataset_dict)
        augmented = T.AugInput(_read_image(record, self.image_format))
        transforms = self.augmentations(augmented)
        image = augmented.image
        # (H, W, 3) -> (3, H, W), copied: torch has no negative strides, which a flip leaves.
        record["image"] = torch.as_tensor(np.ascontiguousarray(image.transpose(2, 0, 1)))
        if not self.is_train:
            record.pop("annotations", None)
        elif "annotations" in record:
            transform_annotations(self, record, transforms, image.shape[:2])
        return record


def _read_image(record: Record, image_format: str) -> npt.NDArray[np.generic]:
    """The image of a record in one of detectron2's colour formats, (H, W, channels)."""
    path = record["file_name"]
    try:
        rgb = read_rgb(path)
    except UnreadableImageError as error:
        raise UserError(
            "detect.unreadable_image",
            "The image {path} cannot be read ({reason}); restore the file and run the same command"
            " again (a training resumes from its last checkpoint), or remove the image from the"
            " annotation file.",
            path=path,
            reason=error,
        ) from None
    height, width = rgb.shape[:2]
    # A set without sizes gets those of the image.
    listed = record.setdefault("width", width), record.setdefault("height", height)
    if (width, height) != listed:
        raise UserError(
            "detect.wrong_image_size",
            "The image {path} has {width} x {height} pixels, but its annotation file says"
            " {listed_width} x {listed_height}; restore the file and run the same command again (a"
            " training resumes from its last checkpoint), or remove the image from the annotation"
            " file.",
            path=path,
            width=width,
            height=height,
            listed_width=listed[0],
            listed_height=listed[1],
        )
    if image_format in ("RGB", "BGR"):
        return rgb if image_format == "RGB" else rgb[:, :, ::-1]
    return convert_PIL_to_numpy(Image.fromarray(rgb), image_format)
