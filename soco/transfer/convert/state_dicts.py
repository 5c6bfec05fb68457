"""Compare a file's tensors with those that a model needs, by name and shape."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from soco.errors import UserError

_NAMED = 3

Mismatches = Mapping[str, Sequence[str]]
"""Names of tensors by kind of mismatch, such as `missing`."""


def check_state_dict(
    library: str,
    needed: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    fresh: tuple[str, ...] = (),
) -> None:
    """Check that a file's tensors match a model's by name and shape, and that none is missing.

    Args:
        library: Whose model it is, for the message.
        needed: The model's tensors by name.
        given: The file's tensors by name.
        fresh: Prefixes of the tensors that pretraining does not make; the file must not have them.

    Raises:
        UserError: Tensors are missing or unexpected, or shapes differ; the message names the first
            of each.
    """
    raise_mismatches(library, find_mismatches(needed, given, fresh))


def find_mismatches(
    needed: Mapping[str, Tensor], given: Mapping[str, Tensor], fresh: tuple[str, ...] = ()
) -> dict[str, list[str]]:
    """What keeps a file from filling a model, by kind; see `check_state_dict`."""
    common = sorted(set(needed) & set(given))
    return {
        "unexpected": sorted(set(given) - set(needed)),
        # Without prefixes, startswith(()) is false: every missing name counts.
        "missing": sorted(name for name in set(needed) - set(given) if not name.startswith(fresh)),
        "that should be fresh": [name for name in common if name.startswith(fresh)],
        "of another shape": [
            f"{name} {tuple(given[name].shape)} for {tuple(needed[name].shape)}"
            for name in common
            if given[name].shape != needed[name].shape
        ],
    }


def raise_mismatches(library: str, mismatches: Mismatches) -> None:
    """Raise a `UserError` that lists the mismatches, if there are any."""
    if any(mismatches.values()):
        raise UserError(
            "convert.weights_do_not_fit",
            "The weights do not fit {library}: {mismatches}. Convert weights that this workflow or"
            " the release wrote, with the usual ResNet, FPN and box head.",
            library=library,
            mismatches=count_mismatches(mismatches),
        )


def count_mismatches(mismatches: Mismatches) -> str:
    """How many tensors have each mismatch, with the first names: `2 missing (a, b)`."""
    return "; ".join(
        f"{len(names)} {kind} ({first_names(names)})" for kind, names in mismatches.items() if names
    )


def first_names(names: Sequence[str]) -> str:
    """At most three names: `a, b, c and 117 others`."""
    more = len(names) - _NAMED
    if more <= 0:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {more} other{'s' if more > 1 else ''}"
