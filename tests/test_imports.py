import subprocess
import sys

import pytest

# Each module is imported first in its own process, forked from one that has loaded only the
# libraries.
SCRIPT = """
import importlib, os, sys, traceback
from pathlib import Path
import cv2, detectron2.modeling, joblib, matplotlib.pyplot, numba, pyarrow.parquet, pydantic
import scipy.ndimage, skimage, snakemake.utils, torchvision

root = Path(sys.argv[1])
paths = sorted((root / "soco").rglob("*.py"))
names = [".".join(path.relative_to(root).with_suffix("").parts) for path in paths]
names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
for name in names:
    child = os.fork()
    if not child:
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        print("cannot be imported first:", name)
print(len(names), "modules;", [name for name in sys.modules if name.startswith("soco")])
"""


# test_layers.py proves the same from the source, in a second.
@pytest.mark.slow
def test_every_module_can_be_imported_first(repository):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, repository],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    *failed, last = done.stdout.splitlines()
    assert not failed, done.stderr[-3000:]
    assert int(last.split()[0]) > 200
    assert last.endswith("[]")  # each child began without any of ours
