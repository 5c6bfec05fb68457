"""Audit the run; the script of rule `audit`."""

import json
from pathlib import Path

from soco.logs import stage_log
from soco.provenance.audit.command import audit_run
from soco.provenance.audit.run import Options

with stage_log(snakemake.log[0]):
    audit_run(
        Path(snakemake.params.report),
        Options(config=json.loads(json.dumps(snakemake.params.config))),
        Path(snakemake.params.folder),
    )
