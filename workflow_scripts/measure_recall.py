"""Measure the recall of proposals on an annotated set; run by rule `measure_recall`."""

from soco.config import FilterConfig, ProposalsConfig, QualityConfig, SplitConfig
from soco.jobs import stage
from soco.proposals.quality import RecallJob, measure_recall

with stage(snakemake, "quality", varying=("recall",)) as origin:
    job = RecallJob(
        split=SplitConfig(images=snakemake.input.images, annotations=snakemake.input.annotations),
        quality=QualityConfig.model_validate(snakemake.params.quality),
        proposals=ProposalsConfig.model_validate(snakemake.params.search),
        filters=FilterConfig.model_validate(snakemake.params.filters),
        jobs=snakemake.threads,
        output=snakemake.output.recall,
        origin=origin,
    )
    for entry in measure_recall(job)["engines"]:
        proposals = entry["proposals"]
        print(
            f"{entry['engine']}: {proposals['boxes']:.1f} proposals per image, recall"
            f" {proposals['recall_50']['all']:.3f}"
        )
