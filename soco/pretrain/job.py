"""What one pretraining is told, as values that can be written down.

A process that is started for it reads them.
"""

from pathlib import Path

from pydantic import Field

from soco.config import DetectorConfig, FilterConfig, ImagesConfig, PretrainConfig
from soco.config.section import Section


class PretrainJob(Section):
    """One pretraining: its recipe, its images, and where its files go."""

    run: str = Field(description="The run's name.")
    settings: PretrainConfig = Field(description="The recipe.")
    detector: DetectorConfig = Field(description="Sizes of the parts that detectors fine-tune.")
    store: Path = Field(description="Arrow file of the merged proposals.")
    images: ImagesConfig = Field(description="Where the store's images lie.")
    filter: FilterConfig | None = Field(
        None, description="The filter that made the store, to say why images have no proposal."
    )
    folder: Path = Field(
        description="Receives checkpoints and live log; removed when the run is finished."
    )
    weights: Path = Field(
        description="Receives the trained weights (safetensors), the target's among them."
    )
    log: Path = Field(description="Receives the log, a line of JSON every few steps.")
    metrics: Path = Field(description="Receives a JSON summary of the run.")
    tensorboard: Path | None = Field(
        None, description="Folder that receives TensorBoard's events while it trains."
    )
    seed: int = Field(description="All chance follows from it.")
