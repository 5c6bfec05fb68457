"""How the search's loops are compiled: once, kept on disk, and free of the interpreter's lock so that threads run."""

import numpy as np
import numpy.typing as npt
from numba import njit

# No fast-math and no contraction: sums are made in the order that is written, as the authors' libraries make them.
compiled = njit(cache=True, nogil=True, error_model="numpy")

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
