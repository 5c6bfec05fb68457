import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("last", [13, pytest.param(0, marks=pytest.mark.slow)])
def test_a_detector_killed_at_any_write_ends_with_the_same_bits(
    settings, detector, datasets, repository, tmp_path, last
):
    """kill -9 and SIGTERM in turn.

    While a file is written, before it takes its name, and between two files.
    """
    job = ("tiny", settings.model_copy(update={"evaluate_every": 1}), detector, datasets["coco"])
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    script = Path(__file__).with_name("kill_detector.py")
    done = subprocess.run(
        [sys.executable, "-P", script, tmp_path / "job", tmp_path, str(last)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    writes = json.loads(done.stdout.splitlines()[-1])
    final = [
        "save .model_final.pth.",
        "replace .model_final.pth.",
        "replace .last_checkpoint.",
        "save .weights.pth.",
    ]
    final += [
        "replace .weights.pth.",
        "replace .loading.json.",
        "replace .history.jsonl.",
        "replace .ap.jsonl.",
    ]
    final += ["replace .training.json.", "rename checkpoints", "rmtree .checkpoints.removed"]
    final += ["replace .detections.json.", "replace .metrics.json."]
    seen = [next((name for name in final if write.startswith(name)), write) for write in writes]
    assert seen[-len(final) :] == final
