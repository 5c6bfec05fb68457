"""Keys of what follows pretraining: detection sets, weights that are given, and fine-tuning."""

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
"""A side that images are resized to; of fewer pixels nothing is left at the detector's stride."""


class SplitConfig(Section):
    """One half of a detection set."""

    images: GivenPath = Field(
        description="Folder that the annotation file's `file_name` entries are below."
    )
    annotations: GivenPath = Field(description="JSON file in COCO or LVIS format.")


class DatasetConfig(Section):
    """A detection set to fine-tune and evaluate on."""

    format: Literal["coco", "lvis"] = Field(
        "coco", description="Format of its annotation files, and its evaluator."
    )
    known_as: KnownDatasetName | None = Field(
        None,
        description=(
            "The published set that this is, such as coco_2017, so that a wrong one is refused;"
            " null: any set."
        ),
        json_schema_extra=RUNTIME_ONLY,
    )
    train: SplitConfig = Field(description="The training half.")
    val: SplitConfig = Field(description="The validation half.")


class WeightsConfig(Section):
    """A file of pretrained weights that you give, to start detectors from beside the pretrainings."""

    path: GivenPath = Field(
        description=(
            "torchvision's or timm's ResNet, the checkpoint of another self-supervised training, a"
            " released SoCo file (raw .pth or detectron2 .pkl), or weights of another run;"
            " recognised by what they hold."
        )
    )
    holds: Literal["resnet", "detector"] = Field(
        "resnet",
        description=(
            "What is taken from it: the `resnet` alone, or the `detector`'s ResNet, FPN and box"
            " head."
        ),
    )
    known_as: KnownWeightsName | None = Field(
        None,
        description=(
            "The published file that this is, so that a wrong one is refused; null: any file."
        ),
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
            "Seeds, each a training of its own, for a mean and its deviation; empty: the one"
            " `seed`."
        ),
        json_schema_extra=affects("finetune", "evaluate"),
    )
    protocol: str | None = Field(
        None,
        description=(
            f"Whose values the keys that are left out take: {', '.join(PROTOCOLS)}; null: the"
            " defaults."
        ),
        json_schema_extra=affects("finetune", "evaluate"),
    )
    architecture: Architecture = Field(
        "fpn",
        description=(
            "`fpn`: Mask R-CNN with FPN; `c4`: with res5 and a norm as its head (ResNet-50 or"
            " deeper)."
        ),
    )
    batch_size: Batch = Field(16, description="Images in a step, over all processes.")
    reference_batch: Batch = Field(
        16,
        description=(
            "Images in a step that the next keys are written for; with another batch_size the rate"
            " goes up with it, and iterations, steps and warm-up go down (the linear rule)."
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
        description="Shorter sides that training images are resized to, by chance.",
    )
    test_short_side: Resized = Field(
        800,
        description="Shorter side that validation images are resized to.",
        json_schema_extra=affects("evaluate"),
    )
    max_long_side: Resized = Field(1333, description="Longest side allowed after resizing.")
    anchor_sizes: tuple[Side, Side, Side, Side, Side] = Field(
        (32, 64, 128, 256, 512),
        description="Anchor side on P2 to P6, in pixels; all on res4 in a C4 detector.",
    )
    rois_per_image: Annotated[Count, Field(le=100_000)] = Field(
        512, description="Boxes an image on which the box head is trained."
    )
    score_threshold: Share = Field(
        0.05,
        description="Detections scored lower are dropped; LVIS uses 0.0001.",
        json_schema_extra=affects("evaluate"),
    )
    detections_per_image: Annotated[Count, Field(le=100_000)] = Field(
        100,
        description="Most detections an image; LVIS uses 300.",
        json_schema_extra=affects("evaluate"),
    )
    repeat_threshold: Share = Field(
        0.0,
        description=(
            "LVIS repeat-factor sampling: rarer categories are shown more; 0 turns it off, LVIS"
            " uses 0.001."
        ),
    )
    precise_bn_batches: CountOrNone = Field(
        200,
        description=(
            "Batches that PreciseBN averages norm statistics over before evaluation; 0 turns it"
            " off."
        ),
    )
    evaluate_every: CountOrNone = Field(
        0,
        description=(
            "Steps between evaluations while it trains, for AP against iterations; 0: at the end"
            " alone."
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
        description="Processes that load images, for each of those.",
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
    def _numbers_fit(self) -> "FinetuneConfig":
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size {self.batch_size} does not divide over {self.processes} processes"
            )
        if any(
            early >= late for early, late in itertools.pairwise((0, *self.steps, self.iterations))
        ):
            raise ValueError(
                f"steps {list(self.steps)} must rise from above 0 to below iterations, which is"
                f" {self.iterations}"
            )
        if self.warmup_iterations >= self.iterations:
            raise ValueError(
                f"warmup_iterations is {self.warmup_iterations} of {self.iterations} iterations"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds holds one twice: {list(self.seeds)}")
        return self
