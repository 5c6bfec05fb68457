"""Keys of the stages after pretraining: detection sets, your own weights, and fine-tuning."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from soco.config.effects import RUNTIME_ONLY, affects
from soco.config.known import KnownDatasetName, KnownWeightsName
from soco.config.paths import GivenPath
from soco.config.presets import PROTOCOLS, with_protocol
from soco.config.section import (
    Architecture,
    Batch,
    Count,
    CountOrNone,
    InvalidValue,
    Name,
    NotNegative,
    Processes,
    Rate,
    Section,
    Seed,
    Share,
    Side,
    Workers,
)

Resized = Annotated[Side, Field(ge=16)]
"""A side that images are resized to; the detector's stride needs at least 16 pixels."""


class SplitConfig(Section):
    """One split of a detection set."""

    images: GivenPath = Field(
        description="Folder that the annotation file's `file_name` entries are relative to."
    )
    annotations: GivenPath = Field(description="JSON file in COCO or LVIS format.")


class DatasetConfig(Section):
    """A detection set to fine-tune and evaluate on."""

    format: Literal["coco", "lvis"] = Field(
        "coco", description="Format of its annotation files, and evaluator."
    )
    known_as: KnownDatasetName | None = Field(
        None,
        description=(
            "Published set that this must be, such as coco_2017; its counts are then checked. null:"
            " any set."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    max_train_images: Count | None = Field(
        None,
        description=(
            "Number of training images to use, chosen with `seed` among those with an object; a"
            " smaller number chooses a subset of a larger one's. null: all."
        ),
    )
    train: SplitConfig = Field(description="The training split.")
    val: SplitConfig = Field(description="The validation split.")


class WeightsConfig(Section):
    """Your own file of pretrained weights, to initialise detectors or pretrainings."""

    path: GivenPath = Field(
        description=(
            "A torchvision or timm ResNet, a checkpoint of another self-supervised method, a"
            " released SoCo file (raw .pth or detectron2 .pkl), or weights of another run;"
            " recognised by its content."
        )
    )
    holds: Literal["resnet", "detector"] = Field(
        "resnet",
        description=(
            "What to load from it: only the `resnet`, or the ResNet, FPN and box head of a"
            " `detector` (a pretraining also takes its projector and predictor)."
        ),
    )
    known_as: KnownWeightsName | None = Field(
        None,
        description="Published file that this must be, which is then checked; null: any file.",
    )


class FinetuneConfig(Section):
    """One fine-tuning protocol on one detection set, run from each of its initialisations."""

    dataset: Name = Field(description="A key of `datasets`.")
    initialisations: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="`scratch`, a key of `pretrain` or a key of `weights`; each gives a row of AP.",
        json_schema_extra=affects("finetune", "evaluate"),
    )
    seeds: tuple[Seed, ...] = Field(
        (),
        description=(
            "Seeds, one training each; the report gives mean and standard deviation. Empty: only"
            " `seed`."
        ),
        json_schema_extra=affects("finetune", "evaluate"),
    )
    protocol: str | None = Field(
        None,
        description=(
            f"Protocol that gives the values of omitted keys: {', '.join(PROTOCOLS)}; null: the"
            " defaults."
        ),
        json_schema_extra=affects("finetune", "evaluate"),
    )
    architecture: Architecture = Field(
        "fpn",
        description=(
            "`fpn`: Mask R-CNN with FPN; `c4`: Mask R-CNN whose head is res5 and a norm (ResNet-50"
            " or deeper)."
        ),
    )
    batch_size: Batch = Field(16, description="Images per step, over all processes.")
    reference_batch: Batch = Field(
        16,
        description=(
            "Batch size for which rate, iterations, steps and warm-up are given. With another"
            " batch_size they are scaled by the linear rule: a larger batch has a higher rate and"
            " fewer iterations."
        ),
    )
    base_lr: Rate = Field(0.02, description="Learning rate after warm-up, at reference_batch.")
    weight_decay: NotNegative = Field(2.5e-5, description="Weight decay.")
    iterations: Count = Field(90_000, description="Training steps, at reference_batch.")
    steps: tuple[Count, ...] = Field(
        (60_000, 80_000),
        description="Steps at which the learning rate falls tenfold, at reference_batch.",
    )
    warmup_iterations: CountOrNone = Field(
        1000, description="Steps of linear warm-up, at reference_batch."
    )
    short_sides: Annotated[tuple[Resized, ...], Field(min_length=1)] = Field(
        (640, 672, 704, 736, 768, 800),
        description="Shorter sides that training images are resized to; drawn at random.",
    )
    test_short_side: Resized = Field(
        800,
        description="Shorter side that validation images are resized to.",
        json_schema_extra=affects("evaluate"),
    )
    max_long_side: Resized = Field(1333, description="Longest side allowed after resizing.")
    anchor_sizes: tuple[Side, Side, Side, Side, Side] = Field(
        (32, 64, 128, 256, 512),
        description="Anchor side on P2 to P6, in pixels; a C4 detector has all on res4.",
    )
    rois_per_image: Annotated[Count, Field(le=100_000)] = Field(
        512, description="Boxes per image that the box head is trained on."
    )
    score_threshold: Share = Field(
        0.05,
        description="Detections with a lower score are dropped; LVIS uses 0.0001.",
        json_schema_extra=affects("evaluate"),
    )
    detections_per_image: Annotated[Count, Field(le=100_000)] = Field(
        100,
        description="Maximum detections per image; LVIS uses 300.",
        json_schema_extra=affects("evaluate"),
    )
    repeat_threshold: Share = Field(
        0.0,
        description=(
            "Repeat-factor sampling, which shows rare categories more often; 0: off; LVIS uses"
            " 0.001."
        ),
    )
    precise_bn_batches: CountOrNone = Field(
        200,
        description=(
            "Batches over which PreciseBN averages norm statistics before evaluation; 0: off."
        ),
    )
    rescale_convolutions: bool = Field(
        False,
        description=(
            "Scale loaded convolutions before norms to the length that detectron2 draws; no output"
            " changes, but the learning rate then suits them. The paper does not."
        ),
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description=(
            "Type of the detector's products in training; bf16 is faster on CPUs and GPUs that have"
            " it, and gives another result. Evaluation is in fp32. On GPUs, fp32 has torch's"
            " default, TF32 in convolutions."
        ),
    )
    evaluate_every: CountOrNone = Field(
        0,
        description=(
            "Steps between evaluations during training, for a curve of AP; 0: only at the end."
        ),
        json_schema_extra=affects("finetune", "evaluate"),
    )
    processes: Processes = Field(
        1,
        description="Training processes, one for each GPU; they share a step's images.",
        json_schema_extra=RUNTIME_ONLY,
    )
    workers: Workers = Field(
        4,
        description="Data loading processes for each training process.",
        json_schema_extra=RUNTIME_ONLY,
    )
    threads: Count | None = Field(
        None,
        description=(
            "CPU cores of one training; null: at least 8, as far as there are. With fewer, several"
            " trainings run at a time on a machine without a GPU."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    checkpoint_iterations: Count = Field(
        5000, description="Steps between checkpoints.", json_schema_extra=RUNTIME_ONLY
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_protocol(cls, settings: Any) -> Any:
        return with_protocol(settings) if isinstance(settings, Mapping) else settings

    @model_validator(mode="after")
    def _numbers_agree(self) -> "FinetuneConfig":
        if self.batch_size % self.processes:
            raise InvalidValue(
                "config.uneven_batch",
                "batch_size {batch_size} does not divide evenly over {processes} processes",
                batch_size=self.batch_size,
                processes=self.processes,
            )
        bounds = (0, *self.steps, self.iterations)
        if any(early >= late for early, late in itertools.pairwise(bounds)):
            raise InvalidValue(
                "config.steps_do_not_rise",
                "steps {steps} must rise and be between 0 and iterations, which is {iterations}",
                steps=list(self.steps),
                iterations=self.iterations,
            )
        if self.warmup_iterations >= self.iterations:
            raise InvalidValue(
                "config.only_warmup_iterations",
                "warmup_iterations is {warmup} of {iterations} iterations: lower it, or raise"
                " iterations",
                warmup=self.warmup_iterations,
                iterations=self.iterations,
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise InvalidValue(
                "config.seed_twice",
                "seeds has the same seed twice: {seeds}",
                seeds=list(self.seeds),
            )
        return self
