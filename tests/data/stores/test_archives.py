"""Files that torch writes and reads."""

import subprocess
import sys
import zipfile

import torch

SAVE = """
import sys
from pathlib import Path
import torch
from soco.transfer.convert.formats import write_mmdetection
from soco.data.stores.archives import save_archive
model = {"weight": torch.arange(300.0), "bias": torch.ones(3, dtype=torch.float16)}
save_archive(sys.argv[1], {"model": model, "step": 3})
write_mmdetection(Path(sys.argv[1]).with_suffix(".mmdetection"), model)
"""


def test_the_same_content_gives_the_same_bytes_in_every_process_and_under_every_name(tmp_path):
    paths = [tmp_path / "weights.pth", tmp_path / "other" / "step-00000001.pt"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-c", SAVE, path], check=True)
    for suffix in (None, ".mmdetection"):
        first, second = (path.with_suffix(suffix or path.suffix) for path in paths)
        assert first.read_bytes() == second.read_bytes()
        assert zipfile.ZipFile(first).testzip() is None
    assert torch.load(paths[0], weights_only=True)["step"] == 3
