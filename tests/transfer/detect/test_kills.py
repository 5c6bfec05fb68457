import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

FINAL = [
    "save .model_final.pth.",
    "replace .model_final.pth.",
    "replace .last_checkpoint.",
    "save .weights.pth.",
    "replace .weights.pth.",
    "replace .loading.json.",
    "replace .history.jsonl.",
    "replace .ap.jsonl.",
    "replace .training.json.",
    "rename checkpoints",
    "rmtree .checkpoints.removed",
    "replace .detections.json.",
    "replace .metrics.json.",
]
"""The last writes of a fine-tuning and its evaluation."""


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_a_detector_killed_at_any_write_ends_with_the_same_bits(finetuning, tmp_path, every):
    """kill -9 and SIGTERM: during a write, before a file takes its name, and between two files.

    The quick test kills at every fourth of the last writes; the slow one at every write.
    """
    (tmp_path / "job").write_bytes(pickle.dumps(finetuning({"evaluate_every": 1})))
    script = Path(__file__).with_name("kill_detector.py")
    done = subprocess.run(
        [sys.executable, "-P", script, tmp_path / "job", tmp_path, str(every)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    writes, killed = json.loads(done.stdout.splitlines()[-1])
    for prefix, write in zip(FINAL, writes[-len(FINAL) :], strict=True):
        assert write.startswith(prefix)
    assert len(killed) == (len(writes) if every == 1 else 4)
