"""Probe a backbone on labelled pictures; run by rule `probe_backbone`."""

from pathlib import Path

from soco.config import ProbeConfig
from soco.logs import stage_log

with stage_log(snakemake.log[0]):
    import torch

    from soco.probe.command import describe
    from soco.probe.probe import probe_backbone
    from soco.stores.files import write_json

    torch.set_num_threads(snakemake.threads)
    probe, initialisation = snakemake.wildcards.probe, snakemake.wildcards.initialisation
    found = probe_backbone(
        settings=ProbeConfig.model_validate({**snakemake.config["probes"][probe], **snakemake.params.settings}),
        weights=Path(snakemake.input.weights) if snakemake.input.weights else None,
        backbone=snakemake.params.backbone,
        seed=snakemake.params.seed,
    )
    print(describe(found))
    write_json(snakemake.output.metrics, {"probe": probe, "initialisation": initialisation, **found})
