"""Probe a backbone on labelled images; run by rule `probe_backbone`."""

from pathlib import Path

from soco.config import ProbeConfig
from soco.io import write_json
from soco.jobs import stage

with stage(snakemake, "probes") as origin:
    import torch

    from soco.transfer.probe.command import describe
    from soco.transfer.probe.probe import probe_backbone

    torch.set_num_threads(snakemake.threads)
    probe, initialisation = snakemake.wildcards.probe, snakemake.wildcards.initialisation
    settings = {**snakemake.config["probes"][probe], **snakemake.params.settings}
    result = probe_backbone(
        settings=ProbeConfig.model_validate(settings),
        weights=Path(snakemake.input.weights) if snakemake.input.weights else None,
        backbone=snakemake.params.backbone,
        seed=snakemake.params.seed,
    )
    print(describe(result))
    named = {"probe": probe, "initialisation": initialisation, **result}
    write_json(snakemake.output.metrics, named, origin)
