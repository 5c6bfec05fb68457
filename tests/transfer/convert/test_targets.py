import json

import pytest
import torch
from user_errors import refused

from soco.config import DetectorConfig
from soco.transfer.convert import TARGETS, convert_file, convert_state
from soco.transfer.convert.libraries import mmdetection_tensors
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
def test_the_papers_detector_computes_the_same_in_every_library(
    paper, installed, converted, target
):
    made, before = converted(paper, installed(target)), torch.random.get_rng_state()
    found = verify_conversion(made, paper, TARGETS[target])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found.keys() == MAPS[TARGETS[target].kind]
    assert all(0 <= difference <= 1e-5 for difference in found.values())


@pytest.mark.parametrize("target", ["detectron2_c4", "mmdetection", "torchvision"])
def test_sizes_are_read_off_the_tensors(tmp_path, weights, installed, file_of, target):
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
        name: list(value.shape) for name, value in mmdetection_tensors(DetectorConfig()).items()
    } == expected
    assert {
        name: list(value.shape) for name, value in convert_state(paper, "mmdetection").items()
    } == expected


def swapped(tensors):
    """Swap two tensors of the same shape."""
    first = next(
        name for name in tensors if name.endswith(("layer1.0.conv1.weight", "res2.0.conv1.weight"))
    )
    second = first.replace(".0.conv1", ".1.conv1")
    return tensors | {first: tensors[second], second: tensors[first]}


@pytest.mark.parametrize("target", RUN)
def test_swapped_tensors_are_detected(weights, installed, converted, target):
    made = converted(weights, installed(target), swapped)
    with refused("convert.features_differ", library=TARGETS[target].library) as caught:
        verify_conversion(made, weights, TARGETS[target])
    assert "C2 by" in caught.value.values["maps"]


@pytest.mark.parametrize("target", TARGETS)
def test_missing_and_unexpected_tensors_are_listed(weights, installed, converted, target):
    last = list(convert_state(weights, installed(target)))[-1]

    def without_the_last(tensors):
        return {name: value for name, value in tensors.items() if name != last} | {
            "surplus.weight": torch.ones(3)
        }

    with refused("convert.weights_do_not_fit") as caught:
        verify_conversion(converted(weights, target, without_the_last), weights, TARGETS[target])
    mismatches = caught.value.values["mismatches"]
    assert "1 unexpected (surplus.weight)" in mismatches
    assert f"{last})" in mismatches.split("1 missing (")[1]


def test_wrong_shapes_are_listed(weights, converted):
    made = converted(
        weights, "mmdetection", lambda tensors: tensors | {"backbone.bn1.bias": torch.ones(3)}
    )
    mismatches = "1 of another shape (backbone.bn1.bias (3,) for (64,))"
    with refused("convert.weights_do_not_fit", mismatches=mismatches):
        verify_conversion(made, weights, TARGETS["mmdetection"])


def test_incomplete_weights_are_refused_before_anything_is_written(tmp_path, weights, file_of):
    state = {
        name: value for name, value in weights.items() if name != "neck.fpn_convs.2.bn.running_var"
    }
    mismatches = "1 missing (neck.fpn_convs.2.bn.running_var)"
    with refused("convert.weights_do_not_fit", mismatches=mismatches):
        convert_file(
            file_of(state), "torchvision", tmp_path / "out.safetensors", tmp_path / "out.json"
        )
    assert not (tmp_path / "out.safetensors").exists()
    assert not (tmp_path / "out.json").exists()


def test_weights_with_nan_are_refused(tmp_path, weights, file_of):
    broken = weights | {
        "encoder.layer3.0.bn1.bias": torch.full_like(
            weights["encoder.layer3.0.bn1.bias"], torch.nan
        )
    }
    with refused("convert.features_differ") as caught:
        convert_file(
            file_of(broken),
            "torchvision_resnet",
            tmp_path / "out.safetensors",
            tmp_path / "out.json",
        )
    assert "C4 by nan" in caught.value.values["maps"]
    assert not (tmp_path / "out.safetensors").exists()


def test_a_resnet_of_another_form_is_refused(weights, converted):
    state = {
        name: value for name, value in weights.items() if not name.startswith("encoder.layer2.1.")
    }
    with refused("convert.unknown_resnet", blocks="2, 1, 2, 2", convs=2):
        verify_conversion(converted(state, "timm"), state, TARGETS["timm"])
