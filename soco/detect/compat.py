"""What libraries need that have not followed their own dependencies."""

import numpy as np


def restore_numpy_float() -> None:
    """Give NumPy its old name `float` back: lvis's evaluation uses `np.float`, which NumPy 1.24 dropped."""
    if not hasattr(np, "float"):
        np.float = float  # type: ignore[attr-defined]  # noqa: NPY001
