import pytest
import torch
import torchvision
from safetensors.torch import load_file

from soco.config import PretrainConfig
from soco.pretrain.initial import load_initial
from soco.pretrain.model import build_model
from soco.transfer.convert import convert_state, prepare_initial, write_detectron2


@pytest.fixture
def prepared(tmp_path):
    """Prepare a file; returns the prepared file."""

    def prepare(source, only_resnet):
        output = tmp_path / "initial.safetensors"
        prepare_initial(source, only_resnet, output)
        return output

    return prepare


@pytest.fixture
def model(small):
    """A model of the sizes of the weights."""
    return build_model(PretrainConfig(projector_hidden=8, projector_out=4), small, seed=3)


def test_a_supervised_resnet_initialises_the_encoder(tmp_path, prepared, model, capsys):
    torch.manual_seed(0)
    resnet = torchvision.models.resnet18()
    torch.save(resnet.state_dict(), tmp_path / "resnet18.pth")
    output = prepared(tmp_path / "resnet18.pth", only_resnet=True)
    assert "120 tensors" in capsys.readouterr().out
    initial = load_initial(model, output)
    assert initial.loaded == ("encoder",)
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, resnet.state_dict()[name]), name


@pytest.mark.parametrize("only_resnet", [False, True])
def test_a_detector_gives_its_parts_or_only_its_resnet(
    tmp_path, weights, prepared, model, only_resnet
):
    write_detectron2(tmp_path / "released.pkl", convert_state(weights, "detectron2"))
    output = prepared(tmp_path / "released.pkl", only_resnet)
    initial = load_initial(model, output)
    assert initial.loaded == (("encoder",) if only_resnet else ("encoder", "neck", "head"))
    assert ("neck" in initial.drawn) == only_resnet
    assert torch.equal(model.state_dict()["encoder.conv1.weight"], weights["encoder.conv1.weight"])


def test_a_run_also_gives_projector_and_predictor_but_not_its_target(file_of, small, prepared):
    recipe = PretrainConfig(projector_hidden=8, projector_out=4)
    output = prepared(file_of(build_model(recipe, small, seed=1).state_dict()), only_resnet=False)
    parts = {name.split(".")[0] for name in load_file(output)}
    assert parts == {"encoder", "neck", "head", "projector", "predictor"}


def test_the_same_file_gives_the_same_bytes(tmp_path, file_of, weights, prepared):
    source = file_of(weights)
    first = prepared(source, only_resnet=True).read_bytes()
    assert prepared(source, only_resnet=True).read_bytes() == first
