"""A few validation images, each with its labelled objects and the detections of every initialisation."""

import heapq
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
# The page shows an image at half its width on a phone, where letters of this size can still be
# read.
_WIDTH, _LETTERS = 320, 16

Entries = dict[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class TaskDetections:
    """The images of one task.

    Attributes:
        task: Its name.
        columns: What each image of a row shows: `labelled`, then the initialisations.
        rows: One list of images a validation image.
    """

    task: str
    columns: list[str]
    rows: list[list[PageImage]]


def task_detections(evaluations: Sequence[EvaluationFiles]) -> list[TaskDetections]:
    """Draw the labelled and the detected objects of each task that has a detections file, with
    their masks.

    A detection is drawn when it scores at least 0.3, the six best of an image at most; of the
    labelled objects the twenty largest are. Crowd regions are left aside. Of several seeds the
    first is shown.

    Raises:
        UserError: An annotation or detections file is missing or holds something else.
    """
    tasks: dict[str, dict[str, EvaluationFiles]] = defaultdict(dict)
    for files in evaluations:
        if files.detections:
            tasks[files.task].setdefault(files.initialisation, files)
    return [_task(task, list(of_task.values())) for task, of_task in tasks.items()]


def _task(task: str, evaluations: list[EvaluationFiles]) -> TaskDetections:
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
        columns[files.initialisation] = _best(files, {image["id"] for image in chosen})
    rows = [_row(image, first.images, columns, names) for image in chosen]
    return TaskDetections(task, list(columns), [row for row in rows if row])


def _row(
    image: dict[str, Any], folder: Path, columns: dict[str, Entries], names: dict[int, str]
) -> list[PageImage]:
    path = annotated_image(folder, image)
    try:
        rgb = read_rgb(path)
    except UnreadableImageError as error:
        log.warning("left %s out of the detections shown: %s", path, error)
        return []
    return [
        _image(rgb, path.name, title, entries.get(image["id"], []), names)
        for title, entries in columns.items()
    ]


def _image(
    rgb: npt.NDArray[np.uint8],
    name: str,
    title: str,
    entries: list[dict[str, Any]],
    names: dict[int, str],
) -> PageImage:
    marks = [_mark(entry, names, rgb) for entry in entries]
    # Words on more than six objects would hide them; the caption counts all.
    worded = [mark if place < MOST else replace(mark, label="") for place, mark in enumerate(marks)]
    uri, (width, height) = draw_marks(rgb, worded, _WIDTH, _LETTERS)
    told = _told(
        [_name(entry, names) for entry in sorted(entries, key=lambda entry: -entry.get("score", 0))]
    )
    masks = sum(mark.mask is not None for mark in marks)
    return PageImage(
        uri,
        f"Image {name}, {title}: {told}{_masked(masks, len(marks))}.",
        told,
        width,
        height,
        title,
    )


def _masked(masks: int, marks: int) -> str:
    if not masks:
        return ", without masks" if marks else ""
    if masks < marks:
        return f", {masks} of them with a mask"
    return ", with its mask" if masks == 1 else ", each with its mask"


def _told(labels: list[str]) -> str:
    """What is drawn; objects of one name are counted."""
    counts = Counter(labels)
    shown = ((printable(label, LONGEST_DRAWN), count) for label, count in counts.items())
    return (
        ", ".join(label if count == 1 else f"{count} × {label}" for label, count in shown)
        or "nothing"
    )


def _mark(entry: dict[str, Any], names: dict[int, str], rgb: npt.NDArray[np.uint8]) -> Mark:
    left, top, across, down = entry["bbox"]
    category = entry["category_id"]
    colour = (
        COLOURS[sorted(names).index(category) % len(COLOURS)] if category in names else COLOURS[0]
    )
    mask = covered_pixels(entry.get("segmentation"), rgb.shape[1], rgb.shape[0])
    return Mark((left, top, left + across, top + down), colour, _name(entry, names), mask)


def _name(entry: dict[str, Any], names: dict[int, str]) -> str:
    score = f" {entry['score']:.2f}" if "score" in entry else ""
    return names.get(entry["category_id"], str(entry["category_id"])) + score


def _largest(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The largest labelled objects, the largest first, so that small ones are drawn above them."""
    return heapq.nlargest(LABELLED, entries, key=lambda entry: entry["bbox"][2] * entry["bbox"][3])


def _best(files: EvaluationFiles, images: set[int]) -> Entries:
    """The best detections of the chosen images, the best last, so that it is drawn above the others."""
    assert files.detections is not None
    kept = (entry for entry in iterate_list(files.detections) if entry["image_id"] in images)
    found = _by_image([entry for entry in kept if entry["score"] >= SCORE])
    return {
        image: heapq.nlargest(MOST, entries, key=lambda entry: entry["score"])[::-1]
        for image, entries in found.items()
    }


def _by_image(entries: list[dict[str, Any]]) -> Entries:
    grouped: Entries = defaultdict(list)
    for entry in entries:
        grouped[entry["image_id"]].append(entry)
    return dict(grouped)
