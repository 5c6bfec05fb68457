"""Probe a backbone on labelled images; run by rule `probe_backbone`."""

from pathlib import Path

from soco.config import ProbeConfig
from soco.io import write_result
from soco.jobs import stage

with stage(snakemake, "probes"):
    import torch

    from soco.transfer.probe.command import describe
    from soco.transfer.probe.probe import probe_backbone

    torch.set_num_threads(snakemake.threads)
    probe, initialisation = snakemake.wildcards.probe, snakemake.wildcards.initialisation
    found = probe_backbone(
        settings=ProbeConfig.model_validate(
            {**snakemake.config["probes"][probe], **snakemake.params.settings}
        ),
        weights=Path(snakemake.input.weights) if snakemake.input.weights else None,
        backbone=snakemake.params.backbone,
        seed=snakemake.params.seed,
    )
    print(describe(found))
    write_result(
        snakemake.output.metrics, {"probe": probe, "initialisation": initialisation, **found}
    )
