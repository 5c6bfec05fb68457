"""How the search's loops are compiled: once, kept on disk, and free of the interpreter's lock so that threads run."""

import hashlib
import os
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt

# Numba keeps compiled code by the file that a function stands in, and would keep it when another file changes whose
# functions and constants went into it. So each state of this folder has a cache of its own.
_FOLDER = Path(__file__).parent
_STATE = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(_FOLDER.glob("*.py")))).hexdigest()[:12]
_OWN = _FOLDER / "__pycache__" if os.access(_FOLDER, os.W_OK) else Path.home() / ".cache" / "soco"
numba.config.CACHE_DIR = str(Path(os.environ.get("NUMBA_CACHE_DIR", _OWN)) / f"compiled-{_STATE}")

# No fast-math and no contraction: sums are made in the order that is written, as the authors' libraries make them.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
