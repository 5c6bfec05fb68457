"""Keys of pretraining: the views, the model and the optimisation."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from soco.config.effects import RUNTIME_ONLY
from soco.config.presets import RECIPES, with_recipe
from soco.config.section import (
    Architecture,
    Batch,
    Count,
    Epochs,
    Name,
    NotNegative,
    Pixels,
    Positive,
    Processes,
    Rate,
    Real,
    Section,
    Share,
    Width,
    Workers,
)


class ViewConfig(Section):
    """One view of an image; the first view is always the whole image."""

    size: Pixels = Field(description="Width and height that the view is resized to, in pixels.")
    crop: Name | None = Field(
        None,
        description=(
            "Name of the random crop it shows (views of one name share it); null: the whole image."
        ),
    )


class PretrainConfig(Section):
    """One self-supervised pretraining: its views, its model, its optimisation."""

    recipe: str | None = Field(
        None,
        description=(
            f"Recipe that gives the keys that are left out: {', '.join(RECIPES)}; null: the"
            " defaults."
        ),
        json_schema_extra=RUNTIME_ONLY,  # its values count, not its name
    )
    architecture: Architecture = Field(
        "fpn", description="`fpn`: backbone, FPN and box head; `c4`: backbone to res5."
    )
    views: tuple[ViewConfig, ...] = Field(
        (ViewConfig(size=224), ViewConfig(size=224, crop="a"), ViewConfig(size=112, crop="b")),
        description="The views; the first is contrasted with each of the others.",
    )
    crop_scale: Share = Field(
        0.5, description="Smallest share of the image that a random crop shows."
    )
    boxes: Annotated[Count, Field(le=10_000)] = Field(
        4, description="Proposals drawn for each pair of views."
    )
    level_bounds: tuple[Count, Count, Count, Count] = Field(
        (48, 96, 192, 224),
        description="Largest sqrt(w h), in pixels of the view, on P2, P3, P4 and P5.",
    )
    max_without_proposals: Share = Field(
        0.5,
        description=(
            "Largest share of images without a proposal, each trained on as one whole image."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    jitter: Annotated[Real, Field(ge=0.0, lt=0.5)] = Field(
        0.1,
        description=(
            "Largest shift and stretch of view 1's boxes, as a share of their size; the release's"
            " C4 has 0."
        ),
    )
    jitter_probability: Share = Field(
        0.5, description="Probability that a box of view 1 is jittered."
    )
    cutout_probability: Share = Field(
        0.5, description="Probability that a box of a cropped view loses a square."
    )
    projector_hidden: Width = Field(4096, description="Hidden width of projector and predictor.")
    projector_out: Width = Field(256, description="Width of the vectors that the loss compares.")
    pooling: Literal["assigned", "release"] = Field(
        "assigned",
        description=(
            "`assigned` pools a box on its own level, all boxes in one head call; `release` pools"
            " every box on all levels with a head call for each level and view pair, as the"
            " authors' program does."
        ),
    )
    epochs: Epochs = Field(100, description="Passes over the images.")
    batch_size: Batch = Field(2048, description="Images in a step, over all processes.")
    base_lr: Rate = Field(
        1.0, description="Learning rate at 256 images a step; scaled with the batch size."
    )
    final_lr: NotNegative = Field(1e-6, description="Learning rate that the cosine ends at.")
    warmup_epochs: NotNegative = Field(10, description="Epochs of linear warm-up.")
    warmup_divisor: Positive = Field(
        100.0, description="Warm-up begins at the learning rate divided by this."
    )
    momentum: Share = Field(0.9, description="Momentum of SGD.")
    weight_decay: NotNegative = Field(1e-5, description="Weight decay of weights, not of norms.")
    trust: Positive = Field(0.001, description="LARS trust coefficient.")
    ema_base: Share = Field(
        0.99, description="Momentum of the target branch at the first step; rises to 1."
    )
    precision: Literal["fp32", "bf16", "fp16", "auto"] = Field(
        "auto",
        description="Arithmetic of the model; `auto`: bf16 where the hardware has it, else fp32.",
    )
    processes: Processes = Field(
        1,
        description="Training processes, one for each GPU; they share a step's images.",
        json_schema_extra=RUNTIME_ONLY,
    )
    nodes: Processes = Field(
        1,
        description="Machines that share the processes evenly; more than one are Slurm's to give.",
        json_schema_extra=RUNTIME_ONLY,
    )
    accumulate: Count = Field(
        1,
        description=(
            "Passes that a process divides its images of a step over, when they do not fit its"
            " memory at once; norms see the images of one pass."
        ),
    )
    recompute: bool = Field(
        False,
        description=(
            "Keep few activations and compute the others again: less memory, a longer step."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    compile: bool = Field(
        False, description="Compile the model with torch.compile; needs a C++ compiler."
    )
    reduced_decoding: bool = Field(
        True,
        description="Decode a JPEG at a half, quarter or eighth where every view is smaller still.",
    )
    workers: Workers = Field(
        4,
        description="Processes that make views, for each training process.",
        json_schema_extra=RUNTIME_ONLY,
    )
    checkpoint_minutes: Positive = Field(
        10.0,
        description="Minutes between checkpoints; one is also kept an epoch.",
        json_schema_extra=RUNTIME_ONLY,
    )
    keep_checkpoints: Count = Field(
        2, description="Checkpoints kept.", json_schema_extra=RUNTIME_ONLY
    )
    log_every: Count = Field(
        10, description="Steps between two lines of the JSONL log.", json_schema_extra=RUNTIME_ONLY
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, settings: Any) -> Any:
        return with_recipe(settings) if isinstance(settings, Mapping) else settings

    @model_validator(mode="after")
    def _views_pair(self) -> "PretrainConfig":
        if len(self.views) < 2:
            raise ValueError("views needs at least two entries: the whole image and one crop")
        if self.views[0].crop is not None:
            raise ValueError("the first of views shows the whole image: leave its crop out")
        return self

    @model_validator(mode="after")
    def _nodes_have_processes(self) -> "PretrainConfig":
        if self.processes % self.nodes:
            raise ValueError(
                f"processes is {self.processes}, which {self.nodes} nodes do not share evenly"
            )
        return self

    @model_validator(mode="after")
    def _compiled_keeps_its_activations(self) -> "PretrainConfig":
        if self.compile and self.recompute:
            raise ValueError(
                "compile and recompute are both true, and torch.compile cannot recompute:"
                " choose one"
            )
        return self

    @model_validator(mode="after")
    def _numbers_rise(self) -> "PretrainConfig":
        if any(low >= high for low, high in itertools.pairwise(self.level_bounds)):
            raise ValueError(
                f"level_bounds must rise from P2 to P5, and {list(self.level_bounds)} does not"
            )
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs is {self.warmup_epochs:g} of {self.epochs} epochs: leave some to"
                " train in"
            )
        return self
