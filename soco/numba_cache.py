"""How loops are compiled.

Once, kept on disk, and free of the interpreter's lock so that threads run.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba


def compiler(folder: Path) -> Callable[..., Any]:
    """The decorator that compiles the functions of a folder's files.

    Numba keeps compiled code by the file that a function stands in, and would keep it when another
    file changes whose functions and constants went into it. So each state of the folder has a cache
    of its own.

    No fast-math and no contraction: sums are made in the order that is written.

    Args:
        folder: Where the files lie. Its `__pycache__` holds the code; where it cannot be written,
            the user's cache, or a folder for temporary files. Where nothing can be written, each
            process compiles for itself.

    Returns:
        A decorator. With signatures, as in `@compiled("void(u1[:])")`, it compiles at import.
    """
    state = hashlib.sha256(
        b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))
    ).hexdigest()[:12]
    cache = _writable(folder, f"compiled-{state}")

    def compiled(*signature: Any) -> Any:
        def decorate(function: Callable[..., Any]) -> Any:
            before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, cache or ""
            try:
                return numba.njit(
                    *signature, cache=cache is not None, nogil=True, error_model="numpy"
                )(function)
            finally:
                numba.config.CACHE_DIR = before

        return decorate

    return compiled


def _writable(folder: Path, name: str) -> str | None:
    """The first place that takes a folder of this name."""
    user = Path(tempfile.gettempdir()) / f"soco-{os.getuid()}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    for place in (
        (Path(given),) if given else (folder / "__pycache__", Path.home() / ".cache" / "soco", user)
    ):
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place / name, os.W_OK):
            return str(place / name)
    return None
