"""Views: crops of an image, the proposals seen in each, and what is done to their colours."""

from soco.pretrain.views.batch import Batch, Pair, collate
from soco.pretrain.views.dataset import ViewDataset
from soco.pretrain.views.plan import Plan, ViewPlan, plan_views
from soco.pretrain.views.render import make_views, render
from soco.pretrain.views.workers import prepare_worker

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
