import importlib.util

import pytest
import torch
from safetensors.torch import save_file

from soco.config import DetectorConfig
from soco.pretrain.model.encoder import build_encoder, channels_of
from soco.pretrain.model.heads import BoxHead
from soco.pretrain.model.neck import FPN

LIBRARIES = {"detectron2": "detectron2", "detectron2_c4": "detectron2", "timm": "timm"}


@pytest.fixture(scope="session")
def converters(golden):
    """The authors' converters: for each, the new name of every tensor of a raw checkpoint."""
    return golden("converters")


@pytest.fixture
def installed():
    """Skip the test of a target whose library is not installed."""

    def see(target):
        if importlib.util.find_spec(LIBRARIES.get(target, "torch")) is None:
            pytest.skip(f"{target} is not installed")
        return target

    return see


@pytest.fixture(scope="session")
def small():
    """Sizes at which a conversion is fast."""
    return DetectorConfig(
        backbone="resnet18", fpn_channels=16, head_channels=12, head_convs=2, head_fc=24
    )


@pytest.fixture(scope="session")
def weights(small, trained):
    """Weights of those sizes, with tensors of parts that are not converted."""
    left = (
        "projector.linear1.weight",
        "predictor.linear2.bias",
        "encoder_k.conv1.weight",
        "head_k.fc1.bias",
    )
    return trained(small) | {name: torch.ones(2) for name in left}


@pytest.fixture(scope="session")
def paper(trained):
    """Weights of the paper's sizes: ResNet-50, 256 FPN channels, 4 convolutions, 1 fc of 1024."""
    return trained(DetectorConfig())


@pytest.fixture
def file_of(tmp_path):
    """Write weights as a pretraining writes them."""

    def write(state):
        save_file(state, tmp_path / "weights.safetensors")
        return tmp_path / "weights.safetensors"

    return write


@pytest.fixture(scope="session")
def trained():
    """Make tensors by our name; norms have random statistics, as after a training."""
    return _trained


def _trained(detector):
    generator = torch.Generator().manual_seed(11)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        encoder = build_encoder(detector.backbone)
        neck = FPN(channels_of(encoder), detector.fpn_channels)
        head = BoxHead(
            detector.fpn_channels, detector.head_channels, detector.head_convs, detector.head_fc
        )
    parts = {"encoder": encoder, "neck": neck, "head": head}
    state = {
        f"{part}.{name}": value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            value.fill_(9)
        elif value.ndim == 1 and name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.ndim == 1:
            value.normal_(0, 0.2, generator=generator)
    return state
