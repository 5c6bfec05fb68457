"""Audit the run; run by rule `audit`."""

import json
from pathlib import Path

from soco.logs import stage_log
from soco.provenance.audit.command import see_that_none_failed
from soco.provenance.audit.run import Options, audit
from soco.provenance.audit.table import as_table, write_audit

with stage_log(snakemake.log[0]):
    report, options = (
        Path(snakemake.params.report),
        Options(config=json.loads(json.dumps(snakemake.params.config))),
    )
    checks = audit(report, options)
    write_audit(Path(snakemake.params.folder), report, options, checks)
    print(as_table(checks))
    see_that_none_failed(checks)
