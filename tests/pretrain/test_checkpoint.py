import random

import pytest
import torch
from torch import nn

from soco.errors import UserError
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


def test_the_newest_are_kept_and_a_run_goes_on_from_the_last(tmp_path, trained):
    model, _, scaler = trained
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    for step in (1, 2, 3):
        checkpoints.save(step, *trained)
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


def test_a_checkpoint_cut_short_is_passed_over(tmp_path, trained, caplog):
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    checkpoints.save(1, *trained)
    checkpoints.save(2, *trained)
    newest = tmp_path / "step-00000002.pt"
    newest.write_bytes(newest.read_bytes()[:300])
    assert checkpoints.newest_readable()[0] == tmp_path / "step-00000001.pt"
    assert "step-00000002.pt cannot be read" in caplog.text


def test_a_damaged_checkpoint_takes_no_place_among_the_newest(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    for step in (10, 90):
        checkpoints.save(step, *trained)
    (tmp_path / "step-00000090.pt").write_bytes(b"damaged")
    assert checkpoints.newest_readable()[0] == checkpoints.last == tmp_path / "step-00000010.pt"
    for step in (20, 30):
        checkpoints.save(step, *trained)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-00000020.pt", "step-00000030.pt", "step-00000090.damaged"]


def test_one_flipped_bit_is_noticed(tmp_path, trained):
    """torch.load alone takes such a file for good."""
    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    checkpoints.save(1, *trained)
    checkpoints.save(2, *trained)
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


def test_a_checkpoint_of_other_settings_is_refused_and_the_keys_named(tmp_path, trained):
    before = {"epochs": 1, "detector": {"head_fc": 1, "head_convs": 4}, "seed": 1}
    Checkpoints(tmp_path, before, keep=2).save(1, *trained)
    now = {"epochs": 2, "detector": {"head_fc": 2, "head_convs": 4}, "seed": 1}
    with pytest.raises(UserError, match=r"other settings \(detector.head_fc, epochs\)"):
        Checkpoints(tmp_path, now, keep=2).newest_readable()


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert Checkpoints(tmp_path / "none", {}, keep=1).newest_readable() is None


def test_a_checkpoint_that_cannot_be_written_is_told_in_a_sentence(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path / "file", {"a": 1}, keep=2)
    (tmp_path / "file").write_text("where the folder should be")
    with pytest.raises(
        UserError, match=r"^\S+file cannot be used: a file lies where a folder should be; remove"
    ):
        checkpoints.save(1, *trained)


def test_a_full_disk_leaves_what_was_written_before(tmp_path, trained):
    """A limit on the size of files stands for the disk's end; torch says it in words of its own."""
    import resource
    import signal

    checkpoints = Checkpoints(tmp_path, {"a": 1}, keep=2)
    checkpoints.save(1, *trained)
    large = nn.Linear(1000, 1000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(
            UserError, match=r"^\S+step-00000002\.pt would be larger than .*run it again"
        ):
            checkpoints.save(2, large, optimiser_of(large), trained[2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.pt"]
