"""A few validation pictures, each with its labelled objects and the detections of every initialisation."""

import heapq
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.choice import evenly
from soco.pictures import UnreadablePictureError, annotated_picture, read_rgb
from soco.report.drawing import COLOURS, Mark, Picture, draw_boxes
from soco.report.inputs import EvaluationFiles
from soco.report.reading import iterate_list, read_object

log = logging.getLogger(__name__)

PICTURES = 4
SCORE = 0.3
MOST = 6
_WIDTH = 220

Entries = dict[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class TaskDetections:
    """The pictures of one task.

    Attributes:
        task: Its name.
        columns: What each picture of a row shows: `labelled`, then the initialisations.
        rows: One list of pictures a validation picture.
    """

    task: str
    columns: list[str]
    rows: list[list[Picture]]


def task_detections(evaluations: Sequence[EvaluationFiles]) -> list[TaskDetections]:
    """Draw the labelled and the detected boxes of each task that has a detections file.

    A detection is drawn when it scores at least 0.3, the six best of a picture at most.

    Raises:
        UserError: An annotation or detections file is missing or holds something else.
    """
    tasks: dict[str, list[EvaluationFiles]] = defaultdict(list)
    for files in evaluations:
        if files.detections:
            tasks[files.task].append(files)
    return [_task(task, files) for task, files in tasks.items()]


def _task(task: str, evaluations: list[EvaluationFiles]) -> TaskDetections:
    first = evaluations[0]
    content = read_object(first.annotations, "images", "annotations", "categories")
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    labelled = _by_picture(content["annotations"])
    images = sorted((image for image in content["images"] if image["id"] in labelled), key=lambda image: image["id"])
    chosen = evenly(images, PICTURES)
    columns = {"labelled": labelled}
    for files in evaluations:
        columns[files.initialisation] = _best(files, {image["id"] for image in chosen})
    rows = [_row(image, first.images, columns, names) for image in chosen]
    return TaskDetections(task, list(columns), [row for row in rows if row])


def _row(image: dict[str, Any], folder: Path, columns: dict[str, Entries], names: dict[int, str]) -> list[Picture]:
    path = annotated_picture(folder, image)
    try:
        rgb = read_rgb(path)
    except UnreadablePictureError as error:
        log.warning("left %s out of the detections shown: %s", path, error)
        return []
    row = []
    for title, entries in columns.items():
        marks = [_mark(entry, names) for entry in entries.get(image["id"], [])]
        told = ", ".join(mark.label for mark in marks) or "none"
        row.append(draw_boxes(rgb, marks, _WIDTH, f"{path.name}, {title}: {told}", title))
    return row


def _mark(entry: dict[str, Any], names: dict[int, str]) -> Mark:
    left, top, width, height = entry["bbox"]
    category = entry["category_id"]
    colour = COLOURS[sorted(names).index(category) % len(COLOURS)] if category in names else COLOURS[0]
    score = f" {entry['score']:.2f}" if "score" in entry else ""
    return Mark((left, top, left + width, top + height), colour, names.get(category, str(category)) + score)


def _best(files: EvaluationFiles, pictures: set[int]) -> Entries:
    """The best detections of the chosen pictures, the best last, so that it is drawn above the others."""
    assert files.detections is not None
    kept = (entry for entry in iterate_list(files.detections) if entry["image_id"] in pictures)
    found = _by_picture([entry for entry in kept if entry["score"] >= SCORE])
    return {
        picture: heapq.nlargest(MOST, entries, key=lambda entry: entry["score"])[::-1]
        for picture, entries in found.items()
    }


def _by_picture(entries: list[dict[str, Any]]) -> Entries:
    grouped: Entries = defaultdict(list)
    for entry in entries:
        grouped[entry["image_id"]].append(entry)
    return dict(grouped)
