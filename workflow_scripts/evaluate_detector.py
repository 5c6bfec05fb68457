"""Score a fine-tuned detector; run by rule `evaluate_detector`."""

from pathlib import Path

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.data.checks import with_annotations
from soco.jobs import stage

with stage(snakemake, "evaluate", without_origin=("detections",), repeatable=True) as origin:
    import torch

    # Imported here, so that a missing detectron2 is reported in the log.
    from soco.transfer.detect import EvaluateJob, evaluate

    torch.set_num_threads(snakemake.threads)
    task = snakemake.wildcards.task
    dataset = DatasetConfig.model_validate(snakemake.params.dataset)
    settings = {**snakemake.config["finetune"][task], **snakemake.params.settings}
    job = EvaluateJob(
        task=task,
        initialisation=snakemake.wildcards.initialisation,
        settings=FinetuneConfig.model_validate(settings),
        detector=DetectorConfig.model_validate(snakemake.params.detector),
        dataset=with_annotations(dataset, val=Path(snakemake.input.val)),
        trained=Path(snakemake.input.weights).parent,
        folder=Path(snakemake.output.metrics).parent,
        seed=snakemake.params.seed,
        origin=origin,
    )
    evaluate(job)
