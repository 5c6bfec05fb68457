"""The whole configuration: every key, with its type, its default and its meaning.

Defaults are what the SoCo release uses for SoCo-FPN at 100 epochs, unless the description says
otherwise.
"""

import graphlib
from typing import Annotated, Literal

from pydantic import Field, model_validator

from soco.config.filter_strategy import Strategy
from soco.config.finetune import DatasetConfig, FinetuneConfig, WeightsConfig
from soco.config.known import KnownImagesName
from soco.config.paths import GivenPath, MadeFolder
from soco.config.presets import nearest
from soco.config.pretrain import PretrainConfig
from soco.config.probe import ProbeConfig
from soco.config.section import (
    Count,
    CountOrNone,
    InvalidValue,
    Name,
    NotNegative,
    Pixels,
    Positive,
    Section,
    Seed,
    Share,
    Width,
)

NAMED_SECTIONS = frozenset(("pretrain", "weights", "datasets", "finetune", "probes"))
"""Sections whose entries the user names; setting an entry to null removes it."""

Engine = Literal["soco", "opencv_fast", "opencv_quality", "opencv_single"]
DemoCount = Annotated[Count, Field(le=1_000_000)]
DemoObjects = Annotated[Count, Field(le=1000)]


class DemoConfig(Section):
    """How the embedded demo's data are made; without this section, none are made."""

    path: MadeFolder = Field(
        "data/demo", description="Folder that receives the demo's images and annotations."
    )
    images: DemoCount = Field(
        2000, description="Unlabelled images for pretraining, composed as the training images."
    )
    train: DemoCount = Field(120, description="Labelled training images of the detection sets.")
    val: DemoCount = Field(100, description="Labelled validation images of the detection sets.")
    side: Pixels = Field(96, description="Width and height of an image, in pixels.")
    objects: tuple[DemoObjects, DemoObjects] = Field(
        (1, 4), description="Fewest and most objects in an image."
    )

    @model_validator(mode="after")
    def _fewest_come_first(self) -> "DemoConfig":
        if self.objects[0] > self.objects[1]:
            raise InvalidValue(
                "config.demo_objects_fall",
                "objects asks for at least {fewest} and at most {most}: give the smaller number"
                " first",
                fewest=self.objects[0],
                most=self.objects[1],
            )
        return self


class ImagesConfig(Section):
    """The unlabelled images for the search of proposals and for pretraining."""

    path: GivenPath = Field(
        description="Where the images are: a folder or a file, depending on the layout."
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
            "Published set that these images must be, such as imagenet_1k; their number is then"
            " checked. null: any set."
        ),
    )
    names: GivenPath | None = Field(
        None,
        description=(
            "zip: text file of the members to use, one name and label per line; null: all images."
        ),
    )
    column: Annotated[str, Field(min_length=1)] = Field(
        "image", description="parquet: the column of encoded images."
    )
    watch: Literal["images", "folders", "never"] = Field(
        "images",
        description=(
            "folder: how changed images are detected: by each image's size and modification time"
            " (`images`), by each folder's time (`folders`, which misses images overwritten in"
            " place), or not at all (`never`)."
        ),
    )
    max_megapixels: Positive = Field(
        50.0,
        description=(
            "Images with more millions of pixels are skipped; the search needs 90 bytes per pixel."
        ),
    )
    shards: Annotated[Count, Field(le=100_000)] = Field(
        1,
        description=(
            "Number of parts that the images are split into; each part is one job of the proposal"
            " stages."
        ),
    )
    max_skipped: Share = Field(
        0.01, description="Largest share of unreadable images; above it, the run stops."
    )

    @property
    def max_pixels(self) -> int:
        """`max_megapixels` in pixels, as the decoder takes it."""
        return int(self.max_megapixels * 1e6)

    @model_validator(mode="after")
    def _names_need_a_zip(self) -> "ImagesConfig":
        if self.names is not None and self.layout != "zip":
            raise InvalidValue(
                "config.names_without_zip",
                "names is only for the layout zip, but the layout is {layout}",
                layout=self.layout,
            )
        return self


