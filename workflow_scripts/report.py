"""Tell what a run did, in one page and one JSON file; run by rule `report`."""

from pathlib import Path

from soco.logs import stage_log
from soco.report import (
    ConversionFiles,
    EvaluationFiles,
    FindingsFiles,
    PretrainFiles,
    ProbeFiles,
    RecallFiles,
    ReportInputs,
    build_report,
)


def entries(kind, names, *columns):
    """One entry for each of `names`, with the file that stands at its place in each of the rule's lists."""
    return tuple(kind(*name, *map(Path, files)) for name, *files in zip(names, *columns, strict=True))


with stage_log(snakemake.log[0]):
    given, params = snakemake.input, snakemake.params
    evaluated = (given.metrics, given.annotations, given.images, given.detections, given.curves, given.loading)
    inputs = ReportInputs(
        config=params.config,
        summary=Path(given.summary),
        store=Path(given.store),
        skipped=Path(given.skipped),
        statistics=Path(given.statistics),
        recall=entries(RecallFiles, params.recall, given.recall),
        pretrain=entries(PretrainFiles, params.runs, given.logs, given.run_metrics, given.weights),
        conversions=entries(ConversionFiles, params.conversions, given.conversions, given.converted),
        evaluations=entries(EvaluationFiles, params.evaluations, *evaluated, given.detectors),
        benchmarks=Path(params.benchmarks),
        probes=entries(ProbeFiles, params.probes, given.probes),
        findings=entries(FindingsFiles, params.datasets, given.findings),
    )
    build_report(inputs, html=Path(snakemake.output.html), json=Path(snakemake.output.json))
