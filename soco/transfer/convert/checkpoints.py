"""A plain ResNet in another library's checkpoint: found by the names of its tensors, judged by
their shapes.

Checkpoints of self-supervised training hold the ResNet behind a prefix (`module.encoder_q.`,
`teacher.backbone.`), with heads, queues and a second, slower ResNet beside it. The prefix is
whatever stands before the ResNet's own names, so that no list of prefixes is needed; only which of
several ResNets is taken follows from their words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import Tensor

from soco.errors import UserError
from soco.transfer.convert.sizes import resnet_of
from soco.transfer.convert.state_dicts import counted, leftovers, some_of

# `nn.Sequential` of a ResNet's children, as lightly's examples build it: 2 and 3, ReLU and pooling,
# hold no tensor.
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_BY_NAME = {name: name for name in _CHILDREN.values()}

# Words of a prefix, by the place of such a ResNet in the order of preference; one without any of
# them is second.
_WORDS: tuple[set[str], ...] = (
    {"teacher"},
    set(),
    {"student"},
    {"ema", "k", "key", "m", "momentum", "slow", "target"},
)
_PLAIN = 1

_TRANSFORMER = re.compile(r"\b(patch_embed|cls_token|class_token|attn|attention|self_attention)\b")


@dataclass(frozen=True)
class FoundResNet:
    """A ResNet in a checkpoint.

    Attributes:
        prefix: What its tensors' names begin with there, such as `encoder_q.`; "" where nothing
            stands before them.
        tensors: Its tensors by torchvision's names, all of its shapes, and a count of 0 where a
            norm has none.
        others: The prefixes of other ResNets in the file, which were not taken.
        left_out: The file's other tensors by their name there, each with the reason.
    """

    prefix: str
    tensors: dict[str, Tensor]
    others: tuple[str, ...]
    left_out: dict[str, str]


def find_resnet(path: Path, state: Mapping[str, Tensor]) -> FoundResNet:
    """Find the ResNet-18, 34, 50 or 101 to take among a checkpoint's tensors.

    Of several, that of a teacher comes first, then any without a word of a copy, then a student,
    then a copy that follows the trained one (momentum, target, key, EMA). Two of one rank are taken
    for one where they are equal.

    Args:
        path: The checkpoint, for messages.
        state: All its tensors by name.

    Raises:
        UserError: It holds none, two between which nothing decides, or one of another form than
            torchvision's.
    """
    found = {
        prefix: _tensors(state, prefix, children) for prefix, children in _prefixes(state).items()
    }
    if not found:
        raise UserError(f"{path} holds no ResNet by torchvision's names, {_instead(state)}")
    first, *rest = sorted(found, key=lambda prefix: (_rank(prefix), prefix))
    _refuse_a_tie(
        path, first, [other for other in rest if _rank(other) == _rank(first)], found, state
    )
    names = found[first]
    tensors = _whole(
        f"The ResNet at {_shown(first)} of {path}",
        {own: state[name] for own, name in names.items()},
    )
    taken = {names[own] for own in tensors if own in names}
    left_out = {name: _reason(name, rest) for name in state if name not in taken}
    return FoundResNet(first, tensors, tuple(rest), left_out)


def with_counts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, and 0 for each count of batches that a norm lacks.

    Files from before PyTorch 0.4.1 have none.
    """
    variances = [name for name in tensors if name.endswith(".running_var")]
    return {
        name.replace("running_var", "num_batches_tracked"): torch.tensor(0) for name in variances
    } | dict(tensors)


def _prefixes(state: Mapping[str, Tensor]) -> dict[str, dict[str, str]]:
    """Where ResNets begin, and how each names its children."""
    found: dict[str, dict[str, str]] = {}
    for last, children in (("4.0.conv1.weight", _CHILDREN), ("layer1.0.conv1.weight", _BY_NAME)):
        for name in state:
            prefix = name.removesuffix(last)
            if name.endswith(last) and (not prefix or prefix.endswith(".")):
                found[prefix] = children
    return found


def _tensors(
    state: Mapping[str, Tensor], prefix: str, children: Mapping[str, str]
) -> dict[str, str]:
    """The names behind a prefix of what belongs to a ResNet, by torchvision's names."""
    found = {}
    for name in state:
        child, _, rest = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and child in children and rest:
            found[f"{children[child]}.{rest}"] = name
    return found


def _rank(prefix: str) -> int:
    words = set(re.split(r"[._]", prefix))
    return next((rank for rank, of_rank in enumerate(_WORDS) if words & of_rank), _PLAIN)


def _refuse_a_tie(
    path: Path,
    first: str,
    equals: list[str],
    found: Mapping[str, Mapping[str, str]],
    state: Mapping[str, Tensor],
) -> None:
    for other in equals:
        same = found[first].keys() == found[other].keys() and all(
            torch.equal(state[name], state[found[other][own]]) for own, name in found[first].items()
        )
        if not same:
            places = some_of([_shown(prefix) for prefix in (first, *equals)])
            raise UserError(
                f"{path} holds {1 + len(equals)} ResNets that differ, at {places}, and their names"
                " do not say which to take; save the one that you want in a file of its own."
            )


def _whole(holder: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors and their counts, if they are those of one of torchvision's ResNets.

    Raises:
        UserError: Some are missing, have no place, or have another shape or type.
    """
    name = resnet_of(tensors, holder)
    with torch.device("meta"):
        needed = torchvision.models.get_model(name, weights=None).state_dict()
    needed = {own: held for own, held in needed.items() if not own.startswith("fc.")}
    given = {own: held for own, held in with_counts(tensors).items() if not own.startswith("fc.")}
    whole_numbers = [
        own for own, held in given.items() if not _may_hold(needed.get(own, held), held)
    ]
    wrong = leftovers(needed, given) | {"of whole numbers": whole_numbers}
    if any(wrong.values()):
        raise UserError(
            f"{holder} is no plain {name} as torchvision has it; tensors {counted(wrong)}: give the"
            " weights of a ResNet-18, 34, 50 or 101 with its usual stem and widths."
        )
    return given


def _may_hold(needed: Tensor, given: Tensor) -> bool:
    """Whether the given numbers are reals where reals are needed."""
    return given.is_floating_point() or not needed.is_floating_point()


def _instead(state: Mapping[str, Tensor]) -> str:
    held = some_of(sorted(state))
    if any(_TRANSFORMER.search(name) for name in state):
        return f"but a vision transformer ({held}); give the weights of a ResNet-18, 34, 50 or 101."
    return (
        f"conv1, bn1 and layer1 to layer4, with or without a prefix, but {held}; give a ResNet-18,"
        " 34, 50 or 101."
    )


def _reason(name: str, others: list[str]) -> str:
    for other in others:
        if other and name.startswith(other):
            return f"it belongs to another network of the file, {other.removesuffix('.')}"
    return (
        "it belongs to no ResNet, but to a head, a queue or other parts of that library's training"
    )


def _shown(prefix: str) -> str:
    return repr(prefix.removesuffix(".")) if prefix else "the top"
