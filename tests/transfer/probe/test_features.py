import shutil

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision import transforms
from user_errors import refused

from soco.config import DetectorConfig
from soco.pretrain.model.soco import build_model
from soco.transfer.convert import convert_state, write_detectron2
from soco.transfer.probe.backbone import frozen_backbone, pooled_c5
from soco.transfer.probe.features import central_view, features_of
from soco.transfer.probe.folder import labelled_splits

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [(400, 300), (300, 451), (224, 224), (97, 160)])
def test_a_view_matches_torchvisions_resize_and_centre_crop(photograph, size):
    rgb = np.array(Image.fromarray(photograph("coffee_half")).resize(size))
    torchvisions = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    ours, theirs = torch.from_numpy(central_view(rgb, 256, 224)), torchvisions(Image.fromarray(rgb))
    assert ours.shape == (3, 224, 224)
    # torchvision rounds the long side and the crop's position to whole pixels, ours does not.
    assert (ours - theirs).abs().mean() < 0.1
    assert (ours.flip(2) - theirs).abs().mean() > 0.3


def test_colours_are_rgb(tmp_path):
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    assert central_view(red, 4, 4)[:, 2, 2] == pytest.approx(expected, abs=1e-4)


def test_features_match_torchvisions_resnet(weights):
    theirs = torchvision.models.resnet18()
    theirs.fc = torch.nn.Identity()
    state = {
        name.removeprefix("encoder."): value
        for name, value in load_file(weights).items()
        if "encoder" in name
    }
    theirs.load_state_dict(state)
    encoder, name = frozen_backbone(weights, None, seed=1)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    found = pooled_c5(encoder, images)
    assert name == "resnet18"
    assert not found.requires_grad
    assert torch.allclose(found, theirs.eval()(images), atol=1e-5)
    assert not torch.allclose(
        found, pooled_c5(frozen_backbone(None, "resnet18", seed=1)[0], images), atol=1e-2
    )


def test_a_detectron2_file_gives_the_same_features(weights, tmp_path):
    state = {name: value for name, value in load_file(weights).items() if "encoder" in name}
    write_detectron2(tmp_path / "c4.pkl", convert_state(state, "detectron2_c4"))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ours, theirs = (
        pooled_c5(frozen_backbone(path, None, 1)[0], images)
        for path in (weights, tmp_path / "c4.pkl")
    )
    assert torch.equal(ours, theirs)


def test_fresh_weights_depend_on_the_seed():
    drawn = [frozen_backbone(None, "resnet18", seed)[0].conv1.weight for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_resnet_of_torchvision_is_probed_unchanged(tmp_path):
    theirs = torchvision.models.resnet18(num_classes=5)
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    encoder, name = frozen_backbone(tmp_path / "resnet18.pth", None, seed=1)
    theirs.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert name == "resnet18"
    assert torch.allclose(pooled_c5(encoder, images), theirs.eval()(images), atol=1e-5)


def test_scratch_equals_the_initialisation_of_a_pretraining(tiny_recipe):
    sizes = DetectorConfig(
        backbone="resnet18", fpn_channels=4, head_channels=4, head_convs=1, head_fc=8
    )
    initial = build_model(tiny_recipe, sizes, seed=3).encoder.state_dict()
    drawn = frozen_backbone(None, "resnet18", seed=3)[0].state_dict()
    assert all(torch.equal(value, initial[name]) for name, value in drawn.items())


def test_another_backbone_is_refused(weights):
    with refused("probe.wrong_backbone", found="resnet18", backbone="resnet50"):
        frozen_backbone(weights, "resnet50", seed=1)


def test_incomplete_weights_are_refused(weights, tmp_path):
    state = load_file(weights)
    del state["encoder.layer4.1.bn2.running_mean"]
    save_file(state, tmp_path / "cut.safetensors")
    names = "encoder.layer4.1.bn2.running_mean"
    with refused("probe.incomplete_resnet", missing=1, misfits=0, names=names):
        frozen_backbone(tmp_path / "cut.safetensors", None, seed=1)


def test_workers_do_not_change_the_features(textures, features):
    encoder, _ = frozen_backbone(None, "resnet18", seed=1)
    _, val = labelled_splits(textures / "train", textures / "val")
    found = features_of(encoder, val, 64, 64, workers=2, device=CPU)
    assert torch.equal(found.vectors, features[1].vectors)
    assert found.labels.tolist() == sorted(list(range(7)) * 12)


@pytest.fixture
def damaged(textures, tmp_path):
    """A copy of the textures in which one image of `val/coins` is cut short."""
    shutil.copytree(textures, tmp_path / "textures")
    path = tmp_path / "textures/val/coins/03.png"
    path.write_bytes(path.read_bytes()[:200])
    return tmp_path / "textures"


def test_an_unreadable_image_is_skipped_counted_and_logged(damaged, features, caplog):
    encoder, _ = frozen_backbone(None, "resnet18", seed=1)
    _, val = labelled_splits(damaged / "train", damaged / "val")
    found = features_of(encoder, val, 64, 64, workers=0, device=CPU)
    kept = [number for number in range(84) if number != 2 * 12 + 3]
    assert found.skipped == 1
    assert torch.allclose(found.vectors, features[1].vectors[kept], atol=1e-5)
    assert torch.equal(found.labels, features[1].labels[kept])
    assert "skipped" in caplog.text
    assert "val/coins/03.png" in caplog.text


def test_a_class_without_readable_images_is_refused(damaged):
    for path in (damaged / "val/coins").iterdir():
        path.write_bytes(b"")
    encoder, _ = frozen_backbone(None, "resnet18", seed=1)
    _, val = labelled_splits(damaged / "train", damaged / "val")
    with refused("probe.unreadable_class", folder=damaged / "val/coins"):
        features_of(encoder, val, 64, 64, workers=0, device=CPU)


def test_diverged_weights_are_refused(textures):
    encoder, _ = frozen_backbone(None, "resnet18", seed=1)
    encoder.bn1.bias[0] = torch.nan
    _, val = labelled_splits(textures / "train", textures / "val")
    with refused("probe.not_finite", folder=textures / "val"):
        features_of(encoder, val, 64, 64, workers=0, device=CPU)
