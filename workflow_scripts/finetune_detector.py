"""Train a detector on a detection set; run by rule `finetune_detector`."""

from pathlib import Path

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.data.checks import with_annotations
from soco.jobs import stage

# detectron2 starts a process for each GPU, and each of them imports this file.
if __name__ == "__main__":
    with stage(
        snakemake, "finetune", varying=("history",), without_origin=("history", "curve")
    ) as origin:
        import torch

        # Imported here, so that a missing detectron2 is reported in the log.
        from soco.transfer.detect import FinetuneJob, finetune

        torch.set_num_threads(snakemake.threads)
        task, given = snakemake.wildcards.task, snakemake.input
        dataset = DatasetConfig.model_validate(snakemake.params.dataset)
        settings = {**snakemake.config["finetune"][task], **snakemake.params.settings}
        job = FinetuneJob(
            task=task,
            settings=FinetuneConfig.model_validate(settings),
            detector=DetectorConfig.model_validate(snakemake.params.detector),
            dataset=with_annotations(dataset, val=Path(given.val), train=Path(given.train)),
            weights=Path(given.weights) if given.weights else None,
            folder=Path(snakemake.output.weights).parent,
            checkpoints=Path(snakemake.params.checkpoints),
            seed=snakemake.params.seed,
            origin=origin,
        )
        finetune(job)
