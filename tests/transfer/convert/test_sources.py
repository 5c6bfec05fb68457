import argparse
import json
import pickle

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from user_errors import refused

from soco.errors import UserError
from soco.transfer.convert import convert_file, convert_state, load_source, write_detectron2
from soco.transfer.convert.safe_pickle import read_pickle

ONLINE = ("encoder.", "neck.", "head.")


@pytest.fixture(
    params=["ours", "checkpoint", "released", "released before torch 1.6", "detectron2"]
)
def source(request, tmp_path, weights, file_of):
    """The same weights in each supported format."""
    path = tmp_path / "source"
    if request.param == "ours":
        file_of(weights).rename(path)
    elif request.param == "checkpoint":
        torch.save({"step": 3, "model": weights}, path)
    elif request.param == "detectron2":
        write_detectron2(path, convert_state(weights, "detectron2"))
    else:
        model = {f"module.{name}": value for name, value in weights.items()}
        content = {"opt": argparse.Namespace(lr=1.0), "model": model, "epoch": 100}
        torch.save(content, path, _use_new_zipfile_serialization=request.param == "released")
    return path


def test_every_format_is_recognised_by_its_content(source, weights):
    found = load_source(source)
    assert {name for name in found if name.startswith(ONLINE)} == {
        name for name in weights if name.startswith(ONLINE)
    }
    for name, value in found.items():
        assert value.dtype == weights[name].dtype
        assert torch.equal(value, weights[name])


def test_a_detectron2_file_with_only_a_resnet_is_converted(tmp_path, weights):
    write_detectron2(tmp_path / "c4.pkl", convert_state(weights, "detectron2_c4"))
    assert all(name.startswith("encoder.") for name in load_source(tmp_path / "c4.pkl"))
    convert_file(
        tmp_path / "c4.pkl",
        "torchvision_resnet",
        tmp_path / "out.safetensors",
        tmp_path / "out.json",
    )
    assert (tmp_path / "out.safetensors").stat().st_size > 40_000_000
    with refused("convert.missing_part", parts="neck and no head"):
        convert_file(
            tmp_path / "c4.pkl", "mmdetection", tmp_path / "out.pth", tmp_path / "out.json"
        )


@pytest.mark.parametrize(
    "form", ["state dict", "state dict before torch 1.6", "under state_dict", "safetensors"]
)
def test_a_supervised_resnet_is_converted_without_its_classifier(tmp_path, form):
    model = torchvision.models.resnet50()
    state, path = model.state_dict(), tmp_path / "resnet50"
    if form == "safetensors":
        save_file(state, path)
    elif form == "state dict before torch 1.6":
        state = {
            name: value for name, value in state.items() if not name.endswith("num_batches_tracked")
        }
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        torch.save({"state_dict": state} if "under" in form else state, path)
    convert_file(path, "detectron2_c4", tmp_path / "out.pkl", tmp_path / "out.json")
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["converted"] == 318
    assert sorted(summary["left_behind"]) == ["classifier.bias", "classifier.weight"]
    assert max(summary["feature_differences"].values()) <= 1e-5
    weights = read_pickle(tmp_path / "out.pkl")["model"]["res5.2.conv3.weight"]
    np.testing.assert_array_equal(weights, model.layer4[2].conv3.weight.detach().numpy())


def test_unknown_names_of_detectron2_are_refused(tmp_path):
    write_detectron2(
        tmp_path / "odd.pkl", {"stem.conv1.weight": np.ones(1), "rpn.weight": np.ones(1)}
    )
    with refused("convert.unknown_detectron2_names", count=1, names="rpn.weight"):
        load_source(tmp_path / "odd.pkl")


def test_three_of_many_unknown_names_are_listed(tmp_path):
    write_detectron2(
        tmp_path / "odd.pkl", {f"rpn.{number}.weight": np.ones(1) for number in range(120)}
    )
    names = "rpn.0.weight, rpn.1.weight, rpn.10.weight and 117 others"
    with refused("convert.unknown_detectron2_names", count=120, names=names):
        load_source(tmp_path / "odd.pkl")


def test_a_pickle_without_a_model_is_refused(tmp_path):
    write_detectron2(tmp_path / "empty.pkl", {})
    with refused("convert.no_arrays", path=tmp_path / "empty.pkl"):
        load_source(tmp_path / "empty.pkl")


def test_a_source_that_would_run_code_is_refused(tmp_path):
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"model": {"stem.conv1.weight": print}}))
    with refused("convert.unsafe_pickle", path=tmp_path / "bad.pkl", name="builtins.print"):
        convert_file(
            tmp_path / "bad.pkl", "detectron2", tmp_path / "out.pkl", tmp_path / "out.json"
        )
    assert not (tmp_path / "out.pkl").exists()


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x04", b"PK\x03\x04 cut"])
def test_an_unreadable_file_is_refused(tmp_path, content):
    (tmp_path / "weights.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.bin"):
        load_source(tmp_path / "weights.bin")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.pth"):
        load_source(tmp_path / "none.pth")
