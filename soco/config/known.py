"""Published data sets and weights, by the names that `known_as` takes; see `known.yaml`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from soco.config.reading import read_mapping
from soco.config.section import InvalidValue


class _Known(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KnownPath(_Known):
    """A published file or folder.

    Attributes:
        title: What it is.
        source: Where to get it.
        size: Its size or count, in words.
        folders: Number of folders in it.
        entries: Number of files in each folder below it; "." is the folder itself.
        bytes: Length of the file.
        sha256: First digits of the file's SHA-256.
    """

    title: str
    source: str
    size: str
    folders: int | None = None
    entries: dict[str, int] = {}
    bytes: int | None = None
    sha256: str | None = None


class KnownImages(_Known):
    """A set of unlabelled images."""

    path: KnownPath
    images: int


class KnownCounts(_Known):
    """Lengths of the tables of an annotation file."""

    images: int
    objects: int
    categories: int


class KnownSplit(_Known):
    """A split of a detection set."""

    images: KnownPath
    annotations: KnownPath
    counts: KnownCounts


class KnownDataset(_Known):
    """A detection set."""

    train: KnownSplit
    val: KnownSplit


class Known(_Known):
    """Everything in `known.yaml`, by name."""

    images: dict[str, KnownImages]
    datasets: dict[str, KnownDataset]
    weights: dict[str, KnownPath]


KNOWN = Known.model_validate(read_mapping(Path(__file__).with_name("known.yaml")))


def _one_of(kind: Literal["images", "datasets", "weights"]) -> Callable[[str], str]:
    names: dict[str, Any] = getattr(KNOWN, kind)

    def check(name: str) -> str:
        if name not in names:
            raise InvalidValue(
                "config.unknown_known_as",
                "'{name}' is not one of the known {kind}, {known}; choose one of these or set it to"
                " null",
                name=name,
                kind=kind,
                known=", ".join(names),
            )
        return name

    return check


KnownImagesName = Annotated[str, AfterValidator(_one_of("images"))]
KnownDatasetName = Annotated[str, AfterValidator(_one_of("datasets"))]
KnownWeightsName = Annotated[str, AfterValidator(_one_of("weights"))]
