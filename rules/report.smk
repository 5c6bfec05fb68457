# Write the report, the last stage; takes seconds.
#
# In:  the files that REPORT names (rules/report_inputs.smk), the validation images, and the record of
#      every job that made any of these. The job also reads, without listing them as inputs, the data that the run was given
#      (to hash them) and some pretraining images: eight for the gallery of proposals, three per
#      pretraining for its views.
# Out: {results}/report/report.html, one page that needs no network, and report.json, the same
#      content as data. If a figure cannot be drawn, the job fails and both files are in
#      {results}/report/incomplete/ instead, because Snakemake removes the outputs of a failed job.


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
