"""Pretrain one run of the configuration; run by rule `pretrain_model`."""

from soco.origins import stage

with stage(snakemake):
    from soco.pretrain import PretrainJob, pretrain
    from soco.pretrain.going_on import going_on_in_slurm

    run = snakemake.wildcards.run
    job = PretrainJob.model_validate(
        {
            "run": run,
            "settings": {**snakemake.config["pretrain"][run], **snakemake.params.settings},
            "detector": snakemake.params.detector,
            "store": snakemake.input.store,
            "images": snakemake.config["images"],
            "filter": snakemake.config["filter"],
            "folder": snakemake.params.checkpoints,
            "weights": snakemake.output.weights,
            "journal": snakemake.output.log,
            "metrics": snakemake.output.metrics,
            "tensorboard": snakemake.params.tensorboard,
            "seed": snakemake.params.seed,
        }
    )
    with going_on_in_slurm():
        pretrain(job, threads=snakemake.threads)
