"""Pack the run as a Workflow Run RO-Crate; the script of rule `export_crate`."""

from pathlib import Path

from soco.logs import stage_log
from soco.provenance.crate import export_crate
from soco.provenance.reading import read_run

with stage_log(snakemake.log[0]):
    output = Path(snakemake.output.crate)
    run = read_run(Path(snakemake.input.json))
    print(export_crate(run, folder=Path(), output=output).words(output))
