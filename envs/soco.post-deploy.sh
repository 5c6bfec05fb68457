#!/usr/bin/env bash
# Run by Snakemake from the clone, inside a new conda environment.
set -euo pipefail
envs/install.sh "$CONDA_PREFIX"
