import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from soco.convert import convert_run, convert_to_detectron2, write_detectron2
from soco.errors import UserError

STATE = {
    "encoder.conv1.weight": torch.randn(4, 3, 7, 7),
    "encoder.bn1.num_batches_tracked": torch.tensor(7),
    "neck.lateral_convs.1.conv.weight": torch.randn(2, 4, 1, 1),
    "head.fc1.weight": torch.randn(5, 2),
    "projector.linear1.weight": torch.randn(3, 5),
    "predictor.linear2.bias": torch.randn(3),
    "encoder_k.conv1.weight": torch.randn(4, 3, 7, 7),
}


def test_every_shape_of_the_release_is_kept(converters):
    shapes = converters["SoCo_FPN raw checkpoint"]["shapes"]
    state = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    converted = convert_to_detectron2(state, "fpn_head")
    names = converters["SoCo_FPN -> detectron2_Head"]["keys"]
    assert {theirs: list(converted[theirs].shape) for theirs in converted} == {
        theirs: shapes[ours] for ours, theirs in names.items()
    }


def test_values_are_kept():
    converted = convert_to_detectron2(STATE, "fpn_head")
    assert set(converted) == {
        "stem.conv1.weight",
        "stem.conv1.norm.num_batches_tracked",
        "fpn_lateral3.weight",
        "box_head.fc1.weight",
    }
    np.testing.assert_array_equal(converted["stem.conv1.weight"], STATE["encoder.conv1.weight"].numpy())
    assert converted["stem.conv1.norm.num_batches_tracked"].dtype == np.int64


def test_half_precision_is_widened():
    state = {"encoder.conv1.weight": torch.ones(1, dtype=torch.bfloat16)}
    assert convert_to_detectron2(state, "c4")["stem.conv1.weight"].dtype == np.float32


def test_c4_carries_the_resnet_alone():
    assert set(convert_to_detectron2(STATE, "c4")) == {"stem.conv1.weight", "stem.conv1.norm.num_batches_tracked"}


def test_unknown_names_are_listed():
    with pytest.raises(UserError, match=r"2 tensor\(s\).*bottom\.weight, encoder\.fc\.bias"):
        convert_to_detectron2(STATE | {"encoder.fc.bias": torch.ones(1), "bottom.weight": torch.ones(1)}, "c4")


def test_a_c4_run_gives_no_head():
    state = {name: value for name, value in STATE.items() if not name.startswith(("neck", "head"))}
    with pytest.raises(UserError, match="no neck and no head"):
        convert_to_detectron2(state, "fpn_head")


def test_the_file_is_in_the_format_of_the_release(tmp_path, converters):
    write_detectron2(tmp_path / "out.pkl", convert_to_detectron2(STATE, "c4"))
    content = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert content.keys() == converters["SoCo_C4 -> detectron2_C4"]["container"].keys() | {"model"}
    assert content["matching_heuristics"] is True
    assert all(isinstance(value, np.ndarray) for value in content["model"].values())


def test_the_summary_accounts_for_every_tensor(tmp_path, capsys):
    save_file(STATE, tmp_path / "weights.safetensors")
    convert_run(tmp_path / "weights.safetensors", "fpn_head", tmp_path / "out.pkl", tmp_path / "out.json")
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["converted"] == len(summary["names"]) == 4
    assert summary["numbers"] == 4 * 3 * 49 + 1 + 2 * 4 + 5 * 2
    assert set(summary["names"]) | set(summary["left_behind"]) == set(STATE)
    assert sum(summary["left_behind_by_reason"].values()) == 3
    assert "Converted 4 tensors" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"weights\.safetensors cannot be read"):
        convert_run(tmp_path / "weights.safetensors", "c4", tmp_path / "out.pkl", tmp_path / "out.json")
    assert not (tmp_path / "out.pkl").exists()
