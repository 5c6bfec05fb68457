# The audit of a finished run: `snakemake audit`. Seconds for hashes and the page, then as long as what it does afresh: some shards
# from their images on, every conversion, every evaluation.
#
# In:  {results}/report/report.json and all that it names. None of it is an input of the rule: Snakemake would make again
#      whatever was changed since, and there would be nothing left to find.
# Out: {results}/report/audit.txt, a table of PASS and FAIL, and audit.json, the same as data. Neither is an output of the
#      rule: Snakemake would remove both where a check fails. A rule without outputs runs whenever it is asked for.


rule audit:
    """Check the files and figures of the run against its report, and do parts of its work again."""
    log:
        f"{RESULTS}/logs/audit.log",
    conda:
        "../envs/soco.yaml"
    threads: 8
    resources:
        mem_mb=16000,
        runtime=720,
    params:
        config=config,
        report=f"{RESULTS}/report/report.json",
        folder=f"{RESULTS}/report",
    script:
        "../workflow_scripts/audit.py"
