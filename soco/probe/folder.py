"""Labelled pictures: a folder whose sub-folders are the classes."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soco.errors import UserError
from soco.pictures.sources.names import is_hidden, is_picture

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledFolder:
    """Pictures of a folder with their classes.

    Attributes:
        root: The folder.
        classes: Names of the classes, sorted.
        paths: N files, class by class, sorted within each.
        labels: N numbers of classes.
    """

    root: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]


def labelled_halves(train: Path, val: Path) -> tuple[LabelledFolder, LabelledFolder]:
    """List the training and the validation pictures.

    Raises:
        UserError: A folder is missing, has fewer than two classes or one without pictures, or the classes differ.
    """
    halves = _labelled_folder(train), _labelled_folder(val)
    names = [set(half.classes) for half in halves]
    if names[0] != names[1]:
        odd = sorted(names[0] ^ names[1])
        raise UserError(
            f"{train} and {val} have not the same classes: {len(odd)} are in one alone, first {odd[0]!r}; give both "
            "halves the same sub-folders."
        )
    return halves


def _labelled_folder(root: Path) -> LabelledFolder:
    if not root.is_dir():
        raise UserError(f"There is no folder {root}; give one whose sub-folders are the classes.")
    found = sorted(path for path in root.iterdir() if not is_hidden(path.name))
    classes = tuple(path.name for path in found if path.is_dir())
    if loose := [path.name for path in found if path.is_file() and is_picture(path.name)]:
        log.warning("passed over %d pictures of %s that lie in no class, first %s", len(loose), root, loose[0])
    if len(classes) < 2:
        raise UserError(f"{root} has {len(classes)} sub-folders that could be classes; a probe needs two at least.")
    by_class = [sorted(_pictures(root / name)) for name in classes]
    empty = [name for name, paths in zip(classes, by_class, strict=True) if not paths]
    if empty:
        raise UserError(f"{root / empty[0]} holds no picture; put some there, or remove it from both halves.")
    paths = tuple(path for of_class in by_class for path in of_class)
    labels = tuple(number for number, of_class in enumerate(by_class) for _ in of_class)
    return LabelledFolder(root, classes, paths, labels)


def _pictures(folder: Path) -> Iterator[Path]:
    """Every picture of a tree; links to folders are followed, for subsets are often made of them."""
    for place, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(place, name)
            if is_picture(path.relative_to(folder).as_posix()):
                yield path
