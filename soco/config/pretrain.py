"""Keys of a self-supervised pretraining: its views, its model, its optimisation."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from soco.config.effects import RUNTIME_ONLY
from soco.config.presets import RECIPES, with_recipe
from soco.config.section import (
    Architecture,
    Batch,
    Count,
    CountOrNone,
    Epochs,
    InvalidValue,
    Name,
    NotNegative,
    Pixels,
    Positive,
    Processes,
    Rate,
    Real,
    Section,
    Seed,
    Share,
    Width,
    Workers,
)

_BOX_COUNT: TypeAdapter[int] = TypeAdapter(Annotated[Count, Field(le=10_000)])


def _count_or_whole(given: Any, _: Any) -> Any:
    """Check a number of boxes, or the word; pydantic's own union would report both as faults."""
    if given == "whole":
        return given
    if isinstance(given, str) and given.isalpha():
        raise PydanticCustomError("boxes", "a number of boxes, or the word whole, is expected")
    return _BOX_COUNT.validate_python(given)


BoxCount = Annotated[int | Literal["whole"], WrapValidator(_count_or_whole)]


class ViewConfig(Section):
    """One view of an image; the first view is always the whole image."""

    size: Pixels = Field(description="Width and height that the view is resized to, in pixels.")
    crop: Name | None = Field(
        None,
        description=(
            "Name of the random crop that it shows; views with the same name share a crop. null:"
            " the whole image."
        ),
    )


