"""`python deterministic.py JOB.json`: `python -m soco.pretrain` with deterministic algorithms."""

import os
import sys
from pathlib import Path

# Before cuBLAS starts, see torch.use_deterministic_algorithms.
os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"

import torch

from soco.pretrain.__main__ import main

if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    sys.exit(main(Path(sys.argv[1])))
