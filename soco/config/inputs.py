"""The user's files that a configuration names, looked at before anything starts: are they there,
and the ones meant?

These looks are cheap enough for every building of the workflow's graph; what only reading tells is
told by the stages that read: the listing of images counts them, the check of a detection set counts
what its files list.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from soco.config.known import KNOWN, KnownPath, KnownSplit
from soco.config.schema import Config
from soco.io import sha256_of


@dataclass(frozen=True)
class Input:
    """A path that the configuration names.

    Attributes:
        path: The file or folder.
        key: The configuration's key that names it.
        known: What is known of it, where its section says what it is.
        known_key: The key that says so.
        in_place: Whether it is read as it is known, so that it can be counted: images in another
            layout are not.
    """

    path: str
    key: str
    known: KnownPath | None = None
    known_key: str = ""
    in_place: bool = True

    def fault(self) -> str | None:
        """What is wrong with it, as one sentence with the remedy; None where nothing is."""
        path = Path(self.path)
        named = f"{self.path}, which the key {self.key} names"
        if not path.exists():
            place = f"There is no {named}"
            if self.known is None:
                return f"{place}; put it there, or change the key."
            about = f"{self.known.title}, {self.known.size}, from {self.known.source}"
            return f"{place}: {about}; put it there, or change the key."
        if self.known is None or not self.in_place:
            return None
        difference = _difference(path, self.known)
        if difference is None:
            return None
        about = f"{self.known.title} from {self.known.source}"
        return (
            f"{named}, {difference}, unlike {about}; fetch or unpack it again, or set"
            f" {self.known_key} to null."
        )


def inputs_of(config: Config) -> list[Input]:
    """Every path of the user's that some stage reads.

    Images, boxes, given weights, and the sets that are used.
    """
    return [*_images(config), *_weights(config), *_datasets(config), *_probes(config)]


def faults_of(inputs: list[Input], first: Input, made: Callable[[str], bool]) -> str:
    """What is wrong with the first of some inputs, and on lines of their own what is wrong with the
    others.

    Args:
        inputs: All that the configuration names.
        first: The one that is needed for certain.
        made: Whether a path is made by the workflow.
    """
    others: dict[str, str] = {}
    for it in inputs:
        if it.path not in (first.path, *others) and not made(it.path) and (fault := it.fault()):
            others[it.path] = fault
    heading = ["Of what else the configuration names, this is not right either:"] if others else []
    return "\n".join([str(first.fault()), *heading, *others.values()])


def _images(config: Config) -> Iterator[Input]:
    settings = config.images
    known = KNOWN.images[settings.known_as].path if settings.known_as else None
    in_place = settings.layout in ("folder", "tar")
    yield Input(settings.path, "images.path", known, "images.known_as", in_place)
    if settings.names is not None:
        yield Input(settings.names, "images.names")
    if config.proposals.file is not None:
        yield Input(config.proposals.file, "proposals.file")


def _weights(config: Config) -> Iterator[Input]:
    for name, settings in config.weights.items():
        known = KNOWN.weights[settings.known_as] if settings.known_as else None
        yield Input(settings.path, f"weights.{name}.path", known, f"weights.{name}.known_as")


def _datasets(config: Config) -> Iterator[Input]:
    used = [*(settings.dataset for settings in config.finetune.values()), *config.quality.recall]
    for name in dict.fromkeys(used):
        dataset = config.datasets[name]
        known = KNOWN.datasets[dataset.known_as] if dataset.known_as else None
        for half, split in (("train", dataset.train), ("val", dataset.val)):
            of_half: KnownSplit | None = getattr(known, half) if known else None
            for part in ("images", "annotations"):
                known_part: KnownPath | None = getattr(of_half, part) if of_half else None
                place = f"datasets.{name}.{half}.{part}"
                yield Input(getattr(split, part), place, known_part, f"datasets.{name}.known_as")


def _probes(config: Config) -> Iterator[Input]:
    for name, settings in config.probes.items():
        yield Input(settings.train, f"probes.{name}.train")
        yield Input(settings.val, f"probes.{name}.val")


def _difference(path: Path, known: KnownPath) -> str | None:
    """In what a file or folder is not the published one."""
    return _of_folder(path, known) if path.is_dir() else _of_file(path, known)


def _of_folder(path: Path, known: KnownPath) -> str | None:
    if known.folders is not None:
        found = _count(path, os.DirEntry.is_dir)
        if found != known.folders:
            return f"holds {found:,} folder(s) and not {known.folders:,}"
    for name, expected in known.entries.items():
        found = _count(path / name)
        if found != expected:
            where = "" if name == "." else f" in {name}"
            return f"holds {found:,} file(s){where} and not {expected:,}"
    of_file = known.bytes is not None and known.folders is None
    return "is a folder and not a file" if of_file else None


def _count(folder: Path, wanted: Callable[[os.DirEntry[str]], bool] = os.DirEntry.is_file) -> int:
    """How many entries of a folder that are not hidden are of a kind.

    None where there is no such folder.
    """
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as entries:
        return sum(wanted(entry) and not entry.name.startswith(".") for entry in entries)


def _of_file(path: Path, known: KnownPath) -> str | None:
    if known.bytes is None:
        return "is a file and not a folder" if known.entries else None
    length = path.stat().st_size
    if length != known.bytes:
        return f"has {length:,} bytes and not {known.bytes:,}"
    if known.sha256 is None:
        return None
    digest = sha256_of(path)
    return (
        None
        if digest.startswith(known.sha256)
        else f"has the SHA-256 {digest[:8]}... and not {known.sha256}..."
    )
