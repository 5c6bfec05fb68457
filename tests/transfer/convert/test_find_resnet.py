"""The ResNet in other libraries' checkpoints is found, and its tensors are unchanged."""

import json
import logging

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn
from user_errors import refused

from soco.errors import UserError
from soco.transfer.convert import convert_file, read_source
from soco.transfer.probe.backbone import frozen_backbone


def resnet(seed, name="resnet18"):
    """A ResNet of torchvision whose norms have random statistics, as after a training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torchvision.models.get_model(name, weights=None)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.normal_(0, 0.2)
                norm.running_var.uniform_(0.5, 1.5)
        return model.eval()


MODEL, COPY = resnet(1), resnet(2)
HEAD = nn.Sequential(nn.Linear(512, 8), nn.ReLU(), nn.Linear(8, 4)).state_dict()


def plain(model):
    return {name: value for name, value in model.state_dict().items() if not name.startswith("fc.")}


def children(model):
    """The tensor names of `nn.Sequential(*list(resnet.children())[:-1])`, as lightly has them."""
    return nn.Sequential(*list(model.children())[:-1]).state_dict()


def prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


M, C = plain(MODEL), plain(COPY)
LIGHTNING = {
    "epoch": 9,
    "global_step": 10,
    "pytorch-lightning_version": "2.4.0",
    "lr_schedulers": [],
    "loops": {},
}
OPTIMIZER = {
    "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []},
    "epoch": 9,
}

LIBRARIES = {
    # name: the checkpoint, and the prefix of the ResNet to choose
    "DDP": ({**OPTIMIZER, "state_dict": prefixed("module.", M | prefixed("fc.", HEAD))}, "top"),
    "MoCo v1 and v2": (
        {
            **OPTIMIZER,
            "arch": "resnet18",
            "state_dict": prefixed("module.encoder_q.", M | prefixed("fc.", HEAD))
            | prefixed("module.encoder_k.", C | prefixed("fc.", HEAD))
            | {
                "module.queue": torch.ones(4, 8),
                "module.queue_ptr": torch.zeros(1, dtype=torch.long),
            },
        },
        "encoder_q.",
    ),
    "MoCo v3": (
        {
            "state_dict": prefixed("module.base_encoder.", M | prefixed("fc.", HEAD))
            | prefixed("module.momentum_encoder.", C | prefixed("fc.", HEAD))
            | prefixed("module.predictor.", HEAD)
        },
        "base_encoder.",
    ),
    "DINO": (
        {
            **OPTIMIZER,
            "student": prefixed("module.backbone.", C) | prefixed("module.head.mlp.", HEAD),
            "teacher": prefixed("backbone.", M) | prefixed("head.mlp.", HEAD),
            "dino_loss": {"center": torch.ones(1, 4)},
        },
        "teacher.backbone.",
    ),
    "solo-learn": (
        {
            **LIGHTNING,
            "state_dict": prefixed("backbone.", M)
            | prefixed("momentum_backbone.", C)
            | prefixed("projector.", HEAD)
            | prefixed("momentum_projector.", HEAD)
            | {"classifier.weight": torch.ones(3, 512)},
        },
        "backbone.",
    ),
    "lightly": (
        {
            **LIGHTNING,
            "state_dict": prefixed("student_backbone.", children(COPY))
            | prefixed("teacher_backbone.", children(MODEL))
            | prefixed("teacher_head.layers.", HEAD),
        },
        "teacher_backbone.",
    ),
    "lightly, MoCo": (
        {
            "state_dict": prefixed("backbone.", children(MODEL))
            | prefixed("projection_head.layers.", HEAD)
            | prefixed("backbone_momentum.", children(COPY))
        },
        "backbone.",
    ),
    "BYOL": (
        prefixed("online_encoder.net.", M | prefixed("fc.", HEAD))
        | prefixed("target_encoder.net.", C),
        "online_encoder.net.",
    ),
    "BYOL of two state dicts": (
        {
            "online_network_state_dict": prefixed("encoder.", children(MODEL))
            | prefixed("projetion.net.", HEAD),
            "target_network_state_dict": prefixed("encoder.", children(COPY))
            | prefixed("projetion.net.", HEAD),
            "optimizer_state_dict": {"state": {0: torch.ones(1)}},
        },
        "online_network_state_dict.encoder.",
    ),
    "SimCLR": ({"state_dict": prefixed("backbone.", M | prefixed("fc.", HEAD))}, "backbone."),
    "SimSiam": (
        {
            "state_dict": prefixed("module.encoder.", M | prefixed("fc.", HEAD))
            | prefixed("module.predictor.", HEAD)
        },
        "encoder.",
    ),
    "SwAV": (
        prefixed("module.", M | prefixed("projection_head.", HEAD))
        | {"module.prototypes.weight": torch.ones(3, 4)},
        "top",
    ),
    "OpenMMLab, MoCo": (
        {
            "meta": {"epoch": 200},
            "state_dict": prefixed("backbone.", M)
            | prefixed("encoder_q.0.", M)
            | prefixed("encoder_q.1.mlp.", HEAD)
            | prefixed("encoder_k.0.", C),
        },
        "backbone.",
    ),
    "mmdetection": (
        {
            "state_dict": prefixed("backbone.", M)
            | prefixed("neck.lateral_convs.0.conv.", HEAD)
            | prefixed("roi_head.", HEAD)
        },
        "backbone.",
    ),
    "VISSL": (
        {
            "classy_state_dict": {
                "base_model": {"model": {"trunk": prefixed("_feature_blocks.", M), "heads": HEAD}}
            }
        },
        "classy_state_dict.base_model.model.trunk._feature_blocks.",
    ),
    "torch.compile": (
        {"network": prefixed("_orig_mod.module.net.", M) | prefixed("_orig_mod.head.", HEAD)},
        "network._orig_mod.module.net.",
    ),
}


@pytest.fixture
def saved(tmp_path):
    """Save a checkpoint."""

    def save(content, name="other.pth"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_resnet_of_each_library_is_found_unchanged(saved, library):
    content, place = LIBRARIES[library]
    source = read_source(saved(content))
    assert (source.prefix or "top") == place
    assert source.state.keys() == {f"encoder.{name}" for name in M}
    assert all(torch.equal(source.state[f"encoder.{name}"], M[name]) for name in M)


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnet101"])
def test_deeper_resnets_are_recognised_by_their_shapes(saved, name):
    with torch.device("meta"):
        shapes = torchvision.models.get_model(name, weights=None).state_dict()
    # One number for each tensor, expanded: a file of kilobytes.
    state = {
        key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in shapes.items()
    }
    source = read_source(saved({"state_dict": prefixed("module.encoder_q.", state)}))
    assert source.prefix == "encoder_q."
    assert {key: value.shape for key, value in source.state.items()} == {
        f"encoder.{key}": value.shape for key, value in shapes.items() if key[:3] != "fc."
    }


def test_the_choice_and_the_omitted_tensors_are_reported(saved, tmp_path, capsys):
    content, _ = LIBRARIES["MoCo v1 and v2"]
    convert_file(saved(content), "timm", tmp_path / "out.safetensors", tmp_path / "out.json")
    printed = capsys.readouterr().out
    assert "took the ResNet at encoder_q instead of the one at encoder_k" in printed
    assert "130 other tensors (encoder_k.bn1.bias, " in printed
    assert "and 127 others)." in printed
    summary = json.loads((tmp_path / "out.json").read_text())
    assert (summary["taken_from"], summary["converted"]) == ("encoder_q.", 120)
    assert max(summary["feature_differences"].values()) <= 1e-5
    assert sorted(summary["left_behind_by_reason"].values()) == [6, 124]


def test_a_probe_makes_the_same_choice_and_logs_it(saved, caplog):
    content, _ = LIBRARIES["DINO"]
    with caplog.at_level(logging.INFO):
        encoder, name = frozen_backbone(saved(content), None, seed=1)
    assert name == "resnet18"
    assert torch.equal(encoder.state_dict()["layer4.1.conv2.weight"], M["layer4.1.conv2.weight"])
    assert "took the ResNet at teacher.backbone" in caplog.text


def test_safetensors_and_half_precision(tmp_path):
    half = {name: value.half() if value.is_floating_point() else value for name, value in M.items()}
    save_file(prefixed("module.encoder_q.", half), tmp_path / "x.safetensors")
    convert_file(
        tmp_path / "x.safetensors", "timm", tmp_path / "out.safetensors", tmp_path / "out.json"
    )
    assert torch.equal(
        load_file(tmp_path / "out.safetensors")["conv1.weight"], half["conv1.weight"].float()
    )


def test_our_own_weights_are_not_searched(weights, file_of):
    assert read_source(file_of(weights)).prefix is None


def wide():
    """ResNet-18 with another width in layer1."""
    return {
        name: value[:2] if name.startswith("layer1.") and value.ndim else value
        for name, value in M.items()
    }


def deep_stem():
    stem = {f"conv1.{n}.weight": torch.ones(32, 32, 3, 3) for n in (0, 3, 6)}
    return {name: value for name, value in M.items() if name != "conv1.weight"} | stem


ODD = {
    "a missing tensor": (
        lambda: {name: value for name, value in M.items() if name != "layer3.1.bn2.running_var"},
        "1 missing (layer3.1.bn2.running_var)",
    ),
    "a swapped shape": (
        lambda: M | {"layer2.0.conv2.weight": M["layer3.0.conv2.weight"]},
        "1 of another shape (layer2.0.conv2.weight (256, 256, 3, 3) for (128, 128, 3, 3))",
    ),
    "a 3x3 stem": (
        lambda: M | {"conv1.weight": torch.ones(64, 3, 3, 3)},
        "1 of another shape (conv1.weight (64, 3, 3, 3) for (64, 3, 7, 7))",
    ),
    "a deep stem": (
        deep_stem,
        "3 unexpected (conv1.0.weight, conv1.3.weight, conv1.6.weight); 1 missing (conv1.weight)",
    ),
    "another width": (
        wide,
        "20 of another shape (layer1.0.bn1.bias (2,) for (64,), layer1.0.bn1.running_mean (2,)"
        " for (64,), layer1.0.bn1.running_var (2,) for (64,) and 17 others)",
    ),
    "integers": (
        lambda: M | {"conv1.weight": torch.ones(64, 3, 7, 7, dtype=torch.int8)},
        "1 of integers (conv1.weight)",
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_resnet_of_another_form_is_refused(saved, odd):
    make, mismatches = ODD[odd]
    path = saved({"state_dict": prefixed("module.encoder_q.", make())})
    owner = f"The ResNet at 'encoder_q' of {path}"
    with refused("convert.not_a_plain_resnet", owner=owner, mismatches=mismatches):
        read_source(path)


def test_a_resnet_of_another_depth_is_refused(saved):
    state = {name: value for name, value in M.items() if not name.startswith("layer2.1.")}
    with refused("convert.unknown_resnet", blocks="2, 1, 2, 2", convs=2):
        read_source(saved({"state_dict": prefixed("module.encoder_q.", state)}))


def test_a_vision_transformer_is_refused(saved):
    model = torchvision.models.VisionTransformer(32, 16, 2, 2, 16, 32)
    content = {"teacher": prefixed("backbone.", model.state_dict())}
    with refused("convert.vision_transformer") as caught:
        read_source(saved(content))
    assert caught.value.values["names"].endswith(" and 29 others")


def test_a_file_without_a_resnet_is_refused(saved):
    content = {f"net.{n}.weight": torch.ones(1) for n in range(120)}
    names = "net.0.weight, net.1.weight, net.10.weight and 117 others"
    with refused("convert.no_resnet", names=names):
        read_source(saved(content))


def test_an_ambiguous_choice_is_refused(saved):
    with refused("convert.ambiguous_resnet", count=2, places="'left', 'right'"):
        read_source(saved(prefixed("left.", M) | prefixed("right.", C)))


def test_a_checkpoint_that_contains_itself_is_read(saved):
    content = {"network": prefixed("net.", M), "again": {}}
    content["again"]["again"] = content["again"]
    assert read_source(saved(content)).prefix == "network.net."


class Trap:
    """Unpickled by plain pickle, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_checkpoint_that_would_run_code_is_refused(saved, tmp_path):
    content = {
        "state_dict": prefixed("module.encoder_q.", M),
        "hyper_parameters": Trap(tmp_path / "sprung"),
    }
    with pytest.raises(
        UserError,
        match=r"(_?io|builtins)\.open",
    ):
        read_source(saved(content))
    assert not (tmp_path / "sprung").exists()
