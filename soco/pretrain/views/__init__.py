"""Views: crops of an image with their boxes and augmentations (SoCo section 3).

A sample is planned (`plan.py`: all random draws) and then rendered (`render.py`: pixels).
"""

from soco.pretrain.views.batch import Batch, Pair, collate
from soco.pretrain.views.dataset import ViewDataset, prepare_worker
from soco.pretrain.views.plan import Plan, ViewPlan, plan_views
from soco.pretrain.views.render import make_views, render

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
