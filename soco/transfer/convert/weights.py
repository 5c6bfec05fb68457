"""Convert pretrained weights, and try the result in the library that it is for before it is kept."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from soco.errors import UserError
from soco.io import atomic_write, write_result
from soco.transfer.convert.features import differences, pretrained_features, see_that_they_agree
from soco.transfer.convert.names import KINDS, left_behind, part_of, renamed
from soco.transfer.convert.sizes import sizes_of
from soco.transfer.convert.sources import Source, read_source
from soco.transfer.convert.state_dicts import some_of
from soco.transfer.convert.targets import Target, target_of


def convert_file(source: Path, target: str, output: Path, summary: Path) -> None:
    """Convert a file of weights, try the result, write it, and tell what was carried over and what
    was left.

    Args:
        source: As `read_source` takes it.
        target: A name of `TARGETS`.
        output: Receives the converted weights.
        summary: Receives a JSON file: counts, names, each tensor left behind with its reason, and
            how far the features of one image differ between the pretraining's model and the
            target's, as a part of their largest magnitude.

    Raises:
        UserError: The file cannot be read, holds unknown names or lacks a part, the output's name
            has another ending than the target demands, or the target's model does not take the
            weights or computes other features.
    """
    chosen = target_of(target)
    if output.suffix != chosen.suffix:
        raise UserError(
            f"{output} is no name of a file for {target}; give one that ends in {chosen.suffix}."
        )
    read = read_source(source)
    state = read.state
    converted = convert_state(state, target)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"weights{chosen.suffix}"
        chosen.write(made, converted)
        found = verify_conversion(made, state, chosen)
        with atomic_write(output) as temporary:
            shutil.copyfile(made, temporary)
    told = {"target": target, **_summary(read, chosen), "feature_differences": found}
    write_result(summary, told)
    if read.told():
        print(f"Of {source}: {read.told()}.")
    _tell(source, output, chosen, told)


def convert_state(state: Mapping[str, Tensor], target: str) -> dict[str, Tensor]:
    """Give each tensor that the target's model holds the name that it has there.

    Args:
        state: Pretrained tensors by our name, of any shape; a released checkpoint's `module.` is
            allowed.
        target: A name of `TARGETS`.

    Returns:
        Tensors by the library's name, shapes unchanged, reals in float32.

    Raises:
        UserError: A name is unknown, or a part that the target takes is absent.
    """
    chosen = target_of(target)
    names = _names(state, chosen)
    unknown = sorted(name for name, theirs in names.items() if theirs is None)
    if unknown:
        raise UserError(
            f"The pretrained weights hold {len(unknown)} tensor(s) that"
            f" soco/transfer/convert/names.py has no row for ({some_of(unknown)}); add a row there,"
            " or convert weights that this workflow or the release wrote."
        )
    absent = [part for part in KINDS[chosen.kind] if part not in {part_of(name) for name in names}]
    if absent:
        raise UserError(
            f"The pretrained weights hold no {' and no '.join(absent)}, which {chosen.library}"
            " takes; convert a run whose architecture is fpn, ask for detectron2_c4,"
            " torchvision_resnet or timm, or set `holds: resnet` for this file in `weights`."
        )
    return {theirs: _widened(state[name]) for name, theirs in names.items() if theirs is not None}


def verify_conversion(made: Path, state: Mapping[str, Tensor], target: Target) -> dict[str, float]:
    """Load a converted file into its target's model and compare features with those of the
    pretraining's model.

    Args:
        made: The converted file.
        state: The pretrained tensors by our name.
        target: What the file is for.

    Returns:
        For each feature map the largest difference, as a part of the map's largest magnitude;
        nothing for a target that is held to names and shapes alone.

    Raises:
        UserError: Tensors are left over on either side, or features differ by more than 1e-5.
    """
    sizes = sizes_of(state)
    with torch.random.fork_rng(devices=[]):  # models draw weights, which are then overwritten
        probe, ours = pretrained_features(
            {name: _widened(value) for name, value in state.items()}, sizes, target.kind
        )
        theirs = target.run(made, sizes, probe)
    found = differences(ours, theirs) if theirs else {}
    see_that_they_agree(target.library, found)
    return found


def _names(state: Mapping[str, Tensor], target: Target) -> dict[str, str | None]:
    """The target's name of each tensor that it carries."""
    convs = len({name for name in state if part_of(name) == "head" and ".conv" in name})
    carried = [name for name in state if left_behind(name, target.kind) is None]
    return {name: renamed(name, target.column, convs) for name in carried}


def _widened(value: Tensor) -> Tensor:
    return value.detach().float() if value.is_floating_point() else value.detach()


def _summary(source: Source, target: Target) -> dict[str, Any]:
    kind, state = target.kind, source.state
    reasons = {name: left_behind(name, kind) for name in state}
    left = {name: reason for name, reason in reasons.items() if reason is not None} | dict(
        source.left_out
    )
    names = _names(state, target)
    return {
        "kind": kind,
        **({} if source.prefix is None else {"taken_from": source.prefix}),
        "converted": len(names),
        "numbers": sum(state[name].numel() for name in names),
        "left_behind_by_reason": dict(Counter(left.values())),
        "names": names,
        "left_behind": left,
    }


def _tell(source: Path, output: Path, target: Target, told: Mapping[str, Any]) -> None:
    print(
        f"Converted {told['converted']} tensors of {source} ({told['numbers']:,} numbers) to"
        f" {output}."
    )
    for reason, count in told["left_behind_by_reason"].items():
        print(f"Left {count} tensors behind: {reason}.")
    found = told["feature_differences"]
    if not found:
        print(
            f"Names and shapes are those of {target.library}, which is not installed here and was"
            " not run."
        )
        return
    worst = max(found, key=lambda name: found[name])
    apart = (
        f"at most {found[worst]:.1e} of their largest magnitude apart, in {worst}"
        if found[worst]
        else "equal to the bit"
    )
    print(
        f"Loaded into {target.library}, they compute the features that the pretraining's model"
        f" computes: {apart}."
    )
