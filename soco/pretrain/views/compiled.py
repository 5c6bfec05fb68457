"""How the loops over pixels are compiled: at import, so that forked workers share the code."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from soco.numba_cache import compiler

compiled = compiler(Path(__file__).parent)

Bytes = npt.NDArray[np.uint8]
Real = npt.NDArray[np.float32]
