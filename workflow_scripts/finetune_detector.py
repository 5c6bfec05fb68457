"""Train a detector on a detection set; run by rule `finetune_detector`."""

from pathlib import Path

from soco.config import DatasetConfig, DetectorConfig, FinetuneConfig
from soco.data.checks import with_annotations
from soco.jobs import stage

# detectron2 starts a process for each GPU, and each of them imports this file.
if __name__ == "__main__":
    with stage(snakemake, "finetune", varying=("history",), without_origin=("history", "curve")):
        import torch

        from soco.transfer.detect import (
            finetune,
        )  # in here: where detectron2 is absent, this says so in a sentence

        torch.set_num_threads(snakemake.threads)
        task, given = snakemake.wildcards.task, snakemake.input
        dataset = DatasetConfig.model_validate(snakemake.params.dataset)
        finetune(
            task=task,
            settings=FinetuneConfig.model_validate(
                {**snakemake.config["finetune"][task], **snakemake.params.settings}
            ),
            detector=DetectorConfig.model_validate(snakemake.params.detector),
            dataset=with_annotations(dataset, val=Path(given.val), train=Path(given.train)),
            weights=Path(given.weights) if given.weights else None,
            output=Path(snakemake.output.weights),
            loading_report=Path(snakemake.output.loading),
            history=Path(snakemake.output.history),
            curve=Path(snakemake.output.curve),
            training=Path(snakemake.output.training),
            checkpoint_dir=Path(snakemake.params.checkpoints),
            seed=snakemake.params.seed,
        )
