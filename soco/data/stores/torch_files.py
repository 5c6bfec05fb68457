"""Checkpoints of torch: zip archives, with checksums verified, which `torch.load` does not do."""

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
    """A torch file differs from what was written; the message is the reason."""


def save_archive(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values atomically; the same content gives the same bytes.

    Raises:
        UserError: The file cannot be written, such as on a full disk.
    """
    with atomic_write(path) as temporary:
        write_archive(temporary, content)


def write_archive(path: Path, content: Mapping[str, Any]) -> None:
    """Write as `save_archive` does, but directly to the path."""
    # Into an open file: given a path, torch names the records after it, and the path of a temporary
    # file contains a process id.
    with path.open("wb") as file:
        torch.save(dict(content), file)


def load_archive(path: str | Path) -> Content:
    """Read a file of `save_archive` to the CPU, without running any code in it.

    Raises:
        OSError: There is no such file, or the machine cannot read it.
        DamagedArchive: It is truncated, or even a single byte differs from what was written.
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
    """Verify the checksums of a zip archive; warn if it has none.

    Raises:
        DamagedArchive: One is wrong; a file that is not a zip archive raises what `zipfile` does.
    """
    with zipfile.ZipFile(path) as records:
        if _is_without_checksums(records):
            log.warning(
                "%s was saved without checksums (torch.serialization.set_crc32_options), so damage"
                " to it cannot be detected",
                path,
            )
            return
        damaged = records.testzip()
    if damaged is not None:
        raise DamagedArchive(f"the checksum of its record {damaged} is wrong")


def _is_without_checksums(records: zipfile.ZipFile) -> bool:
    """Whether torch was set to compute no checksums: it then writes 0 for every record.

    Damage does not look like this: an archive has several records with content, such as torch's
    version, and their checksums are not 0.
    """
    filled = [record for record in records.infolist() if record.file_size]
    return len(filled) > 1 and not any(record.CRC for record in filled)


def newest_sound(paths: list[Path]) -> tuple[Path, Content] | None:
    """The newest undamaged checkpoint with its content; None if there is none.

    Newer ones, which are damaged, are renamed to `.damaged`: under their own names they would count
    as the newest, and good ones would be removed in their place.

    Args:
        paths: The checkpoints of one run, the newest last.
    """
    for path in reversed(paths):
        try:
            return path, load_archive(path)
        except DamagedArchive as error:
            aside = path.rename(path.with_suffix(".damaged"))
            log.warning(
                "%s cannot be read (%s); renamed it to %s, trying the one before",
                path,
                error,
                aside.name,
            )
    if any(path.with_suffix(".damaged").exists() for path in paths):
        log.warning(
            "no checkpoint in %s can be read: training starts from the beginning", paths[0].parent
        )
    return None
