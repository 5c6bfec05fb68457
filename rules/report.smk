# Write the report, the last stage; takes seconds.
#
# In:  the files that REPORT names, the validation images, and the record of every job that made any of these. The job
#      also reads, without listing them as inputs, the data that the run was given (to hash them) and some pretraining
#      images: eight for the gallery of proposals, three per pretraining for its views.
# Out: {results}/report/report.html, one page that needs no network, and report.json, the same content as data. If a
#      figure cannot be drawn, the job fails and both files are in {results}/report/incomplete/ instead, because
#      Snakemake removes the outputs of a failed job.


def validation_files(task, initialisation, seed):
    """The names of one evaluation, its detection set and the folder of its validation images."""
    dataset = config["finetune"][task]["dataset"]
    return {
        "task": task,
        "initialisation": initialisation,
        "seed": seed,
        "dataset": dataset,
        "images": config["datasets"][dataset]["val"]["images"],
    }


# By field of soco.report.inputs.ReportInputs: a path; or the names of each entry and the path patterns of all entries.
REPORT = {
    "summary": rules.merge_proposals.output.summary,
    "store": rules.merge_proposals.output.store,
    "arrow": rules.merge_proposals.output.arrow,
    "skipped": rules.merge_proposals.output.skipped,
    "statistics": rules.describe_proposals.output.statistics,
    "recall": (
        [{"dataset": dataset} for dataset in config["quality"]["recall"]],
        {"recall": rules.measure_recall.output.recall},
    ),
    "pretrain": (
        [{"run": run} for run in config["pretrain"]],
        {
            "log": rules.pretrain_model.output.log,
            "metrics": rules.pretrain_model.output.metrics,
            "weights": rules.pretrain_model.output.weights,
        },
    ),
    "conversions": (
        [{"pretrained": name, "kind": kind} for name, kind in CONVERSIONS],
        {
            "summary": rules.convert_weights.output.summary,
            "weights": rules.convert_weights.output.weights,
        },
    ),
    "evaluations": (
        [validation_files(*evaluation) for evaluation in EVALUATIONS],
        {
            "annotations": rules.check_dataset.output.val,
            "metrics": rules.evaluate_detector.output.metrics,
            "detections": rules.evaluate_detector.output.detections,
            "curve": rules.finetune_detector.output.curve,
            "loading": rules.finetune_detector.output.loading,
            "weights": rules.finetune_detector.output.weights,
        },
    ),
    "findings": (
        [{"dataset": dataset} for dataset in DATASETS],
        {"findings": rules.check_dataset.output.findings},
    ),
    "probes": (
        [{"probe": probe, "initialisation": name} for probe, name in PROBES],
        {"metrics": rules.probe_backbone.output.metrics},
    ),
}


def report_files():
    """The files of the report as `soco.report.report_inputs` takes them."""
    return {
        field: (
            str(given)
            if isinstance(given, str)
            else [
                names | {part: str(path).format(**names) for part, path in given[1].items()}
                for names in given[0]
            ]
        )
        for field, given in REPORT.items()
    }


def report_paths():
    """The same paths as a list; each is the output of a rule."""
    for given in REPORT.values():
        if isinstance(given, str):
            yield str(given)
        else:
            yield from (path.format(**names) for names in given[0] for path in given[1].values())


rule report:
    """Report what the run did, in one HTML page and one JSON file."""
    input:
        files=once_listed(list(dict.fromkeys(report_paths()))),
        images=ancient(val_splits("images")),
        origins=once_listed(all_origins()),
    output:
        html=report(
            f"{RESULTS}/report/report.html",
            caption="captions/report_page.rst",
            category="Results",
            labels={"report": "as a page"},
        ),
        json=report(
            f"{RESULTS}/report/report.json",
            caption="captions/report_data.rst",
            category="Results",
            labels={"report": "as data"},
        ),
        origin=f"{RESULTS}/origins/report.json",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        config=config,
        # Plain strings: Snakemake's own paths refer to rules and cannot be pickled for the script.
        files=report_files() | {"origins": list(map(str, all_origins()))},
    script:
        "../workflow_scripts/report.py"
