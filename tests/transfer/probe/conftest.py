import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import save_file

from soco.config import ProbeConfig
from soco.pretrain.model.encoder import build_encoder
from soco.transfer.probe.backbone import frozen_backbone
from soco.transfer.probe.features import features_of
from soco.transfer.probe.folder import labelled_splits

CLASSES = ("brick", "camera", "coins", "grass", "gravel", "page", "text")
SIDE, COUNTS = 64, {"train": 24, "val": 12}
CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def textures(tmp_path_factory):
    """Patches of seven photographs, one per class: train from the left, val from the right."""
    root, rng = tmp_path_factory.mktemp("textures"), np.random.default_rng(0)
    for name in CLASSES:
        photograph = getattr(skimage.data, name)()
        height, width = photograph.shape
        for split, (first, last) in {"train": (0, width // 2), "val": (width // 2, width)}.items():
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(COUNTS[split]):
                top, left = rng.integers(0, height - SIDE), rng.integers(first, last - SIDE)
                Image.fromarray(photograph[top : top + SIDE, left : left + SIDE]).save(
                    folder / f"{number:02d}.png"
                )
    return root


@pytest.fixture(scope="session")
def settings(textures):
    return ProbeConfig(
        train=str(textures / "train"),
        val=str(textures / "val"),
        initialisations=("scratch",),
        short_side=SIDE,
        crop=SIDE,
        workers=0,
    )


@pytest.fixture(scope="session")
def features(textures):
    """Features of the textures by a fresh ResNet-18, for train and val."""
    encoder, _ = frozen_backbone(None, "resnet18", seed=1)
    splits = labelled_splits(textures / "train", textures / "val")
    return [features_of(encoder, split, SIDE, SIDE, workers=0, device=CPU) for split in splits]


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A run's weights: a ResNet-18 with norm statistics, and a tensor of another part."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        encoder = build_encoder("resnet18").train()
        encoder.fc = torch.nn.Identity()
        with torch.no_grad():
            for module in encoder.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.weight.uniform_(0.5, 1.5)
            encoder(torch.randn(8, 3, 64, 64))
        state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_file({**state, "projector.linear1.bias": torch.zeros(3)}, path)
    return path
