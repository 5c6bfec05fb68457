"""Fine-tuning and evaluation with detectron2, which only this package imports."""

from soco.errors import UserError

try:
    import detectron2  # noqa: F401
except ImportError:
    raise UserError(
        "detect.detectron2_missing",
        "detectron2, which fine-tuning and evaluation need, is not installed in this Python; run"
        " `make install`.",
    ) from None

from soco.transfer.detect.evaluate import evaluate
from soco.transfer.detect.finetune import finetune
from soco.transfer.detect.jobs import EvaluateJob, FinetuneJob

__all__ = ["EvaluateJob", "FinetuneJob", "evaluate", "finetune"]
