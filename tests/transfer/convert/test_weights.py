import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from user_errors import refused

from soco.data.stores.tensors import DIGEST
from soco.transfer.convert import TARGETS, convert_file, convert_state, write_detectron2

STATE = {
    "encoder.conv1.weight": torch.randn(4, 3, 7, 7),
    "encoder.bn1.num_batches_tracked": torch.tensor(7),
    "neck.lateral_convs.1.conv.weight": torch.randn(2, 4, 1, 1),
    "head.fc1.weight": torch.randn(5, 2),
    "projector.linear1.weight": torch.randn(3, 5),
    "predictor.linear2.bias": torch.randn(3),
    "encoder_k.conv1.weight": torch.randn(4, 3, 7, 7),
}


@pytest.mark.parametrize(
    ("target", "conversion"),
    [
        ("detectron2", "SoCo_FPN -> detectron2_Head"),
        ("mmdetection", "SoCo_FPN -> mmdetection_Head"),
    ],
)
def test_shapes_of_the_release_are_unchanged(converters, target, conversion):
    shapes = converters["SoCo_FPN raw checkpoint"]["shapes"]
    converted = convert_state(
        {
            name: torch.zeros(1).expand(shape or ()) if shape else torch.tensor(0)
            for name, shape in shapes.items()
        },
        target,
    )
    names = converters[conversion]["keys"]
    assert {theirs: list(converted[theirs].shape) for theirs in converted} == {
        theirs: shapes[ours] for ours, theirs in names.items()
    }


def test_values_are_unchanged():
    converted = convert_state(STATE, "detectron2")
    assert set(converted) == {
        "stem.conv1.weight",
        "stem.conv1.norm.num_batches_tracked",
        "fpn_lateral3.weight",
        "box_head.fc1.weight",
    }
    torch.testing.assert_close(
        converted["stem.conv1.weight"], STATE["encoder.conv1.weight"], rtol=0, atol=0
    )
    assert converted["stem.conv1.norm.num_batches_tracked"].dtype == torch.int64


def test_half_precision_becomes_float32():
    state = {"encoder.conv1.weight": torch.ones(1, dtype=torch.bfloat16)}
    assert convert_state(state, "detectron2_c4")["stem.conv1.weight"].dtype == torch.float32


def test_some_targets_take_only_the_resnet():
    assert set(convert_state(STATE, "detectron2_c4")) == {
        "stem.conv1.weight",
        "stem.conv1.norm.num_batches_tracked",
    }
    assert set(convert_state(STATE, "timm")) == {"conv1.weight", "bn1.num_batches_tracked"}


def test_unknown_names_are_refused():
    with refused("convert.unknown_names", count=2, names="bottom.weight, encoder.fc.bias"):
        convert_state(
            STATE | {"encoder.fc.bias": torch.ones(1), "bottom.weight": torch.ones(1)}, "timm"
        )


def test_three_of_many_unknown_names_are_listed():
    unknown = {f"bottom.{number}.weight": torch.ones(1) for number in range(120)}
    names = "bottom.0.weight, bottom.1.weight, bottom.10.weight and 117 others"
    with refused("convert.unknown_names", names=names):
        convert_state(STATE | unknown, "timm")


@pytest.mark.parametrize("target", ["detectron2", "mmdetection", "torchvision"])
def test_a_c4_run_is_refused_where_a_head_is_needed(target):
    state = {name: value for name, value in STATE.items() if not name.startswith(("neck", "head"))}
    with refused("convert.missing_part", parts="neck and no head"):
        convert_state(state, target)


def test_the_detectron2_file_has_the_release_format(tmp_path, converters):
    write_detectron2(tmp_path / "out.pkl", convert_state(STATE, "detectron2_c4"))
    content = pickle.loads((tmp_path / "out.pkl").read_bytes())
    assert content.keys() == converters["SoCo_C4 -> detectron2_C4"]["container"].keys() | {
        "model",
        DIGEST,
    }
    assert content["matching_heuristics"] is True
    assert all(isinstance(value, np.ndarray) for value in content["model"].values())


def test_the_mmdetection_file_has_the_release_format(tmp_path, converters):
    TARGETS["mmdetection"].write(tmp_path / "out.pth", convert_state(STATE, "mmdetection"))
    content = torch.load(tmp_path / "out.pth", weights_only=True)
    assert content.keys() == converters["SoCo_FPN -> mmdetection_Head"]["container"].keys() | {
        "state_dict"
    }
    assert content["meta"] == {}


def test_the_summary_lists_every_tensor(tmp_path, weights, file_of, capsys):
    convert_file(
        file_of(weights), "torchvision", tmp_path / "out.safetensors", tmp_path / "out.json"
    )
    summary = json.loads((tmp_path / "out.json").read_text())
    assert (summary["target"], summary["kind"]) == ("torchvision", "fpn_head")
    assert summary["converted"] == len(summary["names"]) == len(weights) - 4
    carried = [value for name, value in weights.items() if name in summary["names"]]
    assert summary["numbers"] == sum(value.numel() for value in carried)
    assert set(summary["names"]) | set(summary["left_behind"]) == set(weights)
    assert sum(summary["left_behind_by_reason"].values()) == 4
    assert max(summary["feature_differences"].values()) <= 1e-5
    printed = capsys.readouterr().out
    assert f"Converted {len(weights) - 4} tensors" in printed
    assert "Loaded into torchvision's Mask R-CNN FPN" in printed


def test_a_wrong_suffix_is_refused(tmp_path, weights, file_of):
    with refused("convert.wrong_suffix", suffix=".safetensors", target="timm"):
        convert_file(file_of(weights), "timm", tmp_path / "out.pth", tmp_path / "out.json")


def test_an_unknown_target_is_refused(tmp_path):
    with refused("convert.unknown_target", target="tim"):
        convert_file(tmp_path / "in", "tim", tmp_path / "out", tmp_path / "out.json")


def test_the_rule_converts_for_another_library_on_demand(
    snakemake, repository, tmp_path, weights, installed
):
    installed("timm")
    run = tmp_path / "results" / "pretrain" / "soco"
    run.mkdir(parents=True)
    save_file(weights, run / "weights.safetensors")
    shutil.copy(repository / "config.yaml", tmp_path)
    target = "results/convert/soco/timm.safetensors"
    arguments = [
        target,
        "--snakefile",
        repository / "Snakefile",
        "--cores",
        "1",
        "--allowed-rules",
        "convert_for",
    ]
    code, printed = snakemake(
        [*arguments, "--configfile", repository / "recipes" / "test.yaml"], tmp_path
    )
    assert code == 0, printed
    assert load_file(tmp_path / target)["conv1.weight"].equal(weights["encoder.conv1.weight"])
    summary = json.loads((tmp_path / f"{target}.json").read_text())
    assert summary["converted"] == 120
    assert max(summary["feature_differences"].values()) <= 1e-5
    log = tmp_path / "results" / "logs" / "convert_for" / "soco" / "timm.safetensors.log"
    assert "Converted 120 tensors" in log.read_text()
