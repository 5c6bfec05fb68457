"""Draw figures so that a failing one does not stop the page."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

from soco.errors import UserError, printable

log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")
Drawn = TypeVar("Drawn")

_LONGEST = 300


@dataclass(frozen=True)
class Undrawn:
    """What the page shows instead of a figure that failed.

    Attributes:
        figure: What it would show, such as `loss of soco`.
        reason: Why it could not be drawn.
    """

    figure: str
    reason: str


class Drawer:
    """Draws figures one by one.

    Attributes:
        failed: The figures that could not be drawn.
    """

    def __init__(self) -> None:
        self.failed: list[Undrawn] = []

    def draw(
        self, figure: str, work: Callable[[*Arguments], Drawn], *arguments: *Arguments
    ) -> Drawn | Undrawn:
        """Draw a figure; if that fails, log the traceback and return an `Undrawn`.

        Args:
            figure: What it shows.
            work: The function that draws it.
            arguments: Its arguments.

        Raises:
            UserError: A file that the figure is drawn from is missing or malformed.
        """
        try:
            return work(*arguments)
        except UserError:
            raise
        except Exception as error:
            log.exception("could not draw the figure: %s", figure)
            reason = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}"
            self.failed.append(Undrawn(printable(figure), printable(reason, _LONGEST)))
            return self.failed[-1]
