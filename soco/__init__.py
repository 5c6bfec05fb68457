"""SoCo: object-level self-supervised pretraining aligned with detection (NeurIPS 2021)."""

import os

__version__ = "0.1.0"

# torch's threads wait for each other by spinning. Where loader workers or another job share the
# cores, a thread that spins keeps off the one it waits for: a step of 0.3 s was seen to take 9 s.
# Read by OpenMP when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
