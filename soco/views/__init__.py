"""Views: crops of a picture, the proposals seen in each, and what is done to their colours."""

from soco.views.batch import Batch, Pair, collate
from soco.views.dataset import ViewDataset

__all__ = ["Batch", "Pair", "ViewDataset", "collate"]
