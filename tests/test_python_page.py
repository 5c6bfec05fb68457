import json
import re

import pytest
import torch

from soco.config import recipe

# The page trains at the paper's size; with these keys, model and views are small.
SMALL = (
    "views=[{'size': 64}, {'size': 64, 'crop': 'a'}, {'size': 32, 'crop': 'b'}], level_bounds=(14,"
    " 28, 56, 64), projector_hidden=16, projector_out=8, workers=0, precision='fp32', batch_size=2,"
    " epochs=2, warmup_epochs=1, processes=1)"
)


@pytest.fixture
def blocks(repository):
    page = (repository / "docs" / "python.md").read_text()
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def here(tmp_path, monkeypatch, folder_of_images):
    """A working folder with readable images at the place that the page uses."""
    for name in ("e_empty.jpg", "f_cut.jpg"):
        (folder_of_images / name).unlink()
    (tmp_path / "my").mkdir()
    folder_of_images.rename(tmp_path / "my" / "images")
    (tmp_path / "my/images/one.jpg").write_bytes((tmp_path / "my/images/a/one.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(block, names):
    exec(compile(block, "docs/python.md", "exec"), names)
    return names


def test_the_first_example_pretrains_on_a_folder_of_images(blocks, here):
    block = blocks[0]
    small = re.sub(r"batch_size=32.*?\)", lambda match: SMALL, block, flags=re.DOTALL)
    small = small.replace(
        "\npretrain(", "\ndetector = detector.model_copy(update=SIZES)\npretrain("
    )
    assert small != block
    sizes = {
        "backbone": "resnet18",
        "fpn_channels": 8,
        "head_channels": 8,
        "head_convs": 1,
        "head_fc": 16,
    }
    names = run(small, {"SIZES": sizes, "__name__": "__main__"})
    assert names["settings"].epochs == 2
    assert (here / "out/weights.safetensors").stat().st_size > 1000
    assert json.loads((here / "out/metrics.json").read_text())["steps"] == 2 * (6 // 2)


def test_the_keys_of_the_example_are_keys_of_a_recipe(blocks):
    asked = re.search(r"recipe\((.*?)\)", blocks[0], re.DOTALL).group(1)
    settings, _ = eval(f"recipe({asked})", {"recipe": recipe})
    assert (settings.batch_size, settings.epochs) == (32, 10)


def test_a_model_by_name_loads_weights_and_gives_feature_maps(blocks, here):
    from safetensors.torch import save_file

    from soco.pretrain.model import model_of_recipe

    (here / "out").mkdir()
    weights = {
        name: tensor.contiguous()
        for name, tensor in model_of_recipe("fpn_100", seed=5).state_dict().items()
    }
    save_file(weights, here / "out/weights.safetensors")
    names = run(blocks[2], run(blocks[1], {}))
    assert torch.equal(names["model"].encoder.conv1.weight, weights["encoder.conv1.weight"])
    height, width = names["image"].shape[1:]
    for features, stride in zip(names["maps"], (4, 8, 16, 32), strict=True):
        assert features.shape == (1, 256, -(-height // stride), -(-width // stride))
        assert torch.isfinite(features).all()


def test_proposals_without_pretraining(blocks, here):
    names = run(blocks[3], {})
    assert names["regions"].shape[1] == 5
    assert 0 < len(names["kept"]) < len(names["regions"])
