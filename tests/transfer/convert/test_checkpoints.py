"""Checkpoints of other libraries.

The ResNet in them is found, and computes what it computed there.
"""

import json
import logging

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from soco.errors import UserError
from soco.transfer.convert import convert_file, read_source
from soco.transfer.probe.backbone import frozen_backbone

STAGES = {f"layer{stage}": f"C{stage + 1}" for stage in (1, 2, 3, 4)}


def resnet(seed, name="resnet18"):
    """A ResNet of torchvision whose norms have statistics of their own, as after a training."""
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
    return {name: held for name, held in model.state_dict().items() if not name.startswith("fc.")}


def children(model):
    """As `nn.Sequential(*list(resnet.children())[:-1])`, which lightly's examples make of it, names its tensors."""
    return nn.Sequential(*list(model.children())[:-1]).state_dict()


def behind(prefix, state):
    return {prefix + name: held for name, held in state.items()}


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
    # name: the checkpoint, and where the ResNet that is taken lies in it
    "DDP": ({**OPTIMIZER, "state_dict": behind("module.", M | behind("fc.", HEAD))}, "top"),
    "MoCo v1 and v2": (
        {
            **OPTIMIZER,
            "arch": "resnet18",
            "state_dict": behind("module.encoder_q.", M | behind("fc.", HEAD))
            | behind("module.encoder_k.", C | behind("fc.", HEAD))
            | {
                "module.queue": torch.ones(4, 8),
                "module.queue_ptr": torch.zeros(1, dtype=torch.long),
            },
        },
        "encoder_q.",
    ),
    "MoCo v3": (
        {
            "state_dict": behind("module.base_encoder.", M | behind("fc.", HEAD))
            | behind("module.momentum_encoder.", C | behind("fc.", HEAD))
            | behind("module.predictor.", HEAD)
        },
        "base_encoder.",
    ),
    "DINO": (
        {
            **OPTIMIZER,
            "student": behind("module.backbone.", C) | behind("module.head.mlp.", HEAD),
            "teacher": behind("backbone.", M) | behind("head.mlp.", HEAD),
            "dino_loss": {"center": torch.ones(1, 4)},
        },
        "teacher.backbone.",
    ),
    "solo-learn": (
        {
            **LIGHTNING,
            "state_dict": behind("backbone.", M)
            | behind("momentum_backbone.", C)
            | behind("projector.", HEAD)
            | behind("momentum_projector.", HEAD)
            | {"classifier.weight": torch.ones(3, 512)},
        },
        "backbone.",
    ),
    "lightly": (
        {
            **LIGHTNING,
            "state_dict": behind("student_backbone.", children(COPY))
            | behind("teacher_backbone.", children(MODEL))
            | behind("teacher_head.layers.", HEAD),
        },
        "teacher_backbone.",
    ),
    "lightly, MoCo": (
        {
            "state_dict": behind("backbone.", children(MODEL))
            | behind("projection_head.layers.", HEAD)
            | behind("backbone_momentum.", children(COPY))
        },
        "backbone.",
    ),
    "BYOL": (
        behind("online_encoder.net.", M | behind("fc.", HEAD)) | behind("target_encoder.net.", C),
        "online_encoder.net.",
    ),
    "BYOL of two state dicts": (
        {
            "online_network_state_dict": behind("encoder.", children(MODEL))
            | behind("projetion.net.", HEAD),
            "target_network_state_dict": behind("encoder.", children(COPY))
            | behind("projetion.net.", HEAD),
            "optimizer_state_dict": {"state": {0: torch.ones(1)}},
        },
        "online_network_state_dict.encoder.",
    ),
    "SimCLR": ({"state_dict": behind("backbone.", M | behind("fc.", HEAD))}, "backbone."),
    "SimSiam": (
        {
            "state_dict": behind("module.encoder.", M | behind("fc.", HEAD))
            | behind("module.predictor.", HEAD)
        },
        "encoder.",
    ),
    "SwAV": (
        behind("module.", M | behind("projection_head.", HEAD))
        | {"module.prototypes.weight": torch.ones(3, 4)},
        "top",
    ),
    "OpenMMLab, MoCo": (
        {
            "meta": {"epoch": 200},
            "state_dict": behind("backbone.", M)
            | behind("encoder_q.0.", M)
            | behind("encoder_q.1.mlp.", HEAD)
            | behind("encoder_k.0.", C),
        },
        "backbone.",
    ),
    "mmdetection": (
        {
            "state_dict": behind("backbone.", M)
            | behind("neck.lateral_convs.0.conv.", HEAD)
            | behind("roi_head.", HEAD)
        },
        "backbone.",
    ),
    "VISSL": (
        {
            "classy_state_dict": {
                "base_model": {"model": {"trunk": behind("_feature_blocks.", M), "heads": HEAD}}
            }
        },
        "classy_state_dict.base_model.model.trunk._feature_blocks.",
    ),
    "torch.compile": (
        {"network": behind("_orig_mod.module.net.", M) | behind("_orig_mod.head.", HEAD)},
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


def features(model):
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return create_feature_extractor(model, STAGES)(image)


def test_features_are_those_of_the_model(saved, tmp_path, capsys):
    for library, (content, place) in LIBRARIES.items():
        output = tmp_path / "out.safetensors"
        convert_file(saved(content), "torchvision_resnet", output, tmp_path / "out.json")
        converted = torchvision.models.resnet18(weights=None).eval()
        converted.load_state_dict(load_file(output), strict=False)
        ours, theirs = features(MODEL), features(converted)
        assert max((theirs[level] - ours[level]).abs().max().item() for level in ours) == 0.0, (
            library
        )
        told = json.loads((tmp_path / "out.json").read_text())
        assert (told["taken_from"] or "top") == place, library
        assert told["converted"] == 120, library
        assert (
            f"took the ResNet at {'the top' if place == 'top' else place[:-1]}"
            in capsys.readouterr().out
        )


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnet101"])
def test_deeper_resnets_are_told_by_their_shapes(saved, name):
    model = resnet(3, name)
    source = read_source(saved({"state_dict": behind("module.encoder_q.", model.state_dict())}))
    assert source.prefix == "encoder_q."
    assert {
        own: held.tolist() for own, held in source.state.items() if own.endswith("bn1.bias")
    } == {
        f"encoder.{own}": held.tolist()
        for own, held in plain(model).items()
        if own.endswith("bn1.bias")
    }


def test_what_was_taken_and_left_is_said_with_three_names(saved, tmp_path, capsys):
    content, _ = LIBRARIES["MoCo v1 and v2"]
    convert_file(saved(content), "timm", tmp_path / "out.safetensors", tmp_path / "out.json")
    printed = capsys.readouterr().out
    assert (
        "took the ResNet at encoder_q, not that at encoder_k, and left out 130 other tensors"
        " (encoder_k.bn1.bias, encoder_k.bn1.num_batches_tracked, encoder_k.bn1.running_mean and"
        " 127 others)." in printed
    )
    reasons = json.loads((tmp_path / "out.json").read_text())["left_behind_by_reason"]
    assert reasons == {
        "it belongs to another network of the file, encoder_k": 124,
        "it belongs to no ResNet, but to a head, a queue or other parts of that library's training": (
            6
        ),
    }


def test_a_probe_takes_the_same_and_says_so(saved, caplog):
    content, _ = LIBRARIES["DINO"]
    with caplog.at_level(logging.INFO):
        encoder, name = frozen_backbone(saved(content), None, seed=1)
    assert name == "resnet18"
    assert torch.equal(encoder.state_dict()["layer4.1.conv2.weight"], M["layer4.1.conv2.weight"])
    assert "took the ResNet at teacher.backbone, not that at student.module.backbone" in caplog.text


def test_safetensors_and_half_precision(tmp_path):
    half = {name: held.half() if held.is_floating_point() else held for name, held in M.items()}
    save_file(behind("module.encoder_q.", half), tmp_path / "x.safetensors")
    convert_file(
        tmp_path / "x.safetensors", "timm", tmp_path / "out.safetensors", tmp_path / "out.json"
    )
    assert torch.equal(
        load_file(tmp_path / "out.safetensors")["conv1.weight"], half["conv1.weight"].float()
    )


def test_names_of_a_pretraining_of_ours_are_not_searched(weights, file_of):
    assert read_source(file_of(weights)).prefix is None


def wide():
    return torchvision.models.wide_resnet50_2(weights=None).state_dict()


def deep_stem():
    stem = {f"conv1.{n}.weight": torch.ones(32, 32, 3, 3) for n in (0, 3, 6)}
    return {name: held for name, held in M.items() if name != "conv1.weight"} | stem


ODD = {
    "a missing tensor": (
        lambda: {name: held for name, held in M.items() if name != "layer3.1.bn2.running_var"},
        (
            r"is no plain resnet18 as torchvision has it; tensors 1 missing"
            r" \(layer3\.1\.bn2\.running_var\): give"
        ),
    ),
    "a swapped shape": (
        lambda: M | {"layer2.0.conv2.weight": M["layer3.0.conv2.weight"]},
        (
            r"1 of another shape \(layer2\.0\.conv2\.weight \(256, 256, 3, 3\) for \(128, 128, 3,"
            r" 3\)\)"
        ),
    ),
    "a 3x3 stem": (
        lambda: M | {"conv1.weight": torch.ones(64, 3, 3, 3)},
        r"conv1\.weight \(64, 3, 3, 3\) for \(64, 3, 7, 7\)",
    ),
    "a deep stem": (
        deep_stem,
        (
            r"3 without a place \(conv1\.0\.weight, conv1\.3\.weight, conv1\.6\.weight\); 1 missing"
            r" \(conv1\.weight\)"
        ),
    ),
    "another width": (
        wide,
        r"\d\d of another shape \(layer1\.0\.bn1\.bias \(128,\) for \(64,\), .* and \d+ others\)",
    ),
    "another depth": (
        lambda: {name: held for name, held in M.items() if not name.startswith("layer2.1.")},
        (
            r"has 2, 1, 2, 2 blocks of 2 convolutions, and is none of resnet18, .*; give the"
            r" weights of one of these\."
        ),
    ),
    "whole numbers": (
        lambda: M | {"conv1.weight": torch.ones(64, 3, 7, 7, dtype=torch.int8)},
        r"1 of whole numbers \(conv1\.weight\)",
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_resnet_of_another_form_is_refused_in_a_short_sentence(saved, odd):
    make, sentence = ODD[odd]
    with pytest.raises(UserError, match=sentence) as refused:
        read_source(saved({"state_dict": behind("module.encoder_q.", make())}))
    assert "The ResNet at 'encoder_q' of " in str(refused.value)
    assert len(str(refused.value)) < 600


def test_a_vision_transformer_is_called_one(saved):
    model = torchvision.models.VisionTransformer(32, 16, 2, 2, 16, 32)
    content = {"teacher": behind("backbone.", model.state_dict())}
    with pytest.raises(
        UserError,
        match=r"no ResNet .*but a vision transformer \(.* and 29 others\); give the weights",
    ):
        read_source(saved(content))


def test_tensors_of_anything_else_are_named_three_at_most(saved):
    content = {f"net.{n}.weight": torch.ones(1) for n in range(120)}
    with pytest.raises(
        UserError,
        match=r"\(?net\.0\.weight, net\.1\.weight, net\.10\.weight and 117 others; give a",
    ):
        read_source(saved(content))


def test_two_resnets_of_one_rank_that_differ_are_not_chosen_between(saved):
    with pytest.raises(
        UserError,
        match=r"holds 2 ResNets that differ, at 'left', 'right', .* save the one that you want",
    ):
        read_source(saved(behind("left.", M) | behind("right.", C)))


def test_a_checkpoint_that_holds_itself_is_read(saved):
    content = {"network": behind("net.", M), "again": {}}
    content["again"]["again"] = content["again"]
    assert read_source(saved(content)).prefix == "network.net."


class Trap:
    """Unpickled by plain pickle, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_checkpoint_that_would_run_code_stays_refused(saved, tmp_path):
    content = {
        "state_dict": behind("module.encoder_q.", M),
        "hyper_parameters": Trap(tmp_path / "sprung"),
    }
    with pytest.raises(
        UserError,
        match=r"is refused: reading it would use (_?io|builtins)\.open, .*its state dict alone",
    ):
        read_source(saved(content))
    assert not (tmp_path / "sprung").exists()
