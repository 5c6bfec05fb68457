# Pack a finished run as a crate: `snakemake crate`; takes seconds.
#
# In:  the report, and every file that it lists.
# Out: {results}/report/crate.zip, a Workflow Run RO-Crate: the workflow's code, the configuration,
#      the report, and which job wrote which file from which inputs. Files above a megabyte are only
#      described, by size and SHA-256; `soco export-crate --with-weights` packs them, too.


rule export_crate:
    """Pack the run as a Workflow Run RO-Crate."""
    input:
        html=rules.report.output.html,
        json=rules.report.output.json,
    output:
        crate=f"{RESULTS}/report/crate.zip",
    log:
        f"{RESULTS}/logs/export_crate.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_crate.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    script:
        "../workflow_scripts/export_crate.py"
