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
        labels: N class indices.
    """

    root: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]


def labelled_splits(train: Path, val: Path) -> tuple[LabelledFolder, LabelledFolder]:
    """List the training and the validation images.

    Raises:
        UserError: A folder is missing, has fewer than two classes or an empty class, or the classes
            differ.
    """
    splits = _labelled_folder(train), _labelled_folder(val)
    differing = sorted(set(splits[0].classes) ^ set(splits[1].classes))
    if differing:
        raise UserError(
            "probe.classes_differ",
            "{train} and {val} have different classes: {count} are in only one of them (first:"
            " {first!r}); give both the same sub-folders.",
            train=train,
            val=val,
            count=len(differing),
            first=differing[0],
        )
    return splits


def _labelled_folder(root: Path) -> LabelledFolder:
    if not root.is_dir():
        raise UserError(
            "probe.folder_not_found",
            "There is no folder {folder}; give one whose sub-folders are the classes.",
            folder=root,
        )
    by_class, loose = _list_images(root)
    if loose:
        log.warning(
            "ignored %d images of %s outside classes (first: %s)", len(loose), root, loose[0]
        )
    if len(by_class) < 2:
        raise UserError(
            "probe.too_few_classes",
            "{folder} has {count} classes (sub-folders); a probe needs at least two.",
            folder=root,
            count=len(by_class),
        )
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise UserError(
            "probe.empty_class",
            "{folder} has no image; add images, or remove it from both splits.",
            folder=root / empty[0],
        )
    paths = tuple(path for of_class in by_class.values() for path in of_class)
    labels = tuple(number for number, of_class in enumerate(by_class.values()) for _ in of_class)
    return LabelledFolder(root, tuple(by_class), paths, labels)


def _list_images(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The images of each class, sorted, and the images outside any class.

    Links to folders are followed, because subsets are often made of them. A broken link counts as
    an image: reading it reports the fault.

    Raises:
        UserError: A folder cannot be read, or a link points to a folder above it.
    """
    by_class: dict[str, list[Path]] = {}
    loose, odd = [], []
    for name, is_folder, entry in walk(root, follow_links=True):
        of_class, _, below = name.partition("/")
        status = target_status(entry)
        if is_folder:
            by_class.setdefault(of_class, [])
        # The second case: a file was removed after the folder was listed.
        elif not is_image(name) or (status is None and not entry.is_symlink()):
            continue
        elif status is not None and not stat.S_ISREG(status.st_mode):
            # Reading a pipe would wait forever.
            odd.append(name)
        elif below:
            by_class[of_class].append(root / name)
        else:
            loose.append(name)
    if odd:
        log.warning(
            "ignored %d pipes, sockets or devices of %s (first: %s)", len(odd), root, odd[0]
        )
    return {name: sorted(by_class[name]) for name in sorted(by_class)}, loose
