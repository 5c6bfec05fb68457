"""Views: crops of a picture, the proposals seen in each, and what is done to their colours."""

from soco.views.batch import Batch, Pair, collate
from soco.views.dataset import ViewDataset
from soco.views.plan import Plan, ViewPlan, plan_views
from soco.views.render import make_views, render
from soco.views.workers import prepare_worker

__all__ = [
    "Batch",
    "Pair",
    "Plan",
    "ViewDataset",
    "ViewPlan",
    "collate",
    "make_views",
    "plan_views",
    "prepare_worker",
    "render",
]
