"""Convert pretrained weights, and verify the result in its library before it is written."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from soco.errors import UserError
from soco.io import Origin, atomic_write, write_json
from soco.transfer.convert.features import (
    check_agreement,
    pretrained_features,
    relative_differences,
)
from soco.transfer.convert.names import KINDS, left_behind, part_of, renamed
from soco.transfer.convert.sizes import sizes_of
from soco.transfer.convert.sources import Source, read_source
from soco.transfer.convert.state_dicts import first_names
from soco.transfer.convert.targets import Target, target_of


def convert_file(
    source: Path, target: str, output: Path, summary: Path, origin: Origin | None = None
) -> None:
    """Convert a file of weights, verify the result, and write it with a summary.

    Args:
        source: A file that `read_source` accepts.
        target: A key of `TARGETS`.
        output: Receives the converted weights.
        summary: Receives JSON: counts, names, each tensor left behind with its reason, and for each
            feature map the largest difference from the pretraining's model, relative to the map's
            largest magnitude.
        origin: What made the files.

    Raises:
        UserError: The file cannot be read, has unknown names or lacks a part, the output has the
            wrong suffix, or the target's model does not take the weights or computes other
            features.
    """
    chosen = target_of(target)
    if output.suffix != chosen.suffix:
        raise UserError(
            "convert.wrong_suffix",
            "{output} does not end in {suffix}, which {target} needs; give a name that does.",
            output=output,
            suffix=chosen.suffix,
            target=target,
        )
    read = read_source(source)
    state = read.state
    with tempfile.TemporaryDirectory() as folder:
        # The library reads the file itself, not our tensors: this also verifies the format.
        converted = Path(folder) / f"weights{chosen.suffix}"
        chosen.write(converted, convert_state(state, target), origin)
        differences = verify_conversion(converted, state, chosen)
        with atomic_write(output) as temporary:
            shutil.copyfile(converted, temporary)
    content = {"target": target, **_summarise(read, chosen), "feature_differences": differences}
    write_json(summary, content, origin)
    if read.choice():
        print(f"{source}: {read.choice()}.")
    _print_summary(source, output, chosen, content)


def convert_state(state: Mapping[str, Tensor], target: str) -> dict[str, Tensor]:
    """Rename the tensors that the target's model takes.

    Args:
        state: Pretrained tensors by our name, of any shape; a released checkpoint's `module.`
            prefix is allowed.
        target: A key of `TARGETS`.

    Returns:
        Tensors by the library's name, shapes unchanged, real numbers in float32.

    Raises:
        UserError: A name is unknown, or a part that the target takes is missing.
    """
    chosen = target_of(target)
    names = _names(state, chosen)
    unknown = sorted(name for name, theirs in names.items() if theirs is None)
    if unknown:
        raise UserError(
            "convert.unknown_names",
            "The pretrained weights have {count} tensors that soco/transfer/convert/names.py has no"
            " row for ({names}); add a row there, or convert weights that this workflow or the"
            " release wrote.",
            count=len(unknown),
            names=first_names(unknown),
        )
    present = {part_of(name) for name in names}
    missing = [part for part in KINDS[chosen.kind] if part not in present]
    if missing:
        raise UserError(
            "convert.missing_part",
            "The pretrained weights have no {parts}, which {library} takes; convert a run whose"
            " architecture is fpn, choose detectron2_c4, torchvision_resnet or timm, or set `holds:"
            " resnet` for this file in `weights`.",
            parts=" and no ".join(missing),
            library=chosen.library,
        )
    return {
        theirs: _to_float32(state[name]) for name, theirs in names.items() if theirs is not None
    }


def verify_conversion(
    converted: Path, state: Mapping[str, Tensor], target: Target
) -> dict[str, float]:
    """Load a converted file into its target's model and compare features with the pretrained model.

    Args:
        converted: The converted file.
        state: The pretrained tensors by our name.
        target: What the file is for.

    Returns:
        For each feature map the largest difference, relative to the map's largest magnitude; empty
        for a target that is checked by names and shapes only.

    Raises:
        UserError: Tensors are missing or unexpected, or features differ by more than 1e-5.
    """
    sizes = sizes_of(state)
    with torch.random.fork_rng(devices=[]):  # models draw weights, which are then overwritten
        probe, ours = pretrained_features(
            {name: _to_float32(value) for name, value in state.items()}, sizes, target.kind
        )
        theirs = target.run(converted, sizes, probe)
    differences = relative_differences(ours, theirs) if theirs else {}
    check_agreement(target.library, differences)
    return differences


def _names(state: Mapping[str, Tensor], target: Target) -> dict[str, str | None]:
    """The target's name for each tensor that it takes."""
    # One tensor for each: the head's convolutions have no bias.
    convs = len({name for name in state if part_of(name) == "head" and ".conv" in name})
    carried = [name for name in state if left_behind(name, target.kind) is None]
    return {name: renamed(name, target.column, convs) for name in carried}


def _to_float32(value: Tensor) -> Tensor:
    # Batch counts stay integers.
    return value.detach().float() if value.is_floating_point() else value.detach()


def _summarise(source: Source, target: Target) -> dict[str, Any]:
    state = source.state
    reasons = {name: left_behind(name, target.kind) for name in state}
    left = {name: reason for name, reason in reasons.items() if reason is not None}
    left |= source.left_out
    names = _names(state, target)
    return {
        "kind": target.kind,
        **({} if source.prefix is None else {"taken_from": source.prefix}),
        "converted": len(names),
        "numbers": sum(state[name].numel() for name in names),
        "left_behind_by_reason": dict(Counter(left.values())),
        "names": names,
        "left_behind": left,
    }


def _print_summary(source: Path, output: Path, target: Target, content: Mapping[str, Any]) -> None:
    print(
        f"Converted {content['converted']} tensors of {source} ({content['numbers']:,} numbers) to"
        f" {output}."
    )
    for reason, count in content["left_behind_by_reason"].items():
        print(f"Left {count} tensors behind: {reason}.")
    differences = content["feature_differences"]
    if not differences:
        print(
            f"Names and shapes match {target.library}; the library is not installed, so the file"
            " was not run in it."
        )
        return
    worst = max(differences, key=lambda name: differences[name])
    agreement = "exactly the same features as"
    if differences[worst]:
        agreement = (
            f"the same features, to {differences[worst]:.1e} of their largest magnitude (in"
            f" {worst}), as"
        )
    print(f"Loaded into {target.library}, the weights compute {agreement} the pretrained model.")
