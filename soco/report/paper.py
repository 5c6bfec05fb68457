"""The paper's results (arXiv 2106.02637, tables of transfer to COCO and LVIS) as data."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

PROTOCOL = {
    "coco": (
        "ResNet-50 pretrained on ImageNet, Mask R-CNN fine-tuned on COCO train2017 (90,000"
        " iterations of 16 images), COCO val2017"
    ),
    "lvis": (
        "ResNet-50 pretrained on ImageNet, Mask R-CNN fine-tuned on LVIS v1 train (180,000"
        " iterations of 16 images), LVIS v1 val"
    ),
}

Detector = Literal["R50-FPN", "R50-C4"]
Format = Literal["coco", "lvis"]
Three = tuple[float, float, float]


@dataclass(frozen=True)
class PaperRow:
    """One row of the paper's tables; `box` and `mask` are AP, AP50, AP75, from 0 to 100.

    Attributes:
        format: The data set: `coco` is COCO, `lvis` is LVIS v1.
        detector: The Mask R-CNN.
        initialisation: The pretraining, or `scratch`.
        epochs: Epochs of pretraining on ImageNet; None: from scratch.
        box: AP of boxes.
        mask: AP of masks.
    """

    format: Format
    detector: Detector
    initialisation: str
    epochs: int | None
    box: Three
    mask: Three


PAPER_ROWS = (
    PaperRow("coco", "R50-FPN", "scratch", None, (31.0, 49.5, 33.2), (28.5, 46.8, 30.4)),
    PaperRow("coco", "R50-FPN", "supervised", 90, (38.9, 59.6, 42.7), (35.4, 56.5, 38.1)),
    PaperRow("coco", "R50-FPN", "SoCo", 100, (42.3, 62.5, 46.5), (37.6, 59.1, 40.5)),
    PaperRow("coco", "R50-FPN", "SoCo", 400, (43.0, 63.3, 47.1), (38.2, 60.2, 41.0)),
    PaperRow("coco", "R50-FPN", "SoCo*", 400, (43.2, 63.5, 47.4), (38.4, 60.2, 41.4)),
    PaperRow("coco", "R50-C4", "scratch", None, (26.4, 44.0, 27.8), (29.3, 46.9, 30.8)),
    PaperRow("coco", "R50-C4", "supervised", 90, (38.2, 58.2, 41.2), (33.3, 54.7, 35.2)),
    PaperRow("coco", "R50-C4", "SoCo", 100, (40.4, 60.4, 43.7), (34.9, 56.8, 37.0)),
    PaperRow("coco", "R50-C4", "SoCo", 400, (40.9, 60.9, 44.3), (35.3, 57.5, 37.3)),
    PaperRow("lvis", "R50-FPN", "supervised", 90, (20.4, 32.9, 21.7), (19.4, 30.6, 20.5)),
    PaperRow("lvis", "R50-FPN", "SoCo*", 400, (26.3, 41.2, 27.8), (25.0, 38.5, 26.8)),
)


def paper_rows(form: str) -> list[dict[str, Any]]:
    """The rows of one data set format, with AP by name as in an evaluation's metrics.json."""
    names = ("AP", "AP50", "AP75")
    rows = [asdict(row) for row in PAPER_ROWS if row.format == form]
    return [
        row | {part: dict(zip(names, row[part], strict=True)) for part in ("box", "mask")}
        for row in rows
    ]
