"""Fine-tuning and evaluation with detectron2, which is imported in this folder and nowhere else."""

from soco.errors import UserError

try:
    import detectron2  # noqa: F401
except ImportError:
    raise UserError(
        "detectron2, which fine-tuning and evaluation run on, is not installed in this Python; "
        "run `make install`, which installs it with the rest."
    ) from None

from soco.transfer.detect.evaluate import evaluate
from soco.transfer.detect.finetune import finetune

__all__ = ["evaluate", "finetune"]
