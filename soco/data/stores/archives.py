"""What torch writes.

Zip archives, whose checksums `torch.load` passes over and which are looked at here.
"""

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from soco.io import atomic_write
from soco.machine import machine_fault

log = logging.getLogger(__name__)

Content = dict[str, Any]


class DamagedArchive(Exception):
    """A file of torch's is not as it was written; the message says what is wrong."""


def save_archive(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values by torch, whole or not at all; the same content gives the same
    bytes.

    Raises:
        UserError: The machine does not take the file.
    """
    with atomic_write(path) as temporary:
        write_archive(temporary, content)


def write_archive(path: Path, content: Mapping[str, Any]) -> None:
    """Write as `save_archive`, straight to a file."""
    # Into an open file: torch names the records after a path, and that of a temporary file holds a
    # process's number.
    with path.open("wb") as file:
        torch.save(dict(content), file)


def load_archive(path: str | Path) -> Content:
    """Read what `save_archive` wrote to the CPU; no code in it is run.

    Raises:
        OSError: There is no such file, or the machine does not let it be read.
        DamagedArchive: It is cut short, or other bytes than those that were written, a single one
            even.
    """
    try:
        check_archive(path)
        content: Content = torch.load(path, weights_only=True, map_location="cpu")
        return content
    except (FileNotFoundError, DamagedArchive):
        raise
    except Exception as error:  # a damaged file fails in many ways
        if machine_fault(error, Path(path)) is not None:
            raise
        raise DamagedArchive(" ".join(str(error).split())[:200] or type(error).__name__) from error


def check_archive(path: str | Path) -> None:
    """Look at the checksums of a zip archive, if it has any: a warning says that it has none.

    Raises:
        DamagedArchive: One is wrong; a file that is no zip archive raises what `zipfile` does.
    """
    with zipfile.ZipFile(path) as records:
        if _is_without_checksums(records):
            log.warning(
                "%s was saved without checksums (torch.serialization.set_crc32_options): damage to"
                " it cannot be noticed; it is read as it is",
                path,
            )
            return
        damaged = records.testzip()
    if damaged is not None:
        raise DamagedArchive(f"the checksum of its record {damaged} is wrong")


def _is_without_checksums(records: zipfile.ZipFile) -> bool:
    """Whether torch was asked to compute none: it then writes 0 for every record, which no damage
    does.

    An archive of torch's has several records with content, among them its version, whose checksums
    are not 0.
    """
    held = [record for record in records.infolist() if record.file_size]
    return len(held) > 1 and not any(record.CRC for record in held)


def newest_sound(paths: list[Path]) -> tuple[Path, Content] | None:
    """The last of some checkpoints that is as it was written, with its content; None where none is.

    Damaged ones after it are put aside as `.damaged`: under their own names they would count among
    the newest, and good ones would be dropped for them.

    Args:
        paths: The checkpoints of one run, the newest last.
    """
    for path in reversed(paths):
        try:
            return path, load_archive(path)
        except DamagedArchive as error:
            aside = path.rename(path.with_suffix(".damaged"))
            log.warning(
                "%s cannot be read (%s); now %s, and the one before is tried",
                path,
                error,
                aside.name,
            )
    if any(path.with_suffix(".damaged").exists() for path in paths):
        log.warning("no checkpoint in %s can be read: training starts anew", paths[0].parent)
    return None
