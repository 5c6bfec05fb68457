import random
import time

import pytest
import torch
from torch import nn
from user_errors import refused

from soco.data.stores.torch_files import save_archive
from soco.errors import UserError
from soco.pretrain import checkpoint
from soco.pretrain.checkpoint import Checkpoints


def optimiser_of(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


@pytest.fixture
def trained():
    model = nn.Linear(2, 2)
    optimiser = optimiser_of(model)
    model(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return model, optimiser, torch.amp.GradScaler("cpu", enabled=False)


def save_and_wait(checkpoints, *state):
    checkpoints.save(*state)
    checkpoints.wait()


def test_the_newest_are_kept_and_a_run_resumes_from_the_last(tmp_path, trained):
    model, _, scaler = trained
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    for step in (1, 2, 3):
        save_and_wait(checkpoints, step, *trained)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000002.pt",
        "step-00000003.pt",
    ]
    (tmp_path / ".step-00000004.pt.host.7.part").write_bytes(b"half")
    other = nn.Linear(2, 2)
    newest, content = checkpoints.newest_readable()
    assert newest == checkpoints.last == tmp_path / "step-00000003.pt"
    assert len(list(tmp_path.iterdir())) == 2
    assert checkpoints.load(content, other, optimiser_of(other), scaler) == 3
    assert torch.equal(other.weight, model.weight)


def test_a_truncated_checkpoint_is_skipped(tmp_path, trained, caplog):
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    save_and_wait(checkpoints, 1, *trained)
    save_and_wait(checkpoints, 2, *trained)
    newest = tmp_path / "step-00000002.pt"
    newest.write_bytes(newest.read_bytes()[:300])
    assert checkpoints.newest_readable()[0] == tmp_path / "step-00000001.pt"
    assert "step-00000002.pt cannot be read" in caplog.text


def test_a_damaged_checkpoint_does_not_count_among_the_newest(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    for step in (10, 90):
        save_and_wait(checkpoints, step, *trained)
    (tmp_path / "step-00000090.pt").write_bytes(b"damaged")
    assert checkpoints.newest_readable()[0] == checkpoints.last == tmp_path / "step-00000010.pt"
    for step in (20, 30):
        save_and_wait(checkpoints, step, *trained)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-00000020.pt", "step-00000030.pt", "step-00000090.damaged"]


def test_a_flipped_bit_is_found(tmp_path, trained):
    """torch.load alone accepts such a file."""
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    save_and_wait(checkpoints, 1, *trained)
    save_and_wait(checkpoints, 2, *trained)
    newest = tmp_path / "step-00000002.pt"
    content = newest.read_bytes()
    weight = content.index(trained[0].weight.detach().numpy().tobytes())
    draws = random.Random(0)
    for _ in range(20):
        flipped = bytearray(content)
        flipped[weight + draws.randrange(16)] ^= 1 << draws.randrange(8)
        newest.write_bytes(flipped)
        (tmp_path / "step-00000002.damaged").unlink(missing_ok=True)
        assert checkpoints.newest_readable()[0] == tmp_path / "step-00000001.pt"


def test_a_checkpoint_with_other_settings_is_refused_by_key(tmp_path, trained):
    before = {"epochs": 1, "detector": {"head_fc": 1, "head_convs": 4}, "seed": 1}
    save_and_wait(Checkpoints(tmp_path, before, keep=2), 1, *trained)
    now = {"epochs": 2, "detector": {"head_fc": 2, "head_convs": 4}, "seed": 1}
    with refused("pretrain.other_settings", keys="detector.head_fc, epochs"):
        Checkpoints(tmp_path, now, keep=2).newest_readable()


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert Checkpoints(tmp_path / "none", {}, keep=1).newest_readable() is None


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path / "file", {"a": 1}, keep=2)
    (tmp_path / "file").write_text("where the folder should be")
    checkpoints.save(1, *trained)
    with pytest.raises(UserError, match=str(tmp_path / "file")):
        checkpoints.save(2, *trained)  # the one before is awaited
    checkpoints.wait()  # an error is raised once
    checkpoints.save(3, *trained)
    checkpoints.join()
    with pytest.raises(UserError, match=str(tmp_path / "file")):
        checkpoints.check()


def test_a_full_disk_leaves_earlier_checkpoints(tmp_path, trained):
    """Simulated by a limit on file sizes; torch raises an error of its own for it."""
    import resource
    import signal

    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    save_and_wait(checkpoints, 1, *trained)
    large = nn.Linear(1000, 1000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"step-00000002\.pt"):
            save_and_wait(checkpoints, 2, large, optimiser_of(large), trained[2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]


def test_a_checkpoint_has_the_state_at_the_time_of_saving(tmp_path, trained):
    """Training continues while the file is written."""
    model, optimiser, _ = trained
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    weight = model.weight.detach().clone()
    checkpoints.save(1, *trained)
    with torch.no_grad():
        model.weight.fill_(7)
    optimiser.state[model.weight]["momentum_buffer"].fill_(7)
    checkpoints.wait()
    _, content = checkpoints.newest_readable()
    assert torch.equal(content["model"]["weight"], weight)
    assert not (content["optimiser"]["state"][0]["momentum_buffer"] == 7).any()


def test_one_checkpoint_is_written_at_a_time(tmp_path, trained, monkeypatch):
    writing, most = [], []

    def slow(path, state):
        writing.append(path)
        most.append(len(writing))
        time.sleep(0.1)
        save_archive(path, state)
        writing.remove(path)

    monkeypatch.setattr(checkpoint, "save_archive", slow)
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=5)
    for step in (1, 2, 3):
        checkpoints.save(step, *trained)
    assert checkpoints.last == tmp_path / "step-00000003.pt"
    assert most == [1, 1, 1]
