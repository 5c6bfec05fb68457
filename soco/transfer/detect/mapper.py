"""A record of a detection set to what the detector takes, with the image read as all other stages read it."""

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

Record = dict[str, Any]

_REMEDY = (
    "put the right file in its place and run the same command again (a training resumes from its"
    " last checkpoint), or take the image out of the annotation file"
)


class ImageMapper(DatasetMapper):
    """detectron2's mapper, with its augmentations and annotations, and the project's own image
    reader.

    detectron2's `read_image` shows 16-bit grey as white, floats as black, what is transparent in
    the colour below, and turns a TIFF twice. Any image that another stage accepts looks here as it
    does there. Semantic segmentation and precomputed proposals, which this project does not use,
    are passed over.
    """

    def __call__(self, dataset_dict: Record) -> Record:
        """Read the image of a record, augment it, and bring the annotations along.

        Args:
            dataset_dict: A record in detectron2's format; it is not changed.

        Returns:
            A copy with `image`, (3, H, W) uint8 in the order of `cfg.INPUT.FORMAT`; in training
            also `instances`.

        Raises:
            UserError: The image cannot be read, or is of another size than the record says.
        """
        record = copy.deepcopy(dataset_dict)
        augmented = T.AugInput(_read_image(record, self.image_format))
        transforms = self.augmentations(augmented)
        image = augmented.image
        record["image"] = torch.as_tensor(np.ascontiguousarray(image.transpose(2, 0, 1)))
        if not self.is_train:
            record.pop("annotations", None)
        elif "annotations" in record:
            self._transform_annotations(record, transforms, image.shape[:2])
        return record


def _read_image(record: Record, image_format: str) -> npt.NDArray[np.generic]:
    """The image of a record in one of detectron2's formats, (H, W, channels)."""
    path = record["file_name"]
    try:
        rgb = read_rgb(path)
    except UnreadableImageError as error:
        raise UserError(f"The image {path} cannot be read ({error}); {_REMEDY}.") from None
    height, width = rgb.shape[:2]
    listed = record.setdefault("width", width), record.setdefault("height", height)
    if (width, height) != listed:
        raise UserError(
            f"The image {path} has {width} x {height} pixels, and its annotation file lists"
            f" {listed[0]} x {listed[1]}; {_REMEDY}."
        )
    if image_format in ("RGB", "BGR"):
        return rgb if image_format == "RGB" else rgb[:, :, ::-1]
    return convert_PIL_to_numpy(Image.fromarray(rgb), image_format)
