"""The smallest settings of training and fine-tuning that several tests share."""

from soco.config import DetectorConfig, FinetuneConfig, PretrainConfig, ViewConfig

SIDE = 64  # of detection images

DETECTOR = DetectorConfig(
    backbone="resnet18", fpn_channels=16, head_channels=16, head_convs=2, head_fc=32
)


def small_recipe(**changes):
    """A recipe whose steps take milliseconds, in float32."""
    settings = {
        "views": (
            ViewConfig(size=64),
            ViewConfig(size=64, crop="a"),
            ViewConfig(size=32, crop="b"),
        ),
        "level_bounds": (14, 28, 56, 64),
        "projector_hidden": 16,
        "projector_out": 8,
        "epochs": 2,
        "batch_size": 2,
        "warmup_epochs": 1,
        "workers": 0,
        "precision": "fp32",
        "log_every": 1,
    }
    return PretrainConfig(**(settings | changes))


def small_finetuning(dataset, **changes):
    """A fine-tuning from scratch on a set of images of `SIDE` pixels, of two iterations."""
    settings = {
        "dataset": dataset,
        "initialisations": ("scratch",),
        "batch_size": 2,
        "reference_batch": 2,
        "iterations": 2,
        "steps": (),
        "warmup_iterations": 1,
        "short_sides": (SIDE,),
        "test_short_side": SIDE,
        "max_long_side": 2 * SIDE,
        "anchor_sizes": (8, 16, 32, 64, 128),
        "rois_per_image": 8,
        "score_threshold": 0.0,
        "detections_per_image": 5,
        "precise_bn_batches": 1,
        "workers": 0,
        "checkpoint_iterations": 1,
    }
    return FinetuneConfig(**(settings | changes))
