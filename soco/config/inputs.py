"""Check the user's files that a configuration names, before anything runs.

These checks are cheap enough to repeat whenever the workflow's graph is built. The stages that read
the files check the rest: the listing of images counts them, and the check of a detection set counts
what its annotation files list.
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
        key: The key of the configuration that names it.
        known: The published file or folder that it should be, if the configuration says so.
        known_key: The key that says so.
        is_countable: Whether it has the layout of `known`, so that its files can be counted.
    """

    path: str
    key: str
    known: KnownPath | None = None
    known_key: str = ""
    is_countable: bool = True

    def fault(self) -> str | None:
        """What is wrong with it and what to do, in one sentence; None if nothing is."""
        path = Path(self.path)
        named = f"{self.path} (key {self.key})"
        if not path.exists():
            about = ""
            if self.known is not None:
                about = f": {self.known.title}, {self.known.size}, from {self.known.source}"
            return f"There is no {named}{about}; put it there, or change the key."
        if self.known is None or not self.is_countable:
            return None
        difference = _difference(path, self.known)
        if difference is None:
            return None
        about = f"{self.known.title} from {self.known.source}"
        return (
            f"{named} {difference}, unlike {about}; download or unpack it again, or set"
            f" {self.known_key} to null."
        )


def inputs_of(config: Config) -> list[Input]:
    """Every user's path that some stage reads: images, boxes, weights and the datasets in use."""
    return [*_images(config), *_weights(config), *_datasets(config), *_probes(config)]


def faults_of(inputs: list[Input], first: Input, made: Callable[[str], bool]) -> str:
    """The fault of one input, followed by the faults of the others, one line each.

    Args:
        inputs: Everything that the configuration names.
        first: The faulty input that some job needs.
        made: Whether the workflow itself makes a path.
    """
    others: dict[str, str] = {}
    for other in inputs:
        is_new = other.path not in (first.path, *others)
        if is_new and not made(other.path) and (fault := other.fault()):
            others[other.path] = fault
    heading = ["Other problems in the configuration:"] if others else []
    return "\n".join([str(first.fault()), *heading, *others.values()])


def _images(config: Config) -> Iterator[Input]:
    settings = config.images
    known = KNOWN.images[settings.known_as].path if settings.known_as else None
    is_countable = settings.layout in ("folder", "tar")
    yield Input(settings.path, "images.path", known, "images.known_as", is_countable)
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
        for split, paths in (("train", dataset.train), ("val", dataset.val)):
            known_split: KnownSplit | None = getattr(known, split) if known else None
            for part in ("images", "annotations"):
                known_part: KnownPath | None = getattr(known_split, part) if known_split else None
                key = f"datasets.{name}.{split}.{part}"
                yield Input(getattr(paths, part), key, known_part, f"datasets.{name}.known_as")


def _probes(config: Config) -> Iterator[Input]:
    for name, settings in config.probes.items():
        yield Input(settings.train, f"probes.{name}.train")
        yield Input(settings.val, f"probes.{name}.val")


def _difference(path: Path, known: KnownPath) -> str | None:
    """How a file or folder differs from the published one; None if it does not."""
    return _of_folder(path, known) if path.is_dir() else _of_file(path, known)


def _of_folder(path: Path, known: KnownPath) -> str | None:
    if known.folders is not None:
        count = _count(path, os.DirEntry.is_dir)
        if count != known.folders:
            return f"has {count:,} folder(s), not {known.folders:,}"
    for name, expected in known.entries.items():
        count = _count(path / name)
        if count != expected:
            where = "" if name == "." else f" in {name}"
            return f"has {count:,} file(s){where}, not {expected:,}"
    is_a_file = known.bytes is not None and known.folders is None
    return "is a folder, not a file" if is_a_file else None


def _count(folder: Path, wanted: Callable[[os.DirEntry[str]], bool] = os.DirEntry.is_file) -> int:
    """Number of entries of a kind in a folder, without hidden ones; 0 if there is no folder."""
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as entries:
        return sum(wanted(entry) and not entry.name.startswith(".") for entry in entries)


def _of_file(path: Path, known: KnownPath) -> str | None:
    if known.bytes is None:
        return "is a file, not a folder" if known.entries else None
    length = path.stat().st_size
    if length != known.bytes:
        return f"has {length:,} bytes, not {known.bytes:,}"
    if known.sha256 is None:
        return None
    digest = sha256_of(path)
    if digest.startswith(known.sha256):
        return None
    return f"has the SHA-256 {digest[:8]}..., not {known.sha256}..."
