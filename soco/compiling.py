"""How loops are compiled: once, kept on disk, and free of the interpreter's lock so that threads run."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba


def compiler(folder: Path) -> Callable[..., Any]:
    """The decorator that compiles the functions of a folder's files.

    Numba keeps compiled code by the file that a function stands in, and would keep it when another file changes whose
    functions and constants went into it. So each state of the folder has a cache of its own.

    No fast-math and no contraction: sums are made in the order that is written.

    Args:
        folder: Where the files lie. Its `__pycache__` holds the code; where it cannot be written, the user's cache.

    Returns:
        A decorator. With signatures, as in `@compiled("void(u1[:])")`, it compiles at import.
    """
    state = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))).hexdigest()[:12]
    own = folder / "__pycache__" if os.access(folder, os.W_OK) else Path.home() / ".cache" / "soco"
    cache = str(Path(os.environ.get("NUMBA_CACHE_DIR", own)) / f"compiled-{state}")

    def compiled(*signature: Any) -> Any:
        def decorate(function: Callable[..., Any]) -> Any:
            before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, cache
            try:
                return numba.njit(*signature, cache=True, nogil=True, error_model="numpy")(function)
            finally:
                numba.config.CACHE_DIR = before

        return decorate

    return compiled
