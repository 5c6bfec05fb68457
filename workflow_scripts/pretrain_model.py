"""Pretrain one run of the configuration; run by rule `pretrain_model`."""

from soco.jobs import stage

with stage(snakemake, "pretrain", varying=("log", "metrics"), without_origin=("log",)) as origin:
    from soco.pretrain import PretrainJob, pretrain
    from soco.pretrain.stop import requeue_on_timeout

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
            "log": snakemake.output.log,
            "metrics": snakemake.output.metrics,
            "tensorboard": snakemake.params.tensorboard,
            "seed": snakemake.params.seed,
            # Nothing is listed where the seed draws the weights.
            "initial_weights": snakemake.input.initial or None,
            "origin": origin,
        }
    )
    with requeue_on_timeout():
        pretrain(job, threads=snakemake.threads)
