"""Find a plain ResNet in another library's checkpoint, by the names and shapes of its tensors.

In checkpoints of self-supervised training the ResNet has a prefix (`module.encoder_q.`,
`teacher.backbone.`), and there are other tensors: heads, queues, a momentum copy of the ResNet. The
prefix is whatever precedes the ResNet's own names, so no list of prefixes is needed; only the
choice between several ResNets depends on the words in their prefixes.
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
from soco.transfer.convert.state_dicts import count_mismatches, find_mismatches, first_names

# `nn.Sequential` of a ResNet's children, as lightly's examples build it; 2 and 3 are ReLU and
# pooling, without tensors.
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_BY_NAME = {name: name for name in _CHILDREN.values()}

# Words in a prefix, in the order of preference; a prefix without any of them ranks second.
# DINO's teacher is the network to use; the momentum copies of MoCo and BYOL only serve training.
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
        prefix: The prefix of its tensors' names there, such as `encoder_q.`; "" at the top level.
        tensors: Its tensors by torchvision's names; norms without a batch count get a 0.
        others: The prefixes of the other ResNets in the file, which were not chosen.
        left_out: The file's other tensors by their name there, each with the reason.
    """

    prefix: str
    tensors: dict[str, Tensor]
    others: tuple[str, ...]
    left_out: dict[str, str]


def find_resnet(path: Path, state: Mapping[str, Tensor]) -> FoundResNet:
    """Choose a ResNet-18, 34, 50 or 101 among a checkpoint's tensors.

    Of several, a teacher ranks first, then a network whose prefix has none of these words, then a
    student, then a momentum copy (momentum, target, key, EMA). Two of the same rank count as one if
    they are equal.

    Args:
        path: The checkpoint, for messages.
        state: All its tensors by name.

    Raises:
        UserError: There is no ResNet, the choice is ambiguous, or the ResNet is not of
            torchvision's form.
    """
    candidates = {
        prefix: _tensor_names(state, prefix, children)
        for prefix, children in _prefixes(state).items()
    }
    if not candidates:
        raise _no_resnet(path, state)
    # Then by prefix, so that the choice does not depend on the order in the file.
    first, *rest = sorted(candidates, key=lambda prefix: (_rank(prefix), prefix))
    tied = [other for other in rest if _rank(other) == _rank(first)]
    _check_tie(path, [first, *tied], candidates, state)
    names = candidates[first]
    tensors = _check_form(
        f"The ResNet at {_shown(first)} of {path}",
        {own: state[name] for own, name in names.items()},
    )
    taken = {names[own] for own in tensors if own in names}
    left_out = {name: _reason(name, rest) for name in state if name not in taken}
    return FoundResNet(first, tensors, tuple(rest), left_out)


def with_batch_counts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add `num_batches_tracked` 0 to norms without it, as in files before PyTorch 0.4.1."""
    variances = [name for name in tensors if name.endswith(".running_var")]
    return {
        name.replace("running_var", "num_batches_tracked"): torch.tensor(0) for name in variances
    } | dict(tensors)


def _prefixes(state: Mapping[str, Tensor]) -> dict[str, dict[str, str]]:
    """The prefixes of ResNets, each with the ResNet's names for its children."""
    prefixes: dict[str, dict[str, str]] = {}
    # A tensor that every ResNet has exactly once.
    for last, children in (("4.0.conv1.weight", _CHILDREN), ("layer1.0.conv1.weight", _BY_NAME)):
        for name in state:
            prefix = name.removesuffix(last)
            # The prefix must end a part of the name: `sublayer1.` is not `layer1.`.
            if name.endswith(last) and (not prefix or prefix.endswith(".")):
                prefixes[prefix] = children
    return prefixes


def _tensor_names(
    state: Mapping[str, Tensor], prefix: str, children: Mapping[str, str]
) -> dict[str, str]:
    """The names of a ResNet's tensors behind a prefix, by torchvision's names."""
    names = {}
    for name in state:
        child, _, rest = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and child in children and rest:
            names[f"{children[child]}.{rest}"] = name
    return names


def _rank(prefix: str) -> int:
    words = set(re.split(r"[._]", prefix))
    return next((rank for rank, of_rank in enumerate(_WORDS) if words & of_rank), _PLAIN)


def _check_tie(
    path: Path,
    prefixes: list[str],
    candidates: Mapping[str, Mapping[str, str]],
    state: Mapping[str, Tensor],
) -> None:
    """Check that ResNets of the same rank are equal.

    Raises:
        UserError: They differ, so that the choice is ambiguous.
    """
    first, *others = prefixes
    for other in others:
        one, two = candidates[first], candidates[other]
        same = one.keys() == two.keys() and all(
            torch.equal(state[name], state[two[own]]) for own, name in one.items()
        )
        if not same:
            raise UserError(
                "convert.ambiguous_resnet",
                "{path} has {count} different ResNets, at {places}, and their names do not say"
                " which one to take; save the one that you want in a file of its own.",
                path=path,
                count=len(prefixes),
                places=first_names([_shown(prefix) for prefix in prefixes]),
            )


def _check_form(owner: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with batch counts, if they are those of one of torchvision's ResNets.

    Raises:
        UserError: Tensors are missing, unexpected, or of another shape or type.
    """
    name = resnet_of(tensors, owner)
    # Names and shapes only: no memory and no random numbers.
    with torch.device("meta"):
        needed = torchvision.models.get_model(name, weights=None).state_dict()
    needed = {own: value for own, value in needed.items() if not own.startswith("fc.")}
    given = {
        own: value for own, value in with_batch_counts(tensors).items() if not own.startswith("fc.")
    }
    # Quantised weights have the right names and shapes, too.
    integers = [
        own
        for own, value in given.items()
        if own in needed and needed[own].is_floating_point() and not value.is_floating_point()
    ]
    mismatches = find_mismatches(needed, given) | {"of integers": integers}
    if any(mismatches.values()):
        raise UserError(
            "convert.not_a_plain_resnet",
            "{owner} differs from torchvision's {resnet}: {mismatches}. Give the weights of a"
            " ResNet-18, 34, 50 or 101 with the usual stem and widths.",
            owner=owner,
            resnet=name,
            mismatches=count_mismatches(mismatches),
        )
    return given


def _no_resnet(path: Path, state: Mapping[str, Tensor]) -> UserError:
    names = first_names(sorted(state))
    if any(_TRANSFORMER.search(name) for name in state):
        return UserError(
            "convert.vision_transformer",
            "{path} has no ResNet but a vision transformer ({names}); give the weights of a"
            " ResNet-18, 34, 50 or 101.",
            path=path,
            names=names,
        )
    return UserError(
        "convert.no_resnet",
        "{path} has no ResNet with torchvision's names (conv1, bn1, layer1 to layer4, with or"
        " without a prefix), but {names}; give the weights of a ResNet-18, 34, 50 or 101.",
        path=path,
        names=names,
    )


def _reason(name: str, others: list[str]) -> str:
    for other in others:
        if other and name.startswith(other):
            return f"it belongs to another network in the file, {other.removesuffix('.')}"
    return "it is not part of a ResNet, but of a head, a queue or another part of the training"


def _shown(prefix: str) -> str:
    return repr(prefix.removesuffix(".")) if prefix else "the top level"