class PretrainConfig(Section):
    """One self-supervised pretraining: its views, its model, its optimisation."""

    recipe: str | None = Field(
        None,
        description=(
            f"Recipe that gives the values of omitted keys: {', '.join(RECIPES)}; null: the"
            " defaults."
        ),
        json_schema_extra=RUNTIME_ONLY,  # its values count, not its name
    )
    seed: Seed | None = Field(
        None,
        description=(
            "Seed of its weights and views; entries that differ only in it are pretrainings of one"
            " recipe, which the report pools. null: the top-level `seed`."
        ),
        json_schema_extra=RUNTIME_ONLY,  # the job's own seed counts, not where it is set
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
    boxes: BoxCount = Field(
        4,
        description=(
            "Proposals drawn for each pair of views; `whole`: each view is one box, the image-level"
            " baseline without proposals."
        ),
    )
    level_bounds: tuple[Count, Count, Count, Count] = Field(
        (48, 96, 192, 224),
        description="Largest sqrt(w h), in pixels of the view, on P2, P3, P4 and P5.",
    )
    max_without_proposals: Share = Field(
        0.5,
        description=(
            "Largest share of images without a proposal, whose only box is the whole image; above"
            " it, the run stops."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    jitter: Annotated[Real, Field(ge=0.0, lt=0.5)] = Field(
        0.1,
        description=(
            "Largest shift and rescaling of view 1's boxes, as a share of their size; the release's"
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
    projector_norm: bool = Field(
        False,
        description=(
            "Batch norm at the end of the projector, so that vectors cannot share a direction,"
            " as they tend to in short runs; the paper has none."
        ),
    )
    decorrelation: NotNegative = Field(
        0.0,
        description=(
            "Weight of a term against dimensions of the vectors that repeat each other, as in"
            " Barlow Twins; it keeps short runs from learning only where boxes are. The paper: 0."
        ),
    )
    pooling: Literal["assigned", "release"] = Field(
        "assigned",
        description=(
            "`assigned` pools a box on its own level and calls the head once for all boxes;"
            " `release` pools every box on all levels and calls the head for each level and view"
            " pair, as the authors' program does."
        ),
    )
    epochs: Epochs = Field(
        100, description="Length: passes over the images; without effect if `steps` is set."
    )
    steps: CountOrNone | None = Field(
        None,
        description=(
            "Length in steps, whatever the number of images, with a tenth of them as warm-up; 0:"
            " the weights stay as drawn; null: `epochs` and `warmup_epochs`."
        ),
    )
    batch_size: Batch = Field(2048, description="Images per step, over all processes.")
    base_lr: Rate = Field(
        1.0, description="Learning rate at 256 images per step; scaled with the batch size."
    )
    final_lr: NotNegative = Field(1e-6, description="Learning rate at the end of the cosine.")
    warmup_epochs: NotNegative = Field(
        10, description="Epochs of linear warm-up; without effect if `steps` is set."
    )
    warmup_divisor: Positive = Field(
        100.0, description="Warm-up begins at the learning rate divided by this number."
    )
    optimiser: Literal["lars", "sgd", "adamw"] = Field(
        "lars",
        description=(
            "`lars`, the paper's, needs many steps to leave the initial weights; `sgd` and `adamw`"
            " suit smaller runs, each with its own `base_lr`."
        ),
    )
    momentum: Share = Field(0.9, description="Momentum of LARS and SGD.")
    weight_decay: NotNegative = Field(1e-5, description="Weight decay of weights, not of norms.")
    trust: Positive = Field(0.001, description="LARS trust coefficient.")
    predictor_rate: Positive = Field(
        1.0, description="Factor of the learning rate of the predictor."
    )
    ema_base: Share = Field(
        0.99, description="Momentum of the target branch at the first step; it rises to 1."
    )
    fresh_weights: Literal["release", "detectron2"] = Field(
        "release",
        description=(
            "How weights are drawn at first: as the release draws them, with the last norm of each"
            " block at 0, or as detectron2 draws those of a detector trained from scratch."
        ),
    )
    initial_weights: Name | None = Field(
        None,
        description=(
            "A key of `weights`, or of another entry of `pretrain`, whose weights it begins with;"
            " null: weights drawn from the seed. What that file lacks is drawn."
        ),
    )
    precision: Literal["fp32", "tf32", "bf16", "fp16", "auto"] = Field(
        "auto",
        description=(
            "Arithmetic of the model; `auto`: on a GPU bf16 where the hardware has it, else fp32;"
            " on a CPU what is faster in a trial of a few steps."
        ),
    )
    processes: Processes = Field(
        1,
        description="Training processes, one for each GPU; they share a step's images.",
        json_schema_extra=RUNTIME_ONLY,
    )
    nodes: Processes = Field(
        1,
        description="Machines that share the processes evenly; more than one needs Slurm.",
        json_schema_extra=RUNTIME_ONLY,
    )
    accumulate: Count = Field(
        1,
        description=(
            "Gradient accumulation steps, for batches that do not fit into memory at once; norms"
            " see the images of one accumulation step."
        ),
    )
    recompute: bool = Field(
        False,
        description="Activation checkpointing: less memory, slower steps.",
        json_schema_extra=RUNTIME_ONLY,
    )
    compile: bool = Field(
        False, description="Compile the model with torch.compile; needs a C++ compiler."
    )
    cuda_graph: Literal["auto", "off"] = Field(
        "auto",
        description=(
            "`auto`: on a single GPU, replay whole steps as a CUDA graph, so that it does not wait"
            " for the host; not with fp16, gradient accumulation or `deterministic`."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    deterministic: bool = Field(
        False,
        description="On GPUs, use only operations that give the same bits in each run; slower.",
        json_schema_extra=RUNTIME_ONLY,
    )
    reduced_decoding: bool = Field(
        True,
        description="Decode a JPEG at 1/2, 1/4 or 1/8 of its size where every view is smaller.",
    )
    workers: Workers = Field(
        4,
        description="Data loading processes for each training process.",
        json_schema_extra=RUNTIME_ONLY,
    )
    checkpoint_minutes: Positive = Field(
        10.0,
        description="Minutes between checkpoints; the last step also ends with one.",
        json_schema_extra=RUNTIME_ONLY,
    )
    keep_checkpoints: Count = Field(
        2, description="Number of checkpoints to keep.", json_schema_extra=RUNTIME_ONLY
    )
    log_every: Count = Field(
        10, description="Steps between two lines of the JSONL log.", json_schema_extra=RUNTIME_ONLY
    )

    def seed_or(self, default: int) -> int:
        """Its own seed, or the top-level one, which is given."""
        return default if self.seed is None else self.seed

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, settings: Any) -> Any:
        return with_recipe(settings) if isinstance(settings, Mapping) else settings

    @model_validator(mode="after")
    def _views_pair(self) -> "PretrainConfig":
        if len(self.views) < 2:
            raise InvalidValue(
                "config.too_few_views",
                "views needs at least two entries: the whole image and one crop",
            )
        if self.views[0].crop is not None:
            raise InvalidValue(
                "config.first_view_is_a_crop",
                "the first view shows the whole image: remove its crop",
            )
        return self

    @model_validator(mode="after")
    def _processes_divide(self) -> "PretrainConfig":
        if self.processes % self.nodes:
            raise InvalidValue(
                "config.uneven_nodes",
                "{processes} processes do not divide evenly over {nodes} nodes",
                processes=self.processes,
                nodes=self.nodes,
            )
        return self

    @model_validator(mode="after")
    def _compile_excludes_recompute(self) -> "PretrainConfig":
        if self.compile and self.recompute:
            raise InvalidValue(
                "config.compile_with_recompute",
                "compile and recompute are both true, but torch.compile does not support recompute:"
                " choose one",
            )
        return self

    @model_validator(mode="after")
    def _numbers_rise(self) -> "PretrainConfig":
        if any(low >= high for low, high in itertools.pairwise(self.level_bounds)):
            raise InvalidValue(
                "config.level_bounds_fall",
                "level_bounds must rise from P2 to P5, but {bounds} does not",
                bounds=list(self.level_bounds),
            )
        largest = max(view.size for view in self.views)
        if self.boxes == "whole" and self.architecture == "fpn" and largest > self.level_bounds[-1]:
            raise InvalidValue(
                "config.whole_without_level",
                "boxes is whole, but a view of {largest} pixels is above {bound}, the last of"
                " level_bounds, and would be in no pair: raise that bound, or lower its size",
                largest=largest,
                bound=self.level_bounds[-1],
            )
        if self.steps is None and self.warmup_epochs >= self.epochs:
            raise InvalidValue(
                "config.only_warmup",
                "warmup_epochs is {warmup:g} of {epochs} epochs: lower it, or raise epochs",
                warmup=self.warmup_epochs,
                epochs=self.epochs,
            )
        return self
