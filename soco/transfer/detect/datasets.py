"""Register a detection set of either format in detectron2's catalogues."""

from pathlib import Path
from typing import Any, Literal

import pycocotools.mask as mask_tools
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.datasets import register_coco_instances
from detectron2.structures import BoxMode

from soco.data import annotated_image
from soco.transfer.detect.annotations import Split

Form = Literal["coco", "lvis"]


def register(split: Split, form: Form) -> str:
    """Register one split of a detection set, replacing an earlier one of the same name.

    Returns:
        Its name in detectron2's catalogues.
    """
    # detectron2 looks for "v1" in the names of LVIS sets.
    name = f"{'coco' if form == 'coco' else 'lvis_v1'}:{split.annotations}"
    if name in DatasetCatalog.list():
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
    if form == "coco":
        register_coco_instances(name, {}, str(split.annotations), str(split.images))
    else:
        _register_lvis(name, split)
    return name


def _register_lvis(name: str, split: Split) -> None:
    """Register an LVIS set with the categories of its own file.

    detectron2's `register_lvis_instances` has the 1203 categories of LVIS v1 built in, needs ids
    from 1 without gaps, refuses run-length masks, and appends the split's folder to the root
    without a slash.
    """
    contiguous = {category: index for index, category in enumerate(split.categories)}
    DatasetCatalog.register(name, lambda: _lvis_records(split, contiguous))
    MetadataCatalog.get(name).set(
        json_file=str(split.annotations),
        image_root=str(split.images),
        evaluator_type="lvis",
        thing_classes=split.classes,
        thing_dataset_id_to_contiguous_id=contiguous,
    )


def _lvis_records(split: Split, contiguous: dict[int, int]) -> list[dict[str, Any]]:
    records = {image["id"]: _record(split.images, image) for image in split.content["images"]}
    for entry in split.content["annotations"]:
        record = records[entry["image_id"]]
        record["annotations"].append(
            {
                "bbox": entry["bbox"],
                "bbox_mode": BoxMode.XYWH_ABS,
                "category_id": contiguous[entry["category_id"]],
                # LVIS's own files have no crowd regions.
                "iscrowd": entry.get("iscrowd", 0),
                "segmentation": _mask(entry["segmentation"]),
            }
        )
    # By id, as detectron2 sorts them.
    return [records[key] for key in sorted(records)]


def _record(folder: Path, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "file_name": str(annotated_image(folder, image)),
        "height": image["height"],
        "width": image["width"],
        "image_id": image["id"],
        "annotations": [],
    }


def _mask(mask: Any) -> Any:
    """Polygons unchanged; a run-length mask in the compressed form that detectron2 reads."""
    if isinstance(mask, dict) and isinstance(mask["counts"], list):
        return mask_tools.frPyObjects(mask, *mask["size"])
    return mask
