"""Begin a pretraining with given weights: an earlier run's, or those of a file."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from soco.errors import UserError
from soco.pretrain.model import SoCo, load_weights

INITIAL_PARTS = ("encoder", "neck", "head", "projector", "predictor")
"""The parts of the online branch, by the first component of their tensors' names."""

_COUNT = ".num_batches_tracked"  # detectron2's files have none, and norms do not use it here


@dataclasses.dataclass(frozen=True)
class Initial:
    """What a model began with.

    Attributes:
        loaded: The parts of the online branch that a file gave.
        drawn: The parts that the file lacks, which keep the seed's draw.
    """

    loaded: tuple[str, ...]
    drawn: tuple[str, ...]

    def words(self) -> str:
        """Say what was loaded, as a clause."""
        drawn = f"; {', '.join(self.drawn)} as drawn from the seed" if self.drawn else ""
        return f"{', '.join(self.loaded)}{drawn}; the target branch is a copy"


def load_initial(model: SoCo, path: Path) -> Initial:
    """Load weights into the online branch, and copy it to the target branch.

    A part that the file lacks keeps its weights; parts that the model lacks, and a target branch in
    the file, are ignored.

    Args:
        model: The model.
        path: Tensors by our name: weights or a checkpoint of a run, a released raw checkpoint, or
            the output of `soco.transfer.convert.prepare_initial`.

    Raises:
        UserError: The file cannot be read, has no encoder, or has a part of other sizes.
    """
    given, needed = load_weights(path), model.state_dict()
    loaded: dict[str, dict[str, Tensor]] = {}
    drawn = []
    for part in INITIAL_PARTS:
        ours, theirs = _of_part(needed, part), _of_part(given, part)
        if ours and theirs:
            _check_part(path, part, ours, theirs)
            loaded[part] = theirs
        elif ours:
            drawn.append(part)
    if "encoder" not in loaded:
        raise UserError(
            "pretrain.initial_without_encoder",
            "{path} has no tensors named encoder.*, so it cannot initialise a pretraining; give the"
            " weights of a run, or list the file under `weights`, which finds the ResNet in it.",
            path=path,
        )
    for tensors in loaded.values():
        # Not strict, as it is one part of the model and may lack counts.
        model.load_state_dict(tensors, strict=False)
    model.copy_to_target()
    return Initial(tuple(loaded), tuple(drawn))


def _of_part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith(f"{part}.")}


def _check_part(
    path: Path, part: str, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]
) -> None:
    """Raise a `UserError` if a part of the file differs from the model's by names or shapes."""
    for name in sorted(ours.keys() & theirs.keys()):
        found, needed = tuple(theirs[name].shape), tuple(ours[name].shape)
        if found != needed:
            raise UserError(
                "pretrain.initial_shape",
                "{path} has {name} of shape {found}, but the model's has {needed}. {remedy}",
                path=path,
                name=name,
                found=found,
                needed=needed,
                remedy=_remedy(part),
            )
    different = sorted(name for name in ours.keys() ^ theirs.keys() if not name.endswith(_COUNT))
    if different:
        raise UserError(
            "pretrain.initial_tensors",
            "The {part} of {path} has other tensors than the model's: {count} are only in one of"
            " them, such as {name}. {remedy}",
            path=path,
            part=part,
            count=len(different),
            name=different[0],
            remedy=_remedy(part),
        )


def _remedy(part: str) -> str:
    if part == "encoder":
        return "Set detector.backbone to the ResNet of that file."
    of_mlp = part in ("projector", "predictor")
    keys = "projector_hidden, _out and _norm" if of_mlp else "the keys of `detector`"
    return (
        f"Set {keys} as they were for that file, with its `architecture`, or list the file under"
        " `weights` with `holds: resnet` to take only its ResNet."
    )
