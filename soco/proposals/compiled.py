"""How the search's loops are compiled, and the types that they work on."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from soco.numba_cache import compiler

compiled = compiler(Path(__file__).parent)()

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
