import json

import pytest
import torch
from user_errors import refused

from soco import torch_compat
from soco.pretrain import precision, training
from soco.pretrain.checkpoint import Checkpoints

CPU = torch.device("cpu")


def test_a_named_precision_is_taken_and_a_cpu_has_no_tf32():
    for name, dtype in (("fp32", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        assert precision.known_precision(name, CPU) == name
        assert precision.autocast_type(name) is dtype
    assert precision.known_precision("tf32", CPU) == "fp32"
    assert precision.known_precision("tf32", torch.device("cuda")) == "tf32"


@pytest.mark.parametrize("multiplies", [True, False])
def test_auto_is_measured_only_on_a_cpu_that_multiplies_bf16(monkeypatch, multiplies):
    monkeypatch.setattr(torch_compat, "cpu_multiplies_bf16", lambda: multiplies)
    assert precision.known_precision("auto", CPU) == (None if multiplies else "fp32")


@pytest.fixture
def measured(monkeypatch):
    """Let the CPU multiply bf16 and take bf16 steps so many times as long as others."""

    def set_ratio(ratio):
        monkeypatch.setattr(torch_compat, "cpu_multiplies_bf16", lambda: True)
        seconds = {None: 0.2, torch.bfloat16: 0.2 * ratio}
        time_step, chosen = precision._time_step, []

        def timed(model, batch, dtype):
            assert time_step(model, batch, dtype) > 0
            chosen.append(dtype)
            return seconds[dtype]

        monkeypatch.setattr(precision, "_time_step", timed)
        return chosen

    return set_ratio


@pytest.mark.parametrize(("ratio", "chosen"), [(0.5, "bf16"), (0.95, "fp32")])
def test_auto_takes_the_faster_precision_and_logs_both_speeds(
    run, weights, tiny_recipe, measured, caplog, ratio, chosen
):
    caplog.set_level("INFO")
    timed = measured(ratio)
    folder = run("auto", tiny_recipe.model_copy(update={"precision": "auto"}))
    assert timed == [None, torch.bfloat16] * 4
    assert json.loads((folder / "metrics.json").read_text())["precision"] == chosen
    bf16 = 10 / ratio
    assert f"auto: {chosen} (fp32 10.0 images/s, bf16 {bf16:.1f} images/s in a" in caplog.text
    plain = weights(run("named", tiny_recipe.model_copy(update={"precision": chosen})))
    for name, tensor in weights(folder).items():  # the trial changed nothing
        assert torch.equal(tensor, plain[name]), name


def test_a_resumed_run_keeps_its_precision(run, tiny_recipe, measured, monkeypatch):
    recipe = tiny_recipe.model_copy(update={"precision": "auto", "checkpoint_minutes": 1e-9})
    timed = measured(0.5)
    save = Checkpoints.save

    def save_then_stop(self, step, *state):
        save(self, step, *state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "save", save_then_stop)
        run("stopped", recipe)
    timed.clear()
    measured(2.0)  # fp32 would now be the faster one
    with refused("pretrain.other_settings", keys="precision"):
        run("stopped", recipe.model_copy(update={"precision": "fp32"}))
    folder = run("stopped", recipe)
    assert not timed
    assert json.loads((folder / "metrics.json").read_text())["precision"] == "bf16"


def test_tf32_is_allowed_only_by_its_own_name():
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        for allowed in (True, False, True):
            precision.set_tf32(allowed)
            name = "tf32" if allowed else "ieee"
            assert {matmul.fp32_precision, cudnn.conv.fp32_precision} == {name}
            # torch refuses to read these if they contradict the ones above.
            assert {matmul.allow_tf32, cudnn.allow_tf32} == {allowed}
            with cudnn.flags(enabled=False):
                pass
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
    assert training.set_tf32 is precision.set_tf32
