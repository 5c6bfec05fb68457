import pytest
import torchvision

from soco.convert import left_behind, renamed

CONVERSIONS = {
    "fpn_head": ("SoCo_FPN -> detectron2_Head", "SoCo_FPN raw checkpoint"),
    "c4": ("SoCo_C4 -> detectron2_C4", "SoCo_C4 raw checkpoint"),
}


@pytest.mark.parametrize("kind", CONVERSIONS)
def test_every_name_is_the_authors(converters, kind):
    conversion, raw = CONVERSIONS[kind]
    ours = {name: renamed(name) for name in converters[raw]["shapes"] if left_behind(name, kind) is None}
    assert ours == converters[conversion]["keys"]


def test_the_prefix_of_a_release_changes_nothing():
    assert renamed("module.neck.fpn_convs.3.bn.bias") == renamed("neck.fpn_convs.3.bn.bias") == "fpn_output5.norm.bias"


def test_basic_blocks_are_named_too():
    names = [f"encoder.{name}" for name in torchvision.models.resnet18().state_dict() if not name.startswith("fc.")]
    theirs = [renamed(name) for name in names]
    assert len(set(theirs)) == len(names) == 120
    assert renamed("encoder.layer3.0.downsample.0.weight") == "res4.0.shortcut.weight"
    assert renamed("encoder.layer4.1.bn2.running_var") == "res5.1.conv2.norm.running_var"


@pytest.mark.parametrize(
    "name", ["encoder.fc.weight", "encoder.conv1.scale", "backbone.conv1.weight", "xencoder.conv1.weight"]
)
def test_a_name_without_a_row_has_no_other_name(name):
    assert renamed(name) is None
    assert left_behind(name, "fpn_head") is None


def test_what_is_left_behind_has_its_reason():
    assert "pretraining loss" in left_behind("projector.linear1.weight", "fpn_head")
    assert "target branch" in left_behind("module.encoder_k.conv1.weight", "c4")
    assert "ResNet alone" in left_behind("neck.lateral_convs.0.conv.weight", "c4")
    assert left_behind("neck.lateral_convs.0.conv.weight", "fpn_head") is None
