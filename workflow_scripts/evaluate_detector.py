"""Score a fine-tuned detector; run by rule `evaluate_detector`."""

from pathlib import Path

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.data.checks import with_annotations
from soco.jobs import stage

with stage(snakemake, "evaluate", without_origin=("detections",), repeatable=True):
    import torch

    from soco.transfer.detect import (
        evaluate,
    )  # in here: where detectron2 is absent, this says so in a sentence

    torch.set_num_threads(snakemake.threads)
    task = snakemake.wildcards.task
    dataset = DatasetConfig.model_validate(snakemake.params.dataset)
    evaluate(
        task=task,
        initialisation=snakemake.wildcards.initialisation,
        settings=FinetuneConfig.model_validate(
            {**snakemake.config["finetune"][task], **snakemake.params.settings}
        ),
        detector=DetectorConfig.model_validate(snakemake.params.detector),
        dataset=with_annotations(dataset, val=Path(snakemake.input.val)),
        weights=Path(snakemake.input.weights),
        training=Path(snakemake.input.training),
        metrics=Path(snakemake.output.metrics),
        detections=Path(snakemake.output.detections),
        seed=snakemake.params.seed,
    )
