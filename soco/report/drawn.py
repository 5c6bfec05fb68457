"""A figure of the report that cannot be drawn costs its place on the page, not the page."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ParamSpec, TypeVar

from soco.errors import UserError, printable

log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")

_LONGEST = 300


@dataclass(frozen=True)
class Undrawn:
    """What stands on the page in the place of a figure.

    Attributes:
        figure: What it was to show, such as `loss of soco`.
        reason: Why it could not be drawn.
    """

    figure: str
    reason: str

    def data(self) -> dict[str, str]:
        """The same for `report.json`."""
        return asdict(self)


class Drawer:
    """Draws figures one by one.

    Attributes:
        failed: Those that could not be drawn.
    """

    def __init__(self) -> None:
        self.failed: list[Undrawn] = []

    def draw(
        self,
        figure: str,
        work: Callable[Arguments, Drawn],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Drawn | Undrawn:
        """Draw a figure; where that fails, log the traceback and give what stands in its place.

        Args:
            figure: What it shows.
            work: Draws it.
            arguments: Of the work.
            named: The same.

        Raises:
            UserError: A file that the figure is drawn from is missing or holds something else.
        """
        try:
            return work(*arguments, **named)
        except UserError:
            raise
        except Exception as error:
            log.exception("could not draw the figure: %s", figure)
            said = str(error).strip() or "no reason given"
            self.failed.append(
                Undrawn(printable(figure), printable(f"{type(error).__name__}: {said}", _LONGEST))
            )
            return self.failed[-1]
