"""How good proposals are.

Their number, size and shape over a store, and their recall of annotated objects.
"""

from soco.proposals.quality.recall import measure_recall
from soco.proposals.quality.statistics import describe_proposals

__all__ = ["describe_proposals", "measure_recall"]
