# The report, the last stage; it takes seconds.
#
# In:  the merged proposals with their counts, their statistics and each measurement of recall; of each pretraining log,
#      metrics and weights; every converted file and its summary; of each task, initialisation and seed the detector, what
#      it loaded, its AP, also while it trained, and its detections; what was found in the detection sets, and their
#      validation halves; of each probe its accuracies; the record of every job that made any of this. Read, and no inputs:
#      the data that were given, to be hashed, eight of the images that were
#      pretrained on, and three for each pretraining, whose views are made again.
# Out: {results}/report/report.html, one page that opens without a network, and report.json, the same as data. Where a figure
#      cannot be drawn the job fails, and both lie in {results}/report/incomplete/: as outputs Snakemake would remove them.


rule report:
    """Tell what the run did, in one HTML page and one JSON file."""
    input:
        summary=once_listed(rules.merge_proposals.output.summary),
        store=once_listed(rules.merge_proposals.output.store),
        arrow=once_listed(rules.merge_proposals.output.arrow),
        skipped=once_listed(rules.merge_proposals.output.skipped),
        statistics=once_listed(rules.describe_proposals.output.statistics),
        recall=once_listed(
            expand(rules.measure_recall.output.recall, dataset=config["quality"]["recall"])
        ),
        logs=once_listed(of_runs(rules.pretrain_model.output.log)),
        run_metrics=once_listed(of_runs(rules.pretrain_model.output.metrics)),
        weights=once_listed(of_runs(rules.pretrain_model.output.weights)),
        conversions=once_listed(of_conversions(rules.convert_weights.output.summary)),
        converted=once_listed(of_conversions(rules.convert_weights.output.weights)),
        detectors=once_listed(of_evaluations(rules.finetune_detector.output.weights)),
        loading=once_listed(of_evaluations(rules.finetune_detector.output.loading)),
        metrics=once_listed(of_evaluations(rules.evaluate_detector.output.metrics)),
        detections=once_listed(of_evaluations(rules.evaluate_detector.output.detections)),
        curves=once_listed(of_evaluations(rules.finetune_detector.output.curve)),
        probes=once_listed(of_probes(rules.probe_backbone.output.metrics)),
        findings=expand(rules.check_dataset.output.findings, dataset=DATASETS),
        annotations=val_splits("annotations"),
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
        runs=[(run,) for run in config["pretrain"]],
        conversions=CONVERSIONS,
        evaluations=EVALUATIONS,
        probes=PROBES,
        datasets=[(dataset,) for dataset in DATASETS],
        recall=[(dataset,) for dataset in config["quality"]["recall"]],
    script:
        "../workflow_scripts/report.py"
