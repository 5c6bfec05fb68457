"""Images without a proposal, each used as one box in pretraining: how many, and why."""

from dataclasses import dataclass

import numpy as np

from soco.config import FilterConfig
from soco.data.stores.proposal_store import ProposalStore


@dataclass(frozen=True)
class WithoutProposals:
    """Counts of a store's images without a proposal.

    Attributes:
        images: Number of images in the store.
        without: Number of images without a proposal.
        regionless: Number of these that had no region before the filter either.
        side: Median shorter side, in pixels, of those that had regions; None if there are none.
    """

    images: int
    without: int
    regionless: int
    side: float | None

    @property
    def share(self) -> float:
        """Fraction of the images without a proposal; 0 in an empty store."""
        return self.without / max(1, self.images)

    @property
    def mostly_regionless(self) -> bool:
        """Whether another filter would help fewer than half of them."""
        return 2 * self.regionless > self.without

    def words(self, settings: FilterConfig | None) -> str:
        """Say how many images have no proposal, and why, as a clause.

        Args:
            settings: The filter that made the store; None if unknown.
        """
        if not self.without:
            return f"each of the {self.images} images has a proposal"
        why = "; ".join(filter(None, (self._of_search(), self._of_filter(settings))))
        return f"{self.without} of {self.images} images have no proposal ({why})"

    def _of_search(self) -> str:
        if not self.regionless:
            return ""
        return (
            f"{self.regionless} have no region: the search found none, or proposals.file contains"
            " none"
        )

    def _of_filter(self, settings: FilterConfig | None) -> str:
        if self.side is None:
            return ""
        filtered = f"the filter kept no region of {self.without - self.regionless}"
        if settings is None:
            return f"{filtered}, whose median shorter side is {self.side:g} pixels"
        tried = ", ".join(strategy.name for strategy in (settings.strategy, *settings.fallbacks))
        return (
            f"{filtered}: filter.min_side is {settings.min_side} pixels, the median shorter side of"
            f" these images is {self.side:g}, and the strategies tried are {tried}"
        )


def count_without(store: ProposalStore) -> WithoutProposals:
    """Count the images of a store without a proposal."""
    empty = store.empty
    had_regions = empty[store.regions(empty) > 0]
    side = float(np.median(store.shorter_sides(had_regions))) if len(had_regions) else None
    return WithoutProposals(len(store), len(empty), len(empty) - len(had_regions), side)
