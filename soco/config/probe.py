"""Keys of a probe: how well a frozen backbone classifies labelled images."""

from typing import Annotated

from pydantic import Field, model_validator

from soco.config.effects import RUNTIME_ONLY
from soco.config.paths import GivenPath
from soco.config.section import (
    Batch,
    Count,
    Epochs,
    InvalidValue,
    Name,
    NotNegative,
    Pixels,
    Positive,
    Rate,
    Section,
    Workers,
)


class ProbeConfig(Section):
    """A probe of pretrained backbones: kNN and a linear layer on frozen features."""

    train: GivenPath = Field(
        description="Folder whose sub-folders are the classes; each may contain a tree of images."
    )
    val: GivenPath = Field(description="Folder of the same classes, on which accuracy is measured.")
    initialisations: tuple[Name, ...] = Field(
        description=(
            "`scratch`, a key of `pretrain` or a key of `weights`; each gives a row of accuracies."
        )
    )
    short_side: Pixels = Field(
        256, description="Shorter side that an image is resized to, in pixels."
    )
    crop: Pixels = Field(
        224, description="Side of the centre crop that the backbone gets, in pixels."
    )
    neighbours: Count = Field(20, description="kNN: number of nearest training images that vote.")
    temperature: Positive = Field(
        0.07, description="kNN: a neighbour's vote is exp(cosine / temperature)."
    )
    epochs: Epochs = Field(100, description="Linear: passes over the training features.")
    batch_size: Batch = Field(256, description="Linear: images per step.")
    base_lrs: Annotated[tuple[Rate, ...], Field(min_length=1)] = Field(
        (0.003, 0.03, 0.3),
        description=(
            "Linear: learning rates at 256 images per step, scaled with the batch size; if there"
            " are several, the best on a held-out fifth of the training images is used."
        ),
    )
    weight_decay: NotNegative = Field(0.0, description="Linear: weight decay.")
    workers: Workers = Field(
        4, description="Processes that load images.", json_schema_extra=RUNTIME_ONLY
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> "ProbeConfig":
        if self.crop > self.short_side:
            raise InvalidValue(
                "config.crop_above_side",
                "crop is {crop}, which is more than short_side, {short_side}: lower crop",
                crop=self.crop,
                short_side=self.short_side,
            )
        return self
