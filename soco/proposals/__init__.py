"""Proposals: selective search (ours or OpenCV's), filters, fallbacks, and the merged store."""

from soco.config import Strategy
from soco.proposals.filters import filter_mask
from soco.proposals.selective_search import selective_search

__all__ = ["Strategy", "filter_mask", "selective_search"]
