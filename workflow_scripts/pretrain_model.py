"""Pretrain one run of the configuration; run by rule `pretrain_model`."""

from soco.config import DetectorConfig, PicturesConfig, PretrainConfig
from soco.logs import stage_log

with stage_log(snakemake.log[0]):
    import torch

    from soco.pictures import open_source
    from soco.pretrain import pretrain

    torch.set_num_threads(snakemake.threads)
    run = snakemake.wildcards.run
    pretrain(
        run=run,
        settings=PretrainConfig.model_validate({**snakemake.config["pretrain"][run], **snakemake.params.settings}),
        detector=DetectorConfig.model_validate(snakemake.params.detector),
        store=snakemake.input.store,
        pictures=open_source(PicturesConfig.model_validate(snakemake.config["pictures"])),
        checkpoints=snakemake.params.checkpoints,
        weights=snakemake.output.weights,
        journal=snakemake.output.log,
        metrics=snakemake.output.metrics,
        seed=snakemake.params.seed,
    )
