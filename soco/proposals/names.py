"""Which image another's file means by a name."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from soco.errors import UserError


class ImageNames:
    """The names that images may go by.

    The whole key, the base name, the base name without suffix.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        """Take the images' keys, in the order of their numbers."""
        self._keys = list(keys)
        self._numbers: tuple[dict[str, int], ...] = ({}, {}, {})
        self._shared: tuple[dict[str, int], ...] = ({}, {}, {})
        for number, key in enumerate(self._keys):
            base = PurePosixPath(key).name
            for level, name in enumerate((key, base, PurePosixPath(base).stem)):
                if self._numbers[level].setdefault(name, number) != number:
                    self._shared[level][name] = number

    def find(self, name: str) -> tuple[int, int] | None:
        """The number of the image that `name` means, and how fully it names it: 0 the key, 1 base
        name, 2 its stem.

        Returns:
            None where no image has the name.

        Raises:
            UserError: Two images have it.
        """
        for level, (numbers, shared) in enumerate(zip(self._numbers, self._shared, strict=True)):
            if name in shared:
                one, other = self._keys[numbers[name]], self._keys[shared[name]]
                raise UserError(
                    f"The boxes of {name!r} may be those of {one!r} or of {other!r}; name them by"
                    " whole keys."
                )
            if name in numbers:
                return numbers[name], level
        return None
