"""Leftovers: tensors that a file has and a model has no place for, or that a model needs and a file lacks."""

from collections.abc import Mapping

from torch import Tensor

from soco.errors import UserError


def account(
    library: str, needed: Mapping[str, Tensor], given: Mapping[str, Tensor], fresh: tuple[str, ...] = ()
) -> None:
    """See that a file fills a model: every tensor given has a place of its shape, every one needed is given.

    Args:
        library: Whose model it is, for the message.
        needed: The model's tensors by name.
        given: The file's.
        fresh: What the names of tensors begin with that pretraining does not make, which start fresh.

    Raises:
        UserError: There are leftovers on either side, or shapes differ; all are listed.
    """
    wrong = {
        "without a place": sorted(set(given) - set(needed)),
        "missing": sorted(name for name in set(needed) - set(given) if not name.startswith(fresh)),
        "not to be given": sorted(name for name in set(needed) & set(given) if name.startswith(fresh)),
        "of another shape": [
            f"{name} {tuple(given[name].shape)} for {tuple(needed[name].shape)}"
            for name in sorted(set(needed) & set(given))
            if given[name].shape != needed[name].shape
        ],
    }
    refuse_leftovers(library, wrong)


def refuse_leftovers(library: str, wrong: Mapping[str, list[str]]) -> None:
    """Raise a `UserError` that lists what is wrong with a file for a library, unless nothing is."""
    listed = [f"{len(names)} {what} ({', '.join(names)})" for what, names in wrong.items() if names]
    if listed:
        raise UserError(
            f"The weights do not fit {library}; tensors {'; '.join(listed)}: convert weights that this workflow or "
            "the release wrote, of a ResNet, FPN and box head of its usual form."
        )
