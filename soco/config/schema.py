"""Every configuration key, spelled once, with its type, its default (the paper's setting) and a
sentence.

A default is what the SoCo release uses for SoCo-FPN at 100 epochs, unless the sentence says
otherwise.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from soco.config.finetune import DatasetConfig, FinetuneConfig, WeightsConfig
from soco.config.known import KnownImagesName
from soco.config.paths import GivenPath, MadeFolder
from soco.config.pretrain import PretrainConfig
from soco.config.probe import ProbeConfig
from soco.config.section import (
    Count,
    CountOrNone,
    Name,
    NotNegative,
    Pixels,
    Positive,
    Section,
    Seed,
    Share,
    Width,
)
from soco.config.strategy import Strategy

NAMED_SECTIONS = frozenset(("pretrain", "weights", "datasets", "finetune", "probes"))
"""Sections whose entries have names that the user chooses; an entry of null removes one."""

Engine = Literal["soco", "opencv_fast", "opencv_quality", "opencv_single"]


Made = Annotated[Count, Field(le=1_000_000)]
Painted = Annotated[Count, Field(le=1000)]


class DemoConfig(Section):
    """How the embedded demo's data are made; absent, no demo data are made."""

    path: MadeFolder = Field(
        "data/demo", description="Folder that receives the demo's images and annotations."
    )
    images: Made = Field(
        480, description="Unlabelled images cut from the photographs for pretraining."
    )
    image_side: Pixels = Field(256, description="Longest side of an unlabelled image, in pixels.")
    train: Made = Field(600, description="Composed training images of the detection sets.")
    val: Made = Field(120, description="Composed validation images of the detection sets.")
    side: Pixels = Field(128, description="Width and height of a composed image, in pixels.")
    objects: tuple[Painted, Painted] = Field(
        (1, 4), description="Fewest and most objects painted on a composed image."
    )

    @model_validator(mode="after")
    def _fewest_come_first(self) -> "DemoConfig":
        if self.objects[0] > self.objects[1]:
            raise ValueError(
                f"demo.objects asks for at least {self.objects[0]} and at most {self.objects[1]}"
            )
        return self


class ImagesConfig(Section):
    """The unlabelled images that are searched for proposals and pretrained on."""

    path: GivenPath = Field(
        description="Where the images are: a folder or a file, as the layout says."
    )
    layout: Literal["folder", "zip", "tar", "webdataset", "parquet"] = Field(
        "folder",
        description=(
            "`folder`: a folder tree; `zip`: a zip file; `tar`: a tar of images or of tars of"
            " images; `webdataset`: tars in a folder; `parquet`: Parquet files in a folder. All are"
            " read in place."
        ),
    )
    known_as: KnownImagesName | None = Field(
        None,
        description=(
            "The published set that these are, such as imagenet_1k, so that a wrong one is refused;"
            " null: any."
        ),
    )
    names: GivenPath | None = Field(
        None,
        description=(
            "zip: text file of the members to take, a name and a label a line; null takes all"
            " images."
        ),
    )
    column: Annotated[str, Field(min_length=1)] = Field(
        "image", description="parquet: the column of encoded images."
    )
    watch: Literal["images", "folders", "never"] = Field(
        "images",
        description=(
            "folder: what is looked at to see that images changed: every image's size and time,"
            " each folder's time alone (misses images overwritten in place), or nothing."
        ),
    )
    max_megapixels: Positive = Field(
        50.0,
        description=(
            "Larger images are skipped, in millions of pixels; a search takes 90 bytes a pixel."
        ),
    )
    shards: Annotated[Count, Field(le=100_000)] = Field(
        1, description="Parts the images are cut into; one part is one job of the proposal stages."
    )
    max_skipped: Share = Field(
        0.01, description="Largest share of unreadable images with which a run goes on."
    )

    @property
    def max_pixels(self) -> int:
        """`max_megapixels` in pixels, as the decoder takes it."""
        return int(self.max_megapixels * 1e6)

    @model_validator(mode="after")
    def _names_are_of_a_zip(self) -> "ImagesConfig":
        if self.names is not None and self.layout != "zip":
            raise ValueError(
                f"images.names is for images.layout zip, and the layout is {self.layout}"
            )
        return self


class ProposalsConfig(Section):
    """Selective search: which engine, and how fine its first segments are."""

    engine: Literal["soco", "opencv", "imported"] = Field(
        "soco",
        description=(
            "`soco` finds the authors' boxes; `opencv` is opencv-contrib's selective search;"
            " `imported` takes the boxes of a file."
        ),
    )
    file: GivenPath | None = Field(
        None,
        description=(
            "imported: Parquet (key, left, top, box_width, box_height) or the authors' JSON (name"
            " -> boxes)."
        ),
    )
    scale: Positive = Field(
        300.0, description="soco: Felzenszwalb's scale; larger means larger first segments."
    )
    sigma: Annotated[NotNegative, Field(le=1000.0)] = Field(
        0.9, description="soco: blur before segmentation, in pixels."
    )
    min_size: Count = Field(100, description="soco: smallest first segment, in pixels.")
    opencv_mode: Literal["fast", "quality", "single"] = Field(
        "fast", description="opencv: which of its strategies are combined."
    )

    @model_validator(mode="after")
    def _file_is_imported(self) -> "ProposalsConfig":
        if self.engine == "imported" and self.file is None:
            raise ValueError(
                "proposals.engine is imported: name the file of boxes in proposals.file"
            )
        if self.engine != "imported" and self.file is not None:
            raise ValueError(
                f"proposals.file is given and proposals.engine is {self.engine}: set it to imported"
            )
        return self


