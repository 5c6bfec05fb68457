"""A pretraining that begins with given weights."""

import json

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from user_errors import refused

from soco.config import DetectorConfig
from soco.pretrain import pretrain
from soco.pretrain.checkpoint import Checkpoints
from soco.pretrain.distributed import Ranks
from soco.pretrain.initial import load_initial
from soco.pretrain.job import PretrainJob, identity
from soco.pretrain.model import build_model
from soco.pretrain.training import Training
from soco.pretrain.views import collate

SMALL = DetectorConfig(
    backbone="resnet18", fpn_channels=8, head_channels=8, head_convs=2, head_fc=16
)
ALL = ("encoder", "neck", "head", "projector", "predictor")
CPU = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture
def model(tiny_recipe):
    """A model with another seed's draw."""
    return build_model(tiny_recipe, SMALL, seed=9)


@pytest.fixture
def file_with(tmp_path, tiny_recipe):
    """Write parts of a model of seed 2, whose norms have seen data; returns file and tensors."""

    def write(*parts, detector=SMALL, recipe=tiny_recipe):
        state = build_model(recipe, detector, seed=2).state_dict()
        taken = {
            name: value + 0.5 if name.endswith("running_mean") else value
            for name, value in state.items()
            if name.split(".")[0] in parts
        }
        path = tmp_path / f"{'-'.join(parts)}.safetensors"
        save_file(taken, path)
        return path, taken

    return write


def begun_with(job_of, recipe, path, seed=1):
    return job_of("begun", recipe, seed).model_copy(update={"initial_weights": path})


def test_what_a_file_lacks_keeps_the_draw_and_the_target_is_a_copy(model, file_with):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path, given = file_with("encoder")
    initial = load_initial(model, path)
    assert (initial.loaded, initial.drawn) == (("encoder",), ALL[1:])
    for name, value in model.state_dict().items():
        part, _, rest = name.partition(".")
        expected = given.get(f"{part.removesuffix('_k')}.{rest}", before[name])
        assert torch.equal(value, expected), name
    assert not torch.equal(before["encoder.conv1.weight"], given["encoder.conv1.weight"])


def test_a_target_branch_in_the_file_is_not_used(model, file_with):
    path, given = file_with(*ALL, "encoder_k")
    given |= {name: value + 1 for name, value in given.items() if name.startswith("encoder_k.")}
    save_file(given, path)
    assert load_initial(model, path).drawn == ()
    state = model.state_dict()
    assert torch.equal(state["encoder_k.conv1.weight"], given["encoder.conv1.weight"])


def test_counts_of_batches_may_be_missing(model, file_with):
    path, given = file_with("encoder")
    given = {name: value for name, value in given.items() if not name.endswith("batches_tracked")}
    save_file(given, path)
    assert load_initial(model, path).loaded == ("encoder",)


@pytest.mark.parametrize(
    ("sizes", "name", "remedy"),
    [
        ({"fpn_channels": 16}, "neck.fpn_convs.0.bn.bias", "`detector`"),
        ({"head_fc": 32}, "head.fc1.bias", "`detector`"),
        ({"backbone": "resnet50"}, "encoder.layer1.0.conv1.weight", "detector.backbone"),
    ],
)
def test_a_tensor_of_another_shape_is_named_with_both(model, file_with, sizes, name, remedy):
    path, given = file_with(*ALL, detector=SMALL.model_copy(update=sizes))
    shapes = {"found": tuple(given[name].shape), "needed": tuple(model.state_dict()[name].shape)}
    with refused("pretrain.initial_shape", path=path, name=name, **shapes) as caught:
        load_initial(model, path)
    assert remedy in caught.value.values["remedy"]


def test_another_width_of_the_projector_is_refused_with_its_keys(model, file_with, tiny_recipe):
    path, _ = file_with(*ALL, recipe=tiny_recipe.model_copy(update={"projector_out": 4}))
    with refused("pretrain.initial_shape", name="projector.linear2.bias") as caught:
        load_initial(model, path)
    assert "projector_hidden, _out and _norm" in caught.value.values["remedy"]
    path, _ = file_with(*ALL, recipe=tiny_recipe.model_copy(update={"projector_norm": True}))
    with refused("pretrain.initial_tensors", count=2, name="projector.bn2.running_mean"):
        load_initial(model, path)


@pytest.mark.parametrize(
    ("sizes", "part", "count", "first"),
    [
        ({"backbone": "resnet34"}, "encoder", 80, "encoder.layer1.2.bn1.bias"),
        ({"head_convs": 1}, "head", 5, "head.bn2.bias"),
    ],
)
def test_other_tensors_are_refused(model, file_with, sizes, part, count, first):
    path, _ = file_with(*ALL, detector=SMALL.model_copy(update=sizes))
    with refused("pretrain.initial_tensors", path=path, part=part, count=count, name=first):
        load_initial(model, path)


