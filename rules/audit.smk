# Audit a finished run: `snakemake audit`. Takes seconds for the hashes and the page, and then as
# long as the jobs that it repeats: those of some shards, every conversion, every evaluation.
#
# In:  {results}/report/report.json and all files that it names. None is an input of the rule:
#      Snakemake would remake a changed file before the audit could find the change.
# Out: {results}/report/audit.txt, a table of PASS and FAIL, and audit.json, the same content as
#      data. Neither is an output of the rule: Snakemake would remove both if a check fails. A rule
#      without outputs runs whenever it is a target.


rule audit:
    """Check the files and results of the run against its report, and repeat some of its jobs."""
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
