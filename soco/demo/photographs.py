"""The photographs that the demo is made of: the package, scene and use of each.

Photographs of one place or thing (stereo pairs, several views of one campus) share a scene, and
each scene has one use: backgrounds of the training and unlabelled images, backgrounds of the
validation images, or a material of the objects. `soco.demo.materials` divides the materials.
"""

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from soco.errors import UserError

Split = Literal["train", "val"]
SPLITS: tuple[Split, ...] = ("train", "val")
Use = Literal["train", "val", "material"]

# Longest side of a photograph in memory, in pixels: the smallest crop (40 %) still has 410.
WORKING_SIDE = 1024

_FOLDERS = {
    "mvtb-data": "mvtbdata/images",
    "scikit-image": "skimage/data",
    "scikit-learn": "sklearn/datasets/images",
}

_MVTB = "package licence MIT; states no origin for single images"
_CC0_TEXTURE = "from CC0Textures, CC0"
_CAMPUS = (
    *(f"campus/P10704{i}.png" for i in (91, 93, 94, 95, 96, 97, 98, 99)),
    *(f"campus/P10705{i:02}.png" for i in (0, 1, 3, 4, 5, 6, 7, 9, 10, 12, 14, 15)),
    "campus/holdout/P1070492.png",
    *(f"campus/holdout/P10705{i:02}.png" for i in (2, 8, 11, 13)),
)


@dataclass(frozen=True)
class Photograph:
    """One photograph.

    Attributes:
        package: The distribution that installs it.
        file: Its path in the package's image folder.
        scene: What it shows; all photographs of a scene have the same use.
        use: The split whose backgrounds it gives, or `material`.
        note: Origin and licence, as far as the package states them.
    """

    package: str
    file: str
    scene: str
    use: Use
    note: str

    @property
    def key(self) -> str:
        """Its name in the annotations, such as `mvtb-data/road.png`."""
        return f"{self.package}/{self.file}"


def _mvtb(scene: str, use: Use, *files: str) -> tuple[Photograph, ...]:
    return tuple(Photograph("mvtb-data", file, scene, use, _MVTB) for file in files)


def _skimage(scene: str, use: Use, note: str, *files: str) -> tuple[Photograph, ...]:
    return tuple(Photograph("scikit-image", file, scene, use, note) for file in files)


def _sklearn(scene: str, use: Use, note: str, file: str) -> tuple[Photograph, ...]:
    return (Photograph("scikit-learn", file, scene, use, note),)


PHOTOGRAPHS: tuple[Photograph, ...] = (
    *_mvtb("campus", "train", *_CAMPUS),
    *_mvtb("apartments", "train", "building2-1.png", "building2-2.png", "building2-3.png"),
    *_mvtb("church", "train", "church.jpg", "church.png"),
    *_mvtb("eiffel", "train", "eiffel-1.png", "eiffel-2.png"),
    *_mvtb("rocks", "train", "rocks2-l.png", "rocks2-r.png"),
    *_mvtb("butterfly", "train", "butterfly.jpg"),
    *_mvtb("cart", "train", "image3.jpg"),
    *_mvtb("laboratory", "train", "lab-scene.png"),
    *_mvtb("park", "train", "parks.png"),
    *_mvtb("road", "train", "road.png"),
    *_mvtb("street", "train", "street.png"),
    *_skimage("astronaut", "train", "NASA, public domain", "astronaut.png"),
    *_skimage("cameraman", "train", "CC0 by the photographer, Lav Varshney", "camera.png"),
    *_skimage(
        "motorcycle",
        "train",
        "Middlebury 2014 stereo benchmark",
        "motorcycle_left.png",
        "motorcycle_right.png",
    ),
    *_skimage("rocket", "train", "SpaceX, public domain", "rocket.jpg"),
    *_mvtb("greenscreen", "val", "greenscreen.png"),
    *_mvtb("cathedral", "val", "notre-dame.png"),
    *_mvtb("roof", "val", "roof.png"),
    *_mvtb("tomatoes", "val", "tomato_14.png", "tomato_35.png", "tomato_54.png", "tomato_124.png"),
    *_skimage("cat", "val", "CC0 by the photographer, Stefan van der Walt", "chelsea.png"),
    *_skimage("coffee", "val", "CC0 by the photographer, Rachel Michetti", "coffee.png"),
    *_sklearn("pagoda", "val", "CC BY 2.0, danielbuechele on Flickr (6061409035)", "china.jpg"),
    *_sklearn("dahlia", "val", "CC BY 2.0, vultilion on Flickr (6056698931)", "flower.jpg"),
    *_mvtb("garden", "material", "flowers1.png", "flowers2.png"),
    *_mvtb("cottage", "material", "walls-l.png"),
    *_skimage("brick", "material", _CC0_TEXTURE, "brick.png"),
    *_skimage("grass", "material", _CC0_TEXTURE, "grass.png"),
    *_skimage("gravel", "material", _CC0_TEXTURE, "gravel.png"),
)


def backgrounds_of(split: Split) -> tuple[Photograph, ...]:
    """The photographs that may be behind the objects of a split."""
    return tuple(photograph for photograph in PHOTOGRAPHS if photograph.use == split)


def path_of(photograph: Photograph) -> Path:
    """The path of a photograph on this machine.

    Raises:
        UserError: Its package is not installed, or lacks the file.
    """
    module, folder = _FOLDERS[photograph.package].split("/", 1)
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "demo.no_package",
            "The demo needs photographs of the package {package}; run `make install`.",
            package=photograph.package,
        )
    path = Path(spec.submodule_search_locations[0]) / folder / photograph.file
    if not path.is_file():
        raise UserError(
            "demo.no_photograph",
            "The package {package} lacks {path}; reinstall it with `make install`.",
            package=photograph.package,
            path=path,
        )
    return path


@functools.cache
def pixels_of(photograph: Photograph) -> np.ndarray:
    """A photograph as read-only uint8 (height, width, 3) in BGR, at most `WORKING_SIDE` long.

    Raises:
        UserError: The file is missing or cannot be read as an image.
    """
    path = path_of(photograph)
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(
            "demo.unreadable_photograph",
            "{path} cannot be read as an image; reinstall {package} with `make install`.",
            path=path,
            package=photograph.package,
        )
    height, width = image.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image.flags.writeable = False
    return image
