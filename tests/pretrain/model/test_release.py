import argparse
import zlib

import pytest
import torch
from safetensors.torch import save_file
from user_errors import refused

from soco.config import DetectorConfig, PretrainConfig, ViewConfig
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.lars import LARS
from soco.pretrain.model import SoCo, build_model, load_released, load_weights

ARCHITECTURES = {"SoCo_FPN": "fpn", "SoCo_FPN_Star": "fpn", "SoCo_C4": "c4"}
OPTIONS = argparse.Namespace(
    model="SoCo_FPN",
    epochs=100,
    base_learning_rate=1.0,
    crop=0.5,
    aligned=True,
    resume="",
    aware_range=[48, 96],
    cutout_ratio=(0.1, 0.3),
    num_instances=1281167,
)


class Trap:
    """Writes a file when plain pickle loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def number_of(name):
    return float(zlib.crc32(name.encode()) % 1000)


def released(names_and_shapes, options=OPTIONS):
    """A raw checkpoint with all keys of the release; each tensor repeats one number."""
    return {
        "opt": options,
        "model": {
            f"module.{n}": torch.tensor(number_of(n)).expand(s) for n, s in names_and_shapes.items()
        },
        "optimizer": {
            "state": {0: {"momentum_buffer": torch.zeros(3)}},
            "param_groups": [{"lr": 8.0, "params": [0]}],
        },
        "scheduler": {
            "last_epoch": 7,
            "finished": False,
            "after_scheduler": {"T_max": 9, "base_lrs": [8.0]},
        },
        "epoch": 100,
        "amp": {"loss_scaler0": {"loss_scale": 65536.0, "unskipped": 3}},
    }


@pytest.fixture
def small_model():
    settings = PretrainConfig(
        views=(ViewConfig(size=32), ViewConfig(size=32, crop="a")),
        projector_hidden=8,
        projector_out=4,
    )
    sizes = DetectorConfig(
        backbone="resnet18", fpn_channels=4, head_channels=4, head_convs=1, head_fc=8
    )
    return build_model(settings, sizes, seed=3)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", ["SoCo_FPN", "SoCo_FPN_Star", "SoCo_C4"])
def test_a_released_checkpoint_fits_our_model(tmp_path, golden, name, zipped):
    shapes = golden("model")["models"][name]["state_dict"]
    torch.save(released(shapes), tmp_path / "current.pth", _use_new_zipfile_serialization=zipped)
    state = load_released(tmp_path / "current.pth")
    with torch.device("meta"):
        model = SoCo(PretrainConfig(architecture=ARCHITECTURES[name]), DetectorConfig())
    model.load_state_dict(state, strict=True, assign=True)
    assert model.state_dict().keys() == shapes.keys()
    for parameter, tensor in model.state_dict().items():
        assert tensor.flatten()[-1].item() == number_of(parameter)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("place", ["opt", "opt.resume", "model", "optimizer"])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, place, zipped):
    content, trap = released({"a": [2]}), Trap(tmp_path / "sprung")
    if place == "opt.resume":
        content["opt"] = argparse.Namespace(resume=trap)
    else:
        content[place] = trap
    torch.save(content, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped)
    for load in (load_released, load_weights):
        with refused("pretrain.unsafe_checkpoint", path=tmp_path / "evil.pth") as caught:
            load(tmp_path / "evil.pth")
        assert caught.value.values["name"] in ("io.open", "_io.open", "builtins.open")
    assert not (tmp_path / "sprung").exists()
    torch.load(tmp_path / "evil.pth", weights_only=False)
    assert (tmp_path / "sprung").exists(), "the trap does not work at all"


def test_an_object_of_any_other_class_is_refused(tmp_path):
    torch.save({"model": {"a": torch.ones(1)}, "opt": torch.nn.ReLU()}, tmp_path / "odd.pth")
    with refused("pretrain.unsafe_checkpoint", name="torch.nn.modules.activation.ReLU"):
        load_released(tmp_path / "odd.pth")


def test_our_own_files_are_recognised_by_content(tmp_path, small_model):
    checkpoints = Checkpoints(tmp_path, {"seed": 1}, keep=1)
    optimiser = LARS(p for p in small_model.parameters() if p.requires_grad)
    checkpoints.save(5, small_model, optimiser, torch.amp.GradScaler("cpu", enabled=False))
    checkpoints.wait()
    save_file(small_model.state_dict(), tmp_path / "weights.pth")
    for path in (tmp_path / "step-00000005.pt", tmp_path / "weights.pth"):
        state = load_weights(path)
        assert state.keys() == small_model.state_dict().keys()
        assert all(
            torch.equal(state[name], tensor) for name, tensor in small_model.state_dict().items()
        )


@pytest.fixture
def without_checksums():
    torch.serialization.set_crc32_options(False)
    yield
    torch.serialization.set_crc32_options(True)


def test_a_file_without_checksums_is_read_with_a_warning(tmp_path, without_checksums, caplog):
    path = tmp_path / "fast.pth"
    torch.save(released({"a": [100]}), path)
    assert load_weights(path)["a"].tolist() == [number_of("a")] * 100
    assert len(caplog.records) == 1
    assert str(path) in caplog.text and "set_crc32_options" in caplog.text


def test_a_flipped_bit_in_a_checksum_or_a_weight_is_found_in_files_of_others(tmp_path, caplog):
    path = tmp_path / "theirs.pth"
    torch.save(released({"a": [100]}), path)
    whole = path.read_bytes()
    directory = whole.rindex(b"PK\x01\x02")  # of the last record, with its checksum 16 bytes on
    for place in (directory + 16, whole.index(torch.tensor(number_of("a")).numpy().tobytes())):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with refused("pretrain.weights_unreadable", path=path) as caught:
            load_weights(path)
        assert "checksum" in caught.value.values["reason"]
    assert not caplog.records


@pytest.mark.parametrize("cut", [0, 5, 8, 40, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_truncated_file_is_refused(tmp_path, kind, cut):
    path = tmp_path / "cut.pth"
    if kind == "safetensors":
        save_file({"a": torch.ones(100)}, path)
    else:
        torch.save(released({"a": [100]}), path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: cut if cut >= 1 or cut == 0 else int(cut * len(whole))])
    with refused("pretrain.weights_unreadable", path=path) as caught:
        load_weights(path)
    assert caught.value.values["reason"] and "\n" not in str(caught.value)


def test_a_file_without_weights_is_refused(tmp_path):
    (tmp_path / "notes.pth").write_text("not weights at all")
    with refused("pretrain.weights_unreadable", path=tmp_path / "notes.pth"):
        load_weights(tmp_path / "notes.pth")
    torch.save({"optimizer": {"a": torch.ones(1)}}, tmp_path / "other.pth")
    with refused("pretrain.no_weights", path=tmp_path / "other.pth"):
        load_weights(tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with refused("pretrain.no_weights", path=tmp_path / "list.pth"):
        load_released(tmp_path / "list.pth")


@pytest.mark.parametrize("load", [load_released, load_weights])
def test_a_missing_file_and_a_folder_are_refused(tmp_path, load):
    with refused("pretrain.weights_missing", path=tmp_path / "absent.pth"):
        load(tmp_path / "absent.pth")
    with refused("pretrain.weights_unreadable", path=tmp_path):
        load(tmp_path)
