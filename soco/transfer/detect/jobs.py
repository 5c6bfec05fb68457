"""What a fine-tuning and an evaluation need, and the names of their files."""

from pathlib import Path

from pydantic import Field

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.config.section import Section
from soco.io import Origin

WEIGHTS = "weights.pth"
LOADING = "loading.json"
HISTORY = "history.jsonl"
CURVE = "ap.jsonl"
TRAINING = "training.json"


class FinetuneJob(Section):
    """One fine-tuning: its protocol, its data, and where its files go.

    `folder` receives `weights.pth` (`{"model": name -> tensor}`), `loading.json` (which tensors
    were loaded), `history.jsonl` (losses every 20 iterations), `ap.jsonl` (`iteration`, and `box`
    and `mask`, each with AP, AP50, AP75) and `training.json` (the protocol as it was run).
    """

    task: str = Field(description="Name of the fine-tuning, for the log.")
    settings: FinetuneConfig = Field(description="The protocol.")
    detector: DetectorConfig = Field(description="Sizes of the detector.")
    dataset: DatasetConfig = Field(description="The detection set.")
    weights: Path | None = Field(
        None, description="Converted weights that initialise the detector; null: from scratch."
    )
    folder: Path = Field(description="Receives the outputs.")
    checkpoints: Path = Field(
        description="Folder of the checkpoints, removed at the end; not an output of the workflow."
    )
    seed: int = Field(description="Seed of shuffling, augmentation and fresh weights.")
    origin: Origin | None = Field(None, description="What made the files.")


class EvaluateJob(Section):
    """One evaluation of a fine-tuned detector.

    `folder` receives `metrics.json` (AP, and the protocol that it belongs to) and
    `detections.json` (a list of `{image_id, category_id, bbox, score, segmentation}`; bbox is x, y,
    width, height in pixels).
    """

    task: str = Field(description="Name of the fine-tuning.")
    initialisation: str = Field(description="What it was initialised from.")
    settings: FinetuneConfig = Field(description="Its protocol.")
    detector: DetectorConfig = Field(description="Sizes of the detector.")
    dataset: DatasetConfig = Field(description="The set; only its validation split is read.")
    trained: Path = Field(description="The fine-tuning's folder: `weights.pth`, `training.json`.")
    folder: Path = Field(description="Receives the outputs.")
    seed: int = Field(description="The training's seed, for the record: evaluation draws nothing.")
    origin: Origin | None = Field(None, description="What made the files.")

    @property
    def metrics(self) -> Path:
        """Receives AP and its protocol as JSON."""
        return self.folder / "metrics.json"

    @property
    def detections(self) -> Path:
        """Receives the detections as JSON."""
        return self.folder / "detections.json"
