import json

import pytest
import torch

from soco.config import DetectorConfig
from soco.errors import UserError
from soco.transfer.convert import TARGETS, convert_file, convert_state
from soco.transfer.convert.mmdetection import tensors_of
from soco.transfer.convert.weights import verify_conversion

RUN = [target for target in TARGETS if target != "mmdetection"]
"""Targets whose library is installed with the project."""

MAPS = {
    "c4": {"C2", "C3", "C4", "C5"},
    "fpn_head": {"C2", "C3", "C4", "C5", "P2", "P3", "P4", "P5", "head"},
}


@pytest.fixture
def converted(tmp_path):
    """Write a state, after a change, as a target's file."""

    def write(state, target, change=lambda tensors: tensors):
        made = tmp_path / f"made{TARGETS[target].suffix}"
        TARGETS[target].write(made, change(convert_state(state, target)))
        return made

    return write


@pytest.mark.parametrize("target", RUN)
def test_the_papers_detector_computes_the_same_everywhere(paper, installed, converted, target):
    made, before = converted(paper, installed(target)), torch.random.get_rng_state()
    found = verify_conversion(made, paper, TARGETS[target])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found.keys() == MAPS[TARGETS[target].kind]
    assert all(0 <= apart <= 1e-5 for apart in found.values())


@pytest.mark.parametrize("target", ["detectron2_c4", "mmdetection", "torchvision"])
def test_other_sizes_are_told_from_the_tensors(tmp_path, weights, installed, file_of, target):
    output = tmp_path / f"out{TARGETS[installed(target)].suffix}"
    convert_file(file_of(weights), target, output, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())["feature_differences"]
    assert found.keys() == (MAPS[TARGETS[target].kind] if target in RUN else set())
    assert output.stat().st_size > 40_000_000


def test_names_and_shapes_are_those_of_mmdetection(paper, converters):
    shapes = converters["SoCo_FPN raw checkpoint"]["shapes"]
    expected = {
        theirs: shapes[ours]
        for ours, theirs in converters["SoCo_FPN -> mmdetection_Head"]["keys"].items()
    }
    assert {
        name: list(held.shape) for name, held in tensors_of(DetectorConfig()).items()
    } == expected
    assert {
        name: list(held.shape) for name, held in convert_state(paper, "mmdetection").items()
    } == expected


def swapped(tensors):
    """Two tensors of one shape in each other's place."""
    first = next(
        name for name in tensors if name.endswith(("layer1.0.conv1.weight", "res2.0.conv1.weight"))
    )
    second = first.replace(".0.conv1", ".1.conv1")
    return tensors | {first: tensors[second], second: tensors[first]}


@pytest.mark.parametrize("target", RUN)
def test_a_tensor_in_the_wrong_place_is_seen(weights, installed, converted, target):
    made = converted(weights, installed(target), swapped)
    with pytest.raises(UserError, match=r"other features than here: .*C2 by"):
        verify_conversion(made, weights, TARGETS[target])


@pytest.mark.parametrize("target", TARGETS)
def test_leftovers_on_either_side_are_listed(weights, installed, converted, target):
    last = list(convert_state(weights, installed(target)))[-1]

    def without_the_last(tensors):
        return {name: held for name, held in tensors.items() if name != last} | {
            "surplus.weight": torch.ones(3)
        }

    with pytest.raises(UserError, match=r"1 without a place \(surplus\.weight\)") as refused:
        verify_conversion(converted(weights, target, without_the_last), weights, TARGETS[target])
    assert f"{last})" in str(refused.value).split("1 missing (")[1]


def test_another_shape_is_listed(weights, converted):
    made = converted(
        weights, "mmdetection", lambda tensors: tensors | {"backbone.bn1.bias": torch.ones(3)}
    )
    with pytest.raises(
        UserError, match=r"1 of another shape \(backbone\.bn1\.bias \(3,\) for \(64,\)\)"
    ):
        verify_conversion(made, weights, TARGETS["mmdetection"])


def test_weights_that_lack_a_tensor_are_refused_before_anything_is_written(
    tmp_path, weights, file_of
):
    state = {
        name: held for name, held in weights.items() if name != "neck.fpn_convs.2.bn.running_var"
    }
    with pytest.raises(UserError, match=r"1 missing \(neck\.fpn_convs\.2\.bn\.running_var\)"):
        convert_file(
            file_of(state), "torchvision", tmp_path / "out.safetensors", tmp_path / "out.json"
        )
    assert not (tmp_path / "out.safetensors").exists()
    assert not (tmp_path / "out.json").exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path, weights, file_of):
    broken = weights | {
        "encoder.layer3.0.bn1.bias": torch.full_like(
            weights["encoder.layer3.0.bn1.bias"], torch.nan
        )
    }
    with pytest.raises(UserError, match=r"C4 by nan.*finite"):
        convert_file(
            file_of(broken),
            "torchvision_resnet",
            tmp_path / "out.safetensors",
            tmp_path / "out.json",
        )
    assert not (tmp_path / "out.safetensors").exists()


def test_a_resnet_of_another_form_is_refused(weights, converted):
    state = {
        name: held for name, held in weights.items() if not name.startswith("encoder.layer2.1.")
    }
    with pytest.raises(
        UserError, match=r"ResNet has 2, 1, 2, 2 blocks of 2 convolutions, and is none of resnet18"
    ):
        verify_conversion(converted(state, "timm"), state, TARGETS["timm"])
