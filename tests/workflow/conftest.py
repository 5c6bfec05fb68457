import copy
import os
import shutil

import pytest
import safetensors.numpy


@pytest.fixture
def again(finished):
    """The finished run; a test may change its configuration."""
    kept = copy.deepcopy(finished.overlay)
    yield finished
    finished.overlay = kept


@pytest.fixture
def copied(finished, workflow):
    """A copy of the finished run, which a test may change."""
    return copy_into(workflow, finished)


@pytest.fixture(scope="session")
def copy_run():
    """Copy a run into the folder of a new workflow."""
    return copy_into


def copy_into(workflow, run):
    shutil.copytree(run.folder, workflow.folder, dirs_exist_ok=True, copy_function=copy_or_link)
    workflow.overlay = copy.deepcopy(run.overlay)
    return workflow


def copy_or_link(source, target):
    """Link files of weights: they have tens of MB, and are replaced, never written to."""
    weights = source.endswith((".pkl", ".pth", ".safetensors"))
    return os.link(source, target) if weights else shutil.copy2(source, target)


@pytest.fixture(scope="session")
def weights():
    """Read the pretrained weights of a run."""
    return lambda workflow: safetensors.numpy.load_file(
        workflow.path("pretrain", "soco", "weights.safetensors")
    )


@pytest.fixture(scope="session")
def differing():
    """The names of the tensors in which two runs differ."""
    return lambda ours, theirs: [
        name for name, tensor in ours.items() if (tensor != theirs[name]).any()
    ]


@pytest.fixture(scope="session")
def laid_over():
    """Merge one mapping into another, as Snakemake merges files of --configfile."""
    return lay_over


def lay_over(base, change):
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return base | {key: lay_over(base.get(key), value) for key, value in change.items()}
