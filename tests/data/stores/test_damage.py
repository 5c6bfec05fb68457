"""Files with a flipped bit or a lost end: they are refused, or their content is right.

Torch's files depend on their content alone.
"""

import random
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import torch

from soco.data import Entry
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import read_table, write_table
from soco.data.stores.proposal_store import ProposalStore, rows_digest, write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns
from soco.data.stores.torch_files import DamagedArchive, load_archive, newest_sound, save_archive
from soco.errors import UserError
from soco.pretrain.model import load_weights
from soco.transfer.convert.formats import write_detectron2, write_safetensors
from soco.transfer.convert.sources import read_detectron2

MODEL = {
    "conv.weight": torch.arange(2000.0).reshape(20, 100),
    "bn.num_batches_tracked": torch.tensor(7),
}
KEYS = [f"images/{number:05d}.jpg" for number in range(200)]

SAVE = """
import sys
from pathlib import Path
import torch
from soco.transfer.convert.formats import write_mmdetection
from soco.data.stores.torch_files import save_archive
model = {"weight": torch.arange(300.0), "bias": torch.ones(3, dtype=torch.float16)}
save_archive(sys.argv[1], {"model": model, "step": 3})
write_mmdetection(Path(sys.argv[1]).with_suffix(".mmdetection"), model)
"""


def proposals():
    draws = np.random.default_rng(0)
    columns = {
        **image_columns([Entry(key, "", 0, 1) for key in KEYS], [(200, 150)] * 200),
        "regions": [20] * 200,
        "strategy": ["ratio3"] * 200,
        **rect_columns([draws.integers(33, 99, (9, 4)) for _ in KEYS]),
    }
    return pa.table(columns, schema=PROPOSAL_SCHEMA)


def write_store(path):
    write_table(path.with_suffix(".parquet"), proposals())
    write_arrow(path, merge_files([path.with_suffix(".parquet")]))


def read_store(path):
    """What pretraining reads first."""
    store, digest = ProposalStore(path), rows_digest(path)
    rows = [
        (store.entry(row), store.size(row), store.rects(row).tolist()) for row in range(len(store))
    ]
    return digest, rows


def numbers(tensors):
    return {name: np.asarray(value).tobytes() for name, value in tensors.items()}


FORMATS = {
    "model_0000001.pth": (
        lambda path: save_archive(path, {"model": MODEL}),
        lambda path: numbers(load_archive(path)["model"]),
    ),
    "step-00000001.pt": (
        lambda path: save_archive(path, {"model": MODEL}),
        lambda path: numbers(load_weights(path)),
    ),
    "raw.parquet": (
        lambda path: write_table(path, proposals()),
        lambda path: read_table(path, PROPOSAL_SCHEMA).to_pylist(),
    ),
    "store.arrow": (write_store, read_store),
    "weights.safetensors": (
        lambda path: write_safetensors(path, MODEL),
        lambda path: numbers(load_weights(path)),
    ),
    "detectron2_c4.pkl": (
        lambda path: write_detectron2(path, MODEL),
        lambda path: numbers(read_detectron2(path)),
    ),
}


def reads(name, path):
    """The content, or None if the file is refused."""
    try:
        return FORMATS[name][1](path)
    except (UserError, DamagedArchive) as error:
        assert "\n" not in str(error)
        return None


@pytest.mark.parametrize("name", FORMATS)
def test_a_flipped_bit_is_noticed_or_changes_nothing(name, tmp_path):
    path, draws = tmp_path / name, random.Random(0)
    FORMATS[name][0](path)
    content, whole, refused = path.read_bytes(), reads(name, path), 0
    assert whole is not None
    ends = [*range(0, 200), *range(len(content) - 200, len(content))]
    for place in [*draws.sample(range(len(content)), 150), *draws.sample(ends, 50)]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << draws.randrange(8)
        path.write_bytes(flipped)
        read_back = reads(name, path)
        assert read_back in (None, whole), place
        refused += read_back is None
    assert refused > 100


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_lost_its_end_is_refused(name, kept, tmp_path):
    path = tmp_path / name
    FORMATS[name][0](path)
    content = path.read_bytes()
    for length in (int(kept * len(content)), len(content) - 1):
        path.write_bytes(content[:length])
        assert reads(name, path) is None


def test_the_newest_undamaged_checkpoint_is_used_and_damaged_ones_renamed(tmp_path, caplog):
    paths = [tmp_path / f"model_{number}.pth" for number in range(3)]
    for number, path in enumerate(paths):
        save_archive(path, {"number": number})
    paths[2].write_bytes(paths[2].read_bytes()[:-30])
    assert newest_sound(paths) == (paths[1], {"number": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model_0.pth",
        "model_1.pth",
        "model_2.damaged",
    ]
    assert "model_2.pth cannot be read" in caplog.text
    assert newest_sound([]) is None


def test_a_file_that_the_machine_cannot_read_does_not_count_as_damaged(tmp_path, monkeypatch):
    save_archive(tmp_path / "model_0.pth", {"number": 0})

    def full(*arguments, **named):
        raise MemoryError

    monkeypatch.setattr(torch, "load", full)
    with pytest.raises(MemoryError):
        newest_sound([tmp_path / "model_0.pth"])
    assert (tmp_path / "model_0.pth").exists()


def test_the_same_content_gives_the_same_bytes_in_any_process_and_file(tmp_path):
    paths = [tmp_path / "weights.pth", tmp_path / "other" / "step-00000001.pt"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-c", SAVE, path], check=True)
    for suffix in (None, ".mmdetection"):
        first, second = (path.with_suffix(suffix or path.suffix) for path in paths)
        assert first.read_bytes() == second.read_bytes()
        assert zipfile.ZipFile(first).testzip() is None
    assert torch.load(paths[0], weights_only=True)["step"] == 3
