"""Leftovers.

Tensors that a file has and a model has no place for, or that a model needs and a file lacks.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from soco.errors import UserError

_NAMED = 3


def check_state_dict(
    library: str,
    needed: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    fresh: tuple[str, ...] = (),
) -> None:
    """See that a file fills a model: every tensor given has a place of its shape, every one needed
    is given.

    Args:
        library: Whose model it is, for the message.
        needed: The model's tensors by name.
        given: The file's.
        fresh: What the names of tensors begin with that pretraining does not make, which start
            fresh.

    Raises:
        UserError: There are leftovers on either side, or shapes differ; the first of each are
            named.
    """
    refuse_leftovers(library, leftovers(needed, given, fresh))


def leftovers(
    needed: Mapping[str, Tensor], given: Mapping[str, Tensor], fresh: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """What keeps a file from filling a model, by kind of fault; see `account`."""
    return {
        "without a place": sorted(set(given) - set(needed)),
        "missing": sorted(name for name in set(needed) - set(given) if not name.startswith(fresh)),
        "not to be given": sorted(
            name for name in set(needed) & set(given) if name.startswith(fresh)
        ),
        "of another shape": [
            f"{name} {tuple(given[name].shape)} for {tuple(needed[name].shape)}"
            for name in sorted(set(needed) & set(given))
            if given[name].shape != needed[name].shape
        ],
    }


def refuse_leftovers(library: str, wrong: Mapping[str, Sequence[str]]) -> None:
    """Raise a `UserError` that says what is wrong with a file for a library, unless nothing is."""
    if any(wrong.values()):
        raise UserError(
            f"The weights do not fit {library}; tensors {counted(wrong)}: convert weights that this"
            " workflow or the release wrote, of a ResNet, FPN and box head of its usual form."
        )


def counted(wrong: Mapping[str, Sequence[str]]) -> str:
    """How many tensors have each fault, and the first names of each."""
    return "; ".join(
        f"{len(names)} {what} ({some_of(names)})" for what, names in wrong.items() if names
    )


def some_of(names: Sequence[str]) -> str:
    """At most three names: `a, b, c and 117 others`."""
    more = len(names) - _NAMED
    if more <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {more} other{'s' if more > 1 else ''}"
