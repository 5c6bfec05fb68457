"""`precision: fp32` is float32, without the rounding to TF32 that GPUs offer for it."""

import pytest
import torch
from torch import nn

from soco.pretrain.distributed import Ranks
from soco.pretrain.training import Training

pytestmark = pytest.mark.gpu
# Sums of 512 products differ from float64 by about 3e-7 in float32, and by 3e-4 in TF32, whose
# factors have 10 bits after the point.
MOST = 1e-5


def error_of_products(device):
    """The relative error of a matrix product, against float64."""
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(512, 512, generator=generator) for _ in range(2))
    exact = one.double() @ other.double()
    ours = (one.to(device) @ other.to(device)).cpu().double()
    return ((ours - exact).norm() / exact.norm()).item()


def error_of_convolutions(device):
    """The relative error of a convolution, against float64."""
    torch.manual_seed(0)
    conv, features = nn.Conv2d(64, 64, 3, bias=False), torch.randn(4, 64, 28, 28)
    with torch.no_grad():
        ours = conv.to(device)(features.to(device)).cpu().double()
        exact = conv.cpu().double()(features.double())
    return ((ours - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize("error_of", [error_of_products, error_of_convolutions])
def test_fp32_is_not_rounded_to_tf32(device, job_of, recipe, error_of):
    Training(job_of("exact", recipe), Ranks(0, 1, device))
    assert error_of(device) < MOST


@pytest.mark.usefixtures("exact_products")
@pytest.mark.parametrize("error_of", [error_of_products, error_of_convolutions])
def test_tf32_is(device, job_of, recipe, error_of):
    """Otherwise the test above would prove nothing."""
    if device.type == "cuda" and torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("TF32 needs a GPU of compute capability 8.0")
    job = job_of("rounded", recipe.model_copy(update={"precision": "tf32"}))
    training = Training(job, Ranks(0, 1, device))
    assert training.precision == ("tf32" if device.type == "cuda" else "fp32")
    assert (error_of(device) > MOST) == (device.type == "cuda")