class ProposalsConfig(Section):
    """Selective search: which engine, and how fine its initial segments are."""

    engine: Literal["soco", "opencv", "imported"] = Field(
        "soco",
        description=(
            "`soco`: the same boxes as the authors' program; `opencv`: opencv-contrib's selective"
            " search; `imported`: the boxes of a file."
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
        300.0, description="soco: Felzenszwalb's scale; larger means larger initial segments."
    )
    sigma: Annotated[NotNegative, Field(le=1000.0)] = Field(
        0.9, description="soco: blur before segmentation, in pixels."
    )
    min_size: Count = Field(100, description="soco: smallest initial segment, in pixels.")
    opencv_mode: Literal["fast", "quality", "single"] = Field(
        "fast", description="opencv: which of its strategies are combined."
    )

    @model_validator(mode="after")
    def _file_is_imported(self) -> "ProposalsConfig":
        if self.engine == "imported" and self.file is None:
            raise InvalidValue(
                "config.import_without_file",
                "engine is imported, but file is null: set file to the file of boxes",
            )
        if self.engine != "imported" and self.file is not None:
            raise InvalidValue(
                "config.file_without_import",
                "file is set, but engine is {engine}: set engine to imported",
                engine=self.engine,
            )
        return self


class FilterConfig(Section):
    """Which regions become proposals, and the fallbacks for images without any."""

    strategy: Strategy = Field(
        Strategy(ratio=3, low=0.3, high=0.8),
        description=(
            "`none`, `ratioR`, `sizeMMNN` or `ratioRsizeMMNN`: 1/R <= w/h <= R; MM/10 <= sqrt(w h)"
            " / sqrt(image) <= NN/10; or the numbers, as in {ratio: 3, low: 0.25, high: 0.8}."
        ),
    )
    min_side: Annotated[CountOrNone, Field(le=1_000_000)] = Field(
        32, description="Smallest width and height of a proposal, in pixels, in every strategy."
    )
    fallbacks: tuple[Strategy, ...] = Field(
        (Strategy(ratio=3), Strategy()),
        description="Strategies tried in turn for images without a proposal.",
    )


class DetectorConfig(Section):
    """Sizes of the modules that pretraining and fine-tuning share."""

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
    """How the quality of proposals is measured: on which annotated images, with which engines."""

    recall: tuple[Name, ...] = Field(
        (),
        description=(
            "Keys of `datasets` on whose validation split recall is measured; empty: on none."
        ),
    )
    images: Count = Field(
        100, description="Maximum number of annotated images searched per set, evenly spaced."
    )
    engines: Annotated[tuple[Engine, ...], Field(min_length=1)] = Field(
        ("soco", "opencv_fast", "opencv_single"),
        description="Engines that are compared on the same images.",
    )


class Config(Section):
    """The whole configuration."""

    seed: Seed = Field(1, description="Seed of every random draw in every stage.")
    results: MadeFolder = Field(
        "results", description="Folder that receives everything the workflow makes."
    )
    demo: DemoConfig | None = Field(
        None, description="The embedded demo's data; null for your own data."
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
        default_factory=dict, description="Your files of pretrained weights, by name."
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
    def _initialisations_are_unique(self) -> "Config":
        if "scratch" in {*self.pretrain, *self.weights}:
            raise InvalidValue(
                "config.named_scratch",
                "a pretraining or a file of weights cannot be named 'scratch', which means random"
                " initialisation; rename it",
            )
        if both := sorted(self.pretrain.keys() & self.weights.keys()):
            raise InvalidValue(
                "config.name_used_twice",
                "pretrain and weights both have an entry '{name}'; rename one",
                name=both[0],
            )
        return self

    @model_validator(mode="after")
    def _references_exist(self) -> "Config":
        for name in self.quality.recall:
            self._check_dataset("quality.recall", name)
        for task, settings in self.finetune.items():
            self._check_dataset(f"finetune.{task}.dataset", settings.dataset)
            self._check_initialisations(f"finetune.{task}", settings.initialisations)
        for probe, probing in self.probes.items():
            self._check_initialisations(f"probes.{probe}", probing.initialisations)
        return self

    @model_validator(mode="after")
    def _initial_weights_exist(self) -> "Config":
        begins_with = {run: settings.initial_weights for run, settings in self.pretrain.items()}
        for run, name in begins_with.items():
            if name is not None and name not in (*self.weights, *self.pretrain):
                others = [*self.weights, *(other for other in self.pretrain if other != run)]
                raise InvalidValue(
                    "config.unknown_initial_weights",
                    "pretrain.{run}.initial_weights names '{name}'{hint}, which is neither a key of"
                    " weights nor another key of pretrain; known are {known}",
                    run=run,
                    name=name,
                    hint=f" (did you mean '{nearest(name, others)}'?)" if others else "",
                    known=", ".join(others) or "none",
                )
        graph = {run: [name] for run, name in begins_with.items() if name is not None}
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            raise InvalidValue(
                "config.initial_weights_in_a_circle",
                "no pretraining can begin with its own weights, but initial_weights leads from"
                " {circle}: set one of them to null",
                # The error has the order of the training: each before the one that needs it.
                circle=" to ".join(reversed(error.args[1])),
            ) from None
        return self

    @model_validator(mode="after")
    def _c4_heads_have_bottlenecks(self) -> "Config":
        has_bottlenecks = self.detector.backbone in ("resnet50", "resnet101")
        for task, settings in self.finetune.items():
            if settings.architecture == "c4" and not has_bottlenecks:
                raise InvalidValue(
                    "config.c4_without_bottlenecks",
                    "{key} is c4, whose head needs bottleneck blocks, but detector.backbone is"
                    " {backbone}: set it to resnet50 or resnet101",
                    key=f"finetune.{task}.architecture",
                    backbone=self.detector.backbone,
                )
        return self

    def _check_dataset(self, key: str, name: str) -> None:
        if name not in self.datasets:
            raise InvalidValue(
                "config.unknown_dataset",
                "{key} names '{name}', which is not a key of datasets",
                key=key,
                name=name,
            )

    def _check_initialisations(self, place: str, initialisations: tuple[str, ...]) -> None:
        for name in initialisations:
            if name not in ("scratch", *self.pretrain, *self.weights):
                raise InvalidValue(
                    "config.unknown_initialisation",
                    "{key} names '{name}', which is neither scratch nor a key of pretrain or"
                    " weights",
                    key=f"{place}.initialisations",
                    name=name,
                )
