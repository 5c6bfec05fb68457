import json
import subprocess
import sys

TELL = """
import json, os, signal, cv2, numba, torch
from soco.pretrain.views import prepare_worker
torch.set_num_threads(2)
prepare_worker(0)
for number in (signal.SIGTERM, signal.SIGINT):
    os.kill(os.getpid(), number)
print(json.dumps([torch.get_num_threads(), cv2.getNumThreads()]))
"""


def test_a_worker_has_one_thread_and_outlives_the_signals_that_its_trainer_answers():
    told = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == [1, 1]
