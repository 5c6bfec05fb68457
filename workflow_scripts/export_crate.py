"""Pack a run as a Workflow Run RO-Crate; run by rule `export_crate`."""

from pathlib import Path

from soco.logs import stage_log
from soco.provenance.compare import read_run
from soco.provenance.crate import export_crate

with stage_log(snakemake.log[0]):
    exported = export_crate(
        read_run(Path(snakemake.input.json)),
        folder=Path(),
        output=Path(snakemake.output.crate),
    )
    print(f"{exported.packed} files of the run are packed, {exported.referred} are told of.")
