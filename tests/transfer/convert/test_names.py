import pytest
import torchvision

from soco.transfer.convert import left_behind, renamed, translated

CONVERSIONS = {
    "detectron2": (
        "detectron2",
        "fpn_head",
        "SoCo_FPN -> detectron2_Head",
        "SoCo_FPN raw checkpoint",
    ),
    "detectron2_c4": ("detectron2", "c4", "SoCo_C4 -> detectron2_C4", "SoCo_C4 raw checkpoint"),
    "mmdetection": (
        "mmdetection",
        "fpn_head",
        "SoCo_FPN -> mmdetection_Head",
        "SoCo_FPN raw checkpoint",
    ),
}


@pytest.mark.parametrize("target", CONVERSIONS)
def test_names_match_the_authors_converters_in_both_directions(converters, target):
    column, kind, conversion, raw = CONVERSIONS[target]
    names = converters[conversion]["keys"]
    carried = [name for name in converters[raw]["shapes"] if left_behind(name, kind) is None]
    assert {name: renamed(name, column) for name in carried} == names
    assert {
        theirs: f"module.{translated(theirs, column, 'ours')}" for theirs in names.values()
    } == {theirs: ours for ours, theirs in names.items()}


def test_a_module_prefix_is_ignored():
    assert (
        renamed("module.neck.fpn_convs.3.bn.bias")
        == renamed("neck.fpn_convs.3.bn.bias")
        == "fpn_output5.norm.bias"
    )


def test_basic_blocks_are_renamed():
    names = [
        f"encoder.{name}"
        for name in torchvision.models.resnet18().state_dict()
        if not name.startswith("fc.")
    ]
    theirs = [renamed(name) for name in names]
    assert len(set(theirs)) == len(names) == 120
    assert renamed("encoder.layer3.0.downsample.0.weight") == "res4.0.shortcut.weight"
    assert renamed("encoder.layer4.1.bn2.running_var") == "res5.1.conv2.norm.running_var"


@pytest.mark.parametrize(
    ("convs", "layer"), [(1, "roi_heads.box_head.2.weight"), (4, "roi_heads.box_head.5.weight")]
)
def test_torchvision_numbers_the_box_head_layers(convs, layer):
    assert renamed("head.fc1.weight", "torchvision", convs) == layer
    assert translated(layer, "torchvision", "ours", convs) == "head.fc1.weight"
    assert (
        renamed("head.bn1.running_var", "torchvision", convs)
        == "roi_heads.box_head.0.1.running_var"
    )


def test_a_plain_resnet_has_no_neck():
    assert renamed("encoder.layer2.3.bn1.bias", "resnet") == "layer2.3.bn1.bias"
    assert renamed("neck.fpn_convs.0.bn.bias", "resnet") is None


@pytest.mark.parametrize(
    "name",
    ["encoder.fc.weight", "encoder.conv1.scale", "backbone.conv1.weight", "xencoder.conv1.weight"],
)
def test_an_unknown_name_of_ours_is_not_renamed(name):
    assert renamed(name) is None
    assert left_behind(name, "fpn_head") is None


@pytest.mark.parametrize(
    "name", ["stem.conv2.weight", "res2.0.conv1.norm.eps", "xres2.0.conv1.weight", "fpn_lateral2"]
)
def test_an_unknown_name_of_detectron2_is_not_renamed(name):
    assert translated(name, "detectron2", "ours") is None


def test_tensors_left_behind_have_a_reason():
    assert "pretraining loss" in left_behind("projector.linear1.weight", "fpn_head")
    assert "target branch" in left_behind("module.encoder_k.conv1.weight", "c4")
    assert "ResNet only" in left_behind("neck.lateral_convs.0.conv.weight", "c4")
    assert left_behind("neck.lateral_convs.0.conv.weight", "fpn_head") is None