class FilterConfig(Section):
    """Which regions are kept as proposals, and what an image left with none takes instead."""

    strategy: Strategy = Field(
        Strategy(ratio=3, low=0.3, high=0.8),
        description=(
            "`none`, `ratioR`, `sizeMMNN` or `ratioRsizeMMNN`: 1/R <= w/h <= R; MM/10 <= sqrt(w h)"
            " / sqrt(image) <= NN/10; or the numbers, as in {ratio: 3, low: 0.25, high: 0.8}."
        ),
    )
    min_side: Annotated[CountOrNone, Field(le=1_000_000)] = Field(
        32, description="Narrowest width and height kept by every strategy, in pixels."
    )
    fallbacks: tuple[Strategy, ...] = Field(
        (Strategy(ratio=3), Strategy()),
        description="Strategies tried in turn for an image that the first left with no proposal.",
    )


class DetectorConfig(Section):
    """The parts that pretraining and fine-tuning share.

    Their sizes must agree, so they stand here once.
    """

    backbone: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = Field(
        "resnet50", description="The ResNet."
    )
    fpn_channels: Width = Field(256, description="Channels of every FPN level.")
    head_channels: Width = Field(256, description="Channels of the box head's convolutions.")
    head_convs: Annotated[Count, Field(le=1000)] = Field(
        4, description="3x3 convolutions in the box head."
    )
    head_fc: Width = Field(1024, description="Outputs of the box head's one fully connected layer.")


class QualityConfig(Section):
    """How good the proposals are.

    On which annotated images recall is measured, and with which engines.
    """

    recall: tuple[Name, ...] = Field(
        (),
        description=(
            "Keys of `datasets` on whose validation half recall is measured; empty: on none."
        ),
    )
    images: Count = Field(
        100, description="Most annotated images searched in each set, evenly chosen."
    )
    engines: Annotated[tuple[Engine, ...], Field(min_length=1)] = Field(
        ("soco", "opencv_fast", "opencv_single"),
        description="Engines compared, each on the same images.",
    )


class Config(Section):
    """The whole configuration."""

    seed: Seed = Field(1, description="Every random draw of every stage follows from it.")
    results: MadeFolder = Field(
        "results", description="Folder that receives all that the workflow makes."
    )
    demo: DemoConfig | None = Field(
        None, description="The embedded demo's data; null for data of your own."
    )
    images: ImagesConfig = Field(description="The unlabelled images.")
    proposals: ProposalsConfig = Field(ProposalsConfig(), description="Selective search.")
    filter: FilterConfig = Field(FilterConfig(), description="Which regions become proposals.")
    quality: QualityConfig = Field(
        QualityConfig(), description="How the quality of proposals is measured."
    )
    detector: DetectorConfig = Field(
        DetectorConfig(), description="Sizes shared by pretraining and fine-tuning."
    )
    pretrain: dict[Name, PretrainConfig] = Field(
        default_factory=dict, description="Pretrainings by name."
    )
    weights: dict[Name, WeightsConfig] = Field(
        default_factory=dict, description="Files of pretrained weights that you give, by name."
    )
    datasets: dict[Name, DatasetConfig] = Field(
        default_factory=dict, description="Detection sets by name."
    )
    finetune: dict[Name, FinetuneConfig] = Field(
        default_factory=dict, description="Fine-tunings by name."
    )
    probes: dict[Name, ProbeConfig] = Field(
        default_factory=dict, description="Probes of the backbone on labelled images, by name."
    )

    @model_validator(mode="after")
    def _initialisations_differ(self) -> "Config":
        if "scratch" in {*self.pretrain, *self.weights}:
            raise ValueError(
                "a pretraining or a file of weights may not be named 'scratch', which means none"
            )
        if both := sorted(self.pretrain.keys() & self.weights.keys()):
            raise ValueError(f"pretrain and weights both name '{both[0]}'; rename one")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> "Config":
        for name in self.quality.recall:
            if name not in self.datasets:
                raise ValueError(f"quality.recall names '{name}', which datasets does not define")
        for task, settings in self.finetune.items():
            if settings.dataset not in self.datasets:
                raise ValueError(
                    f"finetune.{task}.dataset names '{settings.dataset}', which datasets does not"
                    " define"
                )
            self._see_that_starts_are_known(f"finetune.{task}", settings.initialisations)
        for probe, probing in self.probes.items():
            self._see_that_starts_are_known(f"probes.{probe}", probing.initialisations)
        return self

    @model_validator(mode="after")
    def _c4_heads_have_bottlenecks(self) -> "Config":
        for task, settings in self.finetune.items():
            if settings.architecture == "c4" and self.detector.backbone not in (
                "resnet50",
                "resnet101",
            ):
                raise ValueError(
                    f"finetune.{task}.architecture is c4, whose head is made of bottleneck blocks,"
                    f" and detector.backbone is {self.detector.backbone}: set it to resnet50 or"
                    " resnet101"
                )
        return self

    def _see_that_starts_are_known(self, place: str, initialisations: tuple[str, ...]) -> None:
        for name in initialisations:
            if name not in ("scratch", *self.pretrain, *self.weights):
                raise ValueError(
                    f"{place}.initialisations names '{name}', neither scratch nor a key of pretrain"
                    " or weights"
                )
