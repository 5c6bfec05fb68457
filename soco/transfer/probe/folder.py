"""Labelled images: a folder whose sub-folders are the classes."""

import logging
import stat
from dataclasses import dataclass
from pathlib import Path

from soco.data.sources.tree import is_image, target_status, walk
from soco.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledFolder:
    """Images of a folder with their classes.

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
    """List the training and the validation images.

    Raises:
        UserError: A folder is missing, has fewer than two classes or one without images, or the
            classes differ.
    """
    halves = _labelled_folder(train), _labelled_folder(val)
    names = [set(half.classes) for half in halves]
    if names[0] != names[1]:
        odd = sorted(names[0] ^ names[1])
        raise UserError(
            f"{train} and {val} have not the same classes: {len(odd)} are in one alone, first"
            f" {odd[0]!r}; give both halves the same sub-folders."
        )
    return halves


def _labelled_folder(root: Path) -> LabelledFolder:
    if not root.is_dir():
        raise UserError(f"There is no folder {root}; give one whose sub-folders are the classes.")
    by_class, loose = _listed(root)
    if loose:
        log.warning(
            "passed over %d images of %s that lie in no class, first %s", len(loose), root, loose[0]
        )
    if len(by_class) < 2:
        raise UserError(
            f"{root} has {len(by_class)} sub-folders that could be classes; a probe needs two at"
            " least."
        )
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise UserError(
            f"{root / empty[0]} holds no image; put some there, or remove it from both halves."
        )
    paths = tuple(path for of_class in by_class.values() for path in of_class)
    labels = tuple(number for number, of_class in enumerate(by_class.values()) for _ in of_class)
    return LabelledFolder(root, tuple(by_class), paths, labels)


def _listed(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The images of each class, both sorted, and those in no class; links to folders are followed.

    Subsets are often made of such links. A link to nothing is an image: reading it will tell.

    Raises:
        UserError: A folder cannot be read, or a link leads back to a folder above it.
    """
    by_class: dict[str, list[Path]] = {}
    loose, odd = [], []
    for name, is_folder, entry in walk(root, follow_links=True):
        of_class, _, below = name.partition("/")
        status = target_status(entry)
        if is_folder:
            by_class.setdefault(of_class, [])
        elif not is_image(name) or (status is None and not entry.is_symlink()):
            continue
        elif status is not None and not stat.S_ISREG(status.st_mode):
            odd.append(name)
        elif below:
            by_class[of_class].append(root / name)
        else:
            loose.append(name)
    if odd:
        log.warning(
            "passed over %d pipes, sockets or devices of %s, first %s", len(odd), root, odd[0]
        )
    return {name: sorted(by_class[name]) for name in sorted(by_class)}, loose
