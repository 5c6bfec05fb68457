"""The model on a GPU: the golden numbers, and both ways of pooling."""

import pytest
from golden_models import batch_of, golden_model

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("exact_products")]
MODELS = pytest.mark.parametrize("name", ["SoCo_FPN", "SoCo_FPN_Star", "SoCo_C4"])


@pytest.fixture
def loss_of(golden, device):
    """The loss of a golden model of a name, pooling and mode of its norms; and the model."""

    def compute(name, pooling, mode):
        content = golden("model")
        model = golden_model(content, name, pooling).to(device).train(mode == "train_bn")
        model.update_target(content["models"][name]["trajectory"]["ema_base"])
        return model(batch_of(content, name).to(device)).loss, model

    return compute


@MODELS
@pytest.mark.parametrize(
    ("pooling", "mode", "tolerance"),
    [
        ("assigned", "eval_bn", 1e-5),
        ("release", "eval_bn", 1e-5),
        # With two images, statistics of a batch magnify rounding.
        ("release", "train_bn", 1e-4),
    ],
)
def test_loss_and_gradients_are_the_golden_ones(
    golden, loss_of, tell, name, pooling, mode, tolerance
):
    expected = golden("model")["models"][name][mode]
    loss, model = loss_of(name, pooling, mode)
    loss.backward()
    norms = expected["grad_norms"]
    parameters = dict(model.named_parameters())
    ours = {key: parameters[key].grad.norm().item() for key in norms}
    worst = max(abs(ours[key] - norm) / norm for key, norm in norms.items() if norm)
    tell(
        f"{name}, {pooling}, {mode}: loss off by {abs(loss.item() - expected['loss']):.1g},"
        f" norms of gradients by up to {100 * worst:.2g} %"
    )
    assert loss.item() == pytest.approx(expected["loss"], abs=tolerance)
    assert ours == pytest.approx(norms, rel=0.005)


@MODELS
def test_both_ways_of_pooling_give_one_loss_with_norms_in_eval_mode(loss_of, tell, name):
    ours, release = (loss_of(name, way, "eval_bn")[0].item() for way in ("assigned", "release"))
    tell(f"{name}: the losses of both ways of pooling differ by {abs(ours - release):.1g}")
    assert ours == pytest.approx(release, abs=1e-6)
