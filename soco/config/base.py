"""Which file the workflow lays overlays over, wherever it is started from, and whether all that it reads is sound."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from soco.config.load import check_config
from soco.config.reading import read_mapping, refuse_doubled_entries
from soco.errors import UserError

_BASE = "config.yaml"
_NAMED = ("pretrain", "weights", "datasets", "finetune", "probes")
_MOST_SHOWN = 5


def base_file(clone: Path, overlays: Iterable[Path], entries: Iterable[str] | None) -> str:
    """The file that overlays are laid over: `config.yaml` of the working folder, or else of the
    clone.

    Snakemake looks for it in the working folder alone, and where there is none it would lay the
    overlays over nothing.

    Args:
        clone: The folder of the Snakefile.
        overlays: The files of Snakemake's `--configfile`.
        entries: Those of its `--config`, KEY=VALUE each.

    Raises:
        UserError: One of these files cannot be read as it looks, a key is given twice, or the
            working folder's file leaves out keys of the clone's, which would take the paper's
            values.
    """
    own, whole = Path(_BASE).absolute(), clone / _BASE
    is_own = own.is_symlink() or own.exists()
    base = read_mapping(own if is_own else whole)
    if is_own and not (whole.exists() and own.samefile(whole)):
        _see_that_it_is_whole(own, base, whole)
    for overlay in overlays:
        read_mapping(overlay)
    refuse_doubled_entries(entries)
    return str(own if is_own else whole)


def _see_that_it_is_whole(path: Path, base: dict[str, Any], whole: Path) -> None:
    """Refuse a base that leaves out a key whose default is not what the clone's file gives it."""
    of_clone = read_mapping(whole)
    left_out = [key for key in _left_out(base, of_clone) if not _is_default(key, of_clone)]
    if not left_out:
        return
    more = len(left_out) - _MOST_SHOWN
    shown = ", ".join(left_out[:_MOST_SHOWN]) + (f" and {more} more keys" if more > 0 else "")
    raise UserError(
        f"{path}, which is read in place of {whole}, leaves out {shown}, and these would take the"
        " paper's values: copy that file and change the copy, or rename yours and give it with"
        " --configfile."
    )


def _is_default(key: str, of_clone: dict[str, Any]) -> bool:
    """Whether a configuration means the same without a key."""
    *sections, last = key.split(".")
    without: dict[str, Any] = {}
    update_config(without, of_clone)  # a copy, mapping by mapping
    holder = without
    for section in sections:
        holder = holder[section]
    del holder[last]
    try:
        return check_config(without) == check_config(of_clone)
    except UserError:  # the key is required
        return False


def _left_out(
    part: dict[str, Any], whole: dict[str, Any], place: tuple[str, ...] = ()
) -> Iterator[str]:
    """The keys of a configuration that another lacks; names that the user chooses are no keys."""
    for key, value in whole.items():
        if key in part:
            if isinstance(value, dict) and isinstance(part[key], dict):
                yield from _left_out(part[key], value, (*place, key))
        elif not (len(place) == 1 and place[0] in _NAMED):
            yield ".".join((*place, key))
