"""The folder that an interrupted fine-tuning goes on from.

It is no output of the workflow, which deletes the outputs of a job that failed; it is removed once the final weights
are written. A note in it says what is trained there, so that checkpoints of other settings are never gone on from.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.origins import origin_inside
from soco.stores.files import whole_file, write_json

_NOTE = "training.json"
_WITHOUT_EFFECT = {
    "initialisations",
    "seeds",
    "protocol",
    "processes",
    "workers",
    "checkpoint_iterations",
    "evaluate_every",
    "test_short_side",
    "score_threshold",
    "detections_per_image",
}


def describe_training(
    settings: FinetuneConfig, detector: DetectorConfig, dataset: DatasetConfig, weights: Path | None, seed: int
) -> dict[str, Any]:
    """All that decides what a training computes, the content of its input files included (as SHA-256)."""
    return {
        "settings": settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "detector": detector.model_dump(mode="json"),
        "train": dataset.train.model_dump(mode="json"),
        "annotations": _digest(Path(dataset.train.annotations)),
        "weights": _digest(weights) if weights else None,
        "seed": seed,
    }


def open_folder(folder: Path, training: dict[str, Any]) -> None:
    """Make the folder ready for a training; checkpoints of any other training are removed, and that is printed."""
    note = folder / _NOTE
    known = json.loads(note.read_text()) if note.is_file() else None
    if known != training and folder.exists():
        if known is not None:
            print(f"{folder} holds checkpoints of other settings or input files; they are removed.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(note, training)
    _point_at_the_last(folder)


def _point_at_the_last(folder: Path) -> None:
    """Mend detectron2's note of the last checkpoint, which a kill may have cut short; the checkpoint is whole."""
    pointer = folder / "last_checkpoint"
    if pointer.is_file() and not (folder / (pointer.read_text().strip() or "nothing")).is_file():
        written = sorted(folder.glob("model_*.pth"), key=lambda path: path.stat().st_mtime_ns)
        pointer.unlink()
        if written:
            pointer.write_text(written[-1].name)


def write_final_weights(folder: Path, output: Path) -> None:
    """Write the finished model, without the optimiser's state, as a file that detectron2 reads too.

    Args:
        folder: Holds detectron2's `model_final.pth`.
        output: Receives `{"model": name -> tensor}`, and in a stage `origin`.
    """
    final = torch.load(folder / "model_final.pth", map_location="cpu", weights_only=True)
    with whole_file(output) as temporary:
        torch.save({"model": final["model"], **origin_inside()}, temporary)


def copy_whole(source: Path, destination: Path) -> None:
    """Copy a file so that it appears under its new name only when it is whole."""
    with whole_file(destination) as temporary:
        shutil.copyfile(source, temporary)


def copy_lines(source: Path, destination: Path) -> None:
    """Copy a log of JSON lines, in which a resumed run has told some iterations twice: the later line stays.

    Args:
        source: The log; where there is none, the copy is empty.
        destination: The copy, in the order of iterations.
    """
    lines = source.read_text().splitlines() if source.exists() else []
    told = {iteration: line for line in lines if (iteration := _iteration(line)) is not None}
    with whole_file(destination) as temporary:
        temporary.write_text("".join(f"{told[iteration]}\n" for iteration in sorted(told)))


def _iteration(line: str) -> int | None:
    """The iteration that a line tells of; None where a kill cut it, and another may follow in its place."""
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
