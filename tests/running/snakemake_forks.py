"""Run Snakemake for each line of standard input, in a fork of this process.

Loading Snakemake takes four times as long as planning the workflow. Each line is a JSON object: the
`arguments`, the `folder` to run in, and the file that receives what is `printed`; the answer is a
line with the exit code.
"""

import json
import os
import sys

import snakemake.cli

from soco.config import inputs  # noqa: F401 - the Snakefile loads it


def run(arguments, folder, printed):
    """Run Snakemake and exit."""
    for stream, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, printed, os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(path, mode), stream)
    os.dup2(1, 2)
    os.chdir(folder)
    sys.argv = ["snakemake", *arguments]
    snakemake.cli.main(arguments)
    sys.exit()


snakemake.cli.get_argument_parser()  # loads its plugins
for line in sys.stdin:
    child = os.fork()
    if not child:
        run(**json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
