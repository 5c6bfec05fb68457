"""Compile loops with numba: cached on disk, and without the GIL so that threads run in parallel."""

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def compiled(*signature: Any) -> Any:
    """Compile a function: `@compiled` at its first call, `@compiled("void(u1[:])")` at import.

    No fast-math and no contraction: floating-point operations run in the written order, so that
    results have the same bits on every machine. A division by zero gives inf or NaN, as in NumPy.

    Args:
        signature: The function itself, or numba's signature. Compile at import where forked workers
            are to share the code.
    """
    if signature and callable(signature[0]):
        return _compile(signature[0])
    return functools.partial(_compile, signature=signature)


def _compile(function: Callable[..., Any], signature: tuple[str, ...] = ()) -> Any:
    cache = _cache_of(Path(function.__code__.co_filename).parent)
    # numba chooses a function's cache when it is decorated, so the setting is needed only here.
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, cache or ""
    try:
        return numba.njit(*signature, cache=cache is not None, nogil=True, error_model="numpy")(
            function
        )
    finally:
        numba.config.CACHE_DIR = before


@functools.cache
def _cache_of(folder: Path) -> str | None:
    """The cache for the functions in a folder's files, in their current state.

    Numba's own cache looks only at the file that defines a function. It would reuse stale code
    after a change to another file whose functions and constants were compiled into it. Therefore
    each state of the folder has its own cache.

    Returns:
        The first writable one of the folder's `__pycache__`, the user's cache and a temporary
        folder; None if there is none, and each process then compiles the loops itself.
    """
    sources = b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))
    name = f"compiled-{hashlib.sha256(sources).hexdigest()[:12]}"
    # By user: in a shared /tmp, a folder of another user is not writable.
    user = Path(tempfile.gettempdir()) / f"soco-{os.getuid()}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    for place in (
        (Path(given),) if given else (folder / "__pycache__", Path.home() / ".cache" / "soco", user)
    ):
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        # mkdir also succeeds for a folder that exists and is read-only.
        if os.access(place / name, os.W_OK):
            return str(place / name)
    return None
