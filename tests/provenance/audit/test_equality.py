import numpy as np
import pytest
from safetensors.numpy import save_file

from soco.environment import environment
from soco.provenance.audit.equality import compared_outputs


@pytest.fixture
def compared(tmp_path):
    """Compare two files of tensors, whose origins differ, as the audit of a job does."""

    def compare(ours, theirs):
        paths = tmp_path / "stored.safetensors", tmp_path / "again.safetensors"
        for path, tensors in zip(paths, (ours, theirs), strict=True):
            save_file(tensors, path, metadata={"origin": path.name})
        output = {"path": str(paths[0]), "name": "weights", "deterministic": True}
        record = {"environment": environment(), "outputs": [output]}
        return compared_outputs(record, {str(paths[0]): paths[1]})

    return compare


def test_tensors_are_compared_number_by_number_whatever_their_origin(compared):
    tensors = {"a": np.arange(6.0), "b": np.array([np.nan])}
    faults, said = compared(tensors, tensors)
    assert faults == [] and "2 tensors, 7 numbers" in said
    (fault,), _ = compared(tensors, {**tensors, "a": np.arange(6.0) * (1 + 1e-12)})
    assert fault.endswith("a has other numbers")
    (fault,), _ = compared(tensors, {"a": tensors["a"]})
    assert "b is in one of the two only" in fault
