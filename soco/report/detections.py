"""Validation images with their labelled objects and the detections of each initialisation."""

import heapq
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soco.data import UnreadableImageError, annotated_image, read_rgb
from soco.errors import LONGEST_DRAWN, printable
from soco.proposals.choice import evenly
from soco.report.drawing.marks import COLOURS, Mark, PageImage, draw_marks
from soco.report.drawing.masks import covered_pixels
from soco.report.inputs import EvaluationFiles
from soco.report.reading import iterate_list, read_object

log = logging.getLogger(__name__)

IMAGES = 4
SCORE = 0.3
MOST = 6
LABELLED = 20
# A phone shows an image at half its width; letters of this size stay readable there.
_WIDTH, _LETTERS = 320, 16

Object = dict[str, Any]
ByImage = dict[int, list[Object]]


def task_detections(evaluations: Sequence[EvaluationFiles]) -> list[list[PageImage]]:
    """Draw labelled and detected objects of one task, with their masks, on four images.

    The six best detections of an image are drawn if they score at least 0.3, and the twenty largest
    labelled objects, without crowd regions. With several seeds, the first one's are shown.

    Args:
        evaluations: The task's evaluations, each with a detections file.

    Returns:
        A row per image: its labelled objects, then the detections of each initialisation.

    Raises:
        UserError: An annotation or detections file is missing or malformed.
    """
    first = evaluations[0]
    content = read_object(first.annotations, "images", "annotations", "categories")
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    labelled = _by_image([entry for entry in content["annotations"] if not entry.get("iscrowd")])
    images = sorted(
        (image for image in content["images"] if image["id"] in labelled),
        key=lambda image: image["id"],
    )
    chosen = evenly(images, IMAGES)
    columns = {"labelled": {image["id"]: _largest(labelled[image["id"]]) for image in chosen}}
    for files in evaluations:
        if files.initialisation not in columns:
            columns[files.initialisation] = _best(files, {image["id"] for image in chosen})
    rows = [_row(image, first.images, columns, names) for image in chosen]
    return [row for row in rows if row]


def _row(
    image: Object, folder: Path, columns: dict[str, ByImage], names: dict[int, str]
) -> list[PageImage]:
    path = annotated_image(folder, image)
    try:
        rgb = read_rgb(path)
    except UnreadableImageError as error:
        log.warning("skipped %s in the detections: %s", path, error)
        return []
    return [
        _draw(rgb, path.name, title, objects.get(image["id"], []), names)
        for title, objects in columns.items()
    ]


def _draw(
    rgb: npt.NDArray[np.uint8], name: str, title: str, objects: list[Object], names: dict[int, str]
) -> PageImage:
    marks = [_mark(entry, names, rgb) for entry in objects]
    # Labels on more than six objects would hide them; the caption counts all.
    labelled = [
        mark if index < MOST else replace(mark, label="") for index, mark in enumerate(marks)
    ]
    uri, (width, height) = draw_marks(rgb, labelled, _WIDTH, _LETTERS)
    best_first = sorted(objects, key=lambda entry: -entry.get("score", 0))
    counts = Counter(printable(_label(entry, names), LONGEST_DRAWN) for entry in best_first)
    caption = (
        ", ".join(label if n == 1 else f"{n} × {label}" for label, n in counts.items()) or "nothing"
    )
    masks = _mask_words(sum(mark.mask is not None for mark in marks), len(marks))
    return PageImage(
        uri, f"Image {name}, {title}: {caption}{masks}.", caption, width, height, title
    )


def _mask_words(masks: int, marks: int) -> str:
    if not masks:
        return ", without masks" if marks else ""
    if masks < marks:
        return f", {masks} of them with a mask"
    return ", with its mask" if masks == 1 else ", each with its mask"


def _mark(entry: Object, names: dict[int, str], rgb: npt.NDArray[np.uint8]) -> Mark:
    left, top, width, height = entry["bbox"]
    category = entry["category_id"]
    index = sorted(names).index(category) if category in names else 0
    mask = covered_pixels(entry.get("segmentation"), rgb.shape[1], rgb.shape[0])
    box = (left, top, left + width, top + height)
    return Mark(box, COLOURS[index % len(COLOURS)], _label(entry, names), mask)


def _label(entry: Object, names: dict[int, str]) -> str:
    score = f" {entry['score']:.2f}" if "score" in entry else ""
    return names.get(entry["category_id"], str(entry["category_id"])) + score


def _largest(objects: list[Object]) -> list[Object]:
    """The largest objects, largest first, so that small ones are drawn on top."""
    return heapq.nlargest(LABELLED, objects, key=lambda entry: entry["bbox"][2] * entry["bbox"][3])


def _best(files: EvaluationFiles, images: set[int]) -> ByImage:
    """The best detections of the chosen images, in ascending order: the best is drawn on top."""
    assert files.detections is not None
    detections = _by_image(
        [
            entry
            for entry in iterate_list(files.detections)
            if entry["image_id"] in images and entry["score"] >= SCORE
        ]
    )
    return {
        image: heapq.nlargest(MOST, objects, key=lambda entry: entry["score"])[::-1]
        for image, objects in detections.items()
    }


def _by_image(objects: list[Object]) -> ByImage:
    by_image: ByImage = defaultdict(list)
    for entry in objects:
        by_image[entry["image_id"]].append(entry)
    return dict(by_image)