def test_a_file_without_an_encoder_is_refused(model, file_with):
    path, _ = file_with("projector")
    with refused("pretrain.initial_without_encoder", path=path):
        load_initial(model, path)


def test_the_first_loss_is_that_of_the_weights(run, job_of, tiny_recipe, weights, caplog):
    first = run("first", tiny_recipe)
    job = begun_with(job_of, tiny_recipe, first / "weights.safetensors", seed=5)
    with caplog.at_level("INFO"):
        pretrain(job)
    (line,) = [r.getMessage() for r in caplog.records if "initialised from" in r.getMessage()]
    assert f"{first / 'weights.safetensors'}: {', '.join(ALL)}; the target" in line
    assert json.loads(job.metrics.read_text())["initial_weights"] == {
        "name": str(first / "weights.safetensors"),
        "loaded": list(ALL),
        "drawn": [],
    }
    # By hand: the first run's online branch in both branches, on the first batch of seed 5.
    training = Training(job.model_copy(update={"folder": job.folder / "none"}), CPU)
    batch = collate([training.dataset[place] for place in next(iter(training.sampler))])
    by_hand = build_model(tiny_recipe, SMALL, seed=7)
    given = weights(first)
    online = {name: value for name, value in given.items() if name.split(".")[0] in ALL}
    copied = {
        name: given[name.replace(part, part.removesuffix("_k"), 1)]
        for name in given
        if (part := name.split(".")[0]).endswith("_k")
    }
    by_hand.load_state_dict(online | copied)
    expected = float(by_hand.train()(batch).loss.detach())
    logged = json.loads(job.log.read_text().splitlines()[0])["loss"]
    assert logged == pytest.approx(expected, rel=1e-5)
    other = float(build_model(tiny_recipe, SMALL, seed=5).train()(batch).loss.detach())
    assert other != pytest.approx(expected, rel=1e-3)


def test_two_processes_begin_with_the_same_weights_as_one(job_of, tiny_recipe, file_with):
    path, _ = file_with("encoder", "neck")
    losses = []
    for processes in (1, 2):
        changes = {"batch_size": 4, "epochs": 2, "processes": processes}
        job = job_of(f"by{processes}", tiny_recipe.model_copy(update=changes))
        pretrain(job.model_copy(update={"initial_weights": path}))
        losses.append([json.loads(line)["loss"] for line in job.log.read_text().splitlines()])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_the_content_is_part_of_the_identity_and_not_the_name(job_of, tiny_recipe, file_with):
    path, given = file_with("encoder")
    job = begun_with(job_of, tiny_recipe, path)
    moved = path.rename(path.with_name("moved.safetensors"))
    named = tiny_recipe.model_copy(update={"initial_weights": "moved"})
    at_another_place = job.model_copy(update={"settings": named, "initial_weights": moved})
    drawn = identity(job_of("begun", tiny_recipe), "fp32")
    with_weights = identity(at_another_place, "fp32")
    save_file(given, path)
    assert identity(job, "fp32") == with_weights
    assert drawn["initial_weights"] is None and drawn != with_weights
    save_file({name: value + 1 for name, value in given.items()}, path)
    assert identity(job, "fp32") != with_weights


def test_a_checkpoint_of_other_initial_weights_is_refused(
    job_of, tiny_recipe, file_with, monkeypatch
):
    recipe = tiny_recipe.model_copy(update={"checkpoint_minutes": 1e-9})
    path, given = file_with("encoder")
    save = Checkpoints.save

    def save_then_stop(self, step, *state):
        save(self, step, *state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", save_then_stop)
        pretrain(begun_with(job_of, recipe, path))
    save_file({name: value * 2 for name, value in given.items()}, path)
    with refused("pretrain.other_settings", keys="initial_weights"):
        pretrain(begun_with(job_of, recipe, path))
    save_file(given, path)
    pretrain(begun_with(job_of, recipe, path))


def test_a_job_needs_the_file_that_its_settings_name(job_of, tiny_recipe):
    job = job_of("named", tiny_recipe).model_dump(mode="json")
    job["settings"]["initial_weights"] = "supervised"
    with pytest.raises(ValidationError, match="supervised"):
        PretrainJob.model_validate(job)
    named = PretrainJob.model_validate(job | {"initial_weights": "weights.safetensors"})
    assert named.initial_name == "supervised"


def test_a_c4_model_takes_the_resnet_of_a_detector(file_with, tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"architecture": "c4"})
    sizes = DetectorConfig(backbone="resnet18")
    model = build_model(recipe, sizes, seed=3)
    path, given = file_with("encoder", "neck", "head")
    initial = load_initial(model, path)
    assert (initial.loaded, initial.drawn) == (("encoder",), ("projector", "predictor"))
    assert torch.equal(model.state_dict()["encoder.conv1.weight"], given["encoder.conv1.weight"])
