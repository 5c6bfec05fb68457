"""SoCo: object-level self-supervised pretraining aligned with detection (NeurIPS 2021)."""

import os

__version__ = "0.1.0"

# torch's threads spin while they wait for each other. If loader workers or another job share the
# cores, a spinning thread can take the core of the one it waits for: a step of 0.3 s has taken 9 s.
# OpenMP reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
