"""How good proposals are: their number, size and shape, and their recall of annotated objects."""

from soco.proposals.quality.recall import RecallJob, measure_recall
from soco.proposals.quality.statistics import describe_proposals

__all__ = ["RecallJob", "describe_proposals", "measure_recall"]
