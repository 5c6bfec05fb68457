"""`BatchRCNN` against detectron2's own model."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.solver import build_optimizer
from detectron2.utils.events import EventStorage
from torch import nn

from soco.transfer.detect.annotations import read_split
from soco.transfer.detect.datasets import register
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.loader import TrainingLoader
from soco.transfer.detect.trainer import Trainer, match_memory


@pytest.fixture
def prepared(settings, detector, datasets):
    """A configuration, and both models with the same weights: detectron2's and ours."""
    train = read_split(datasets["mixed"].train)
    cfg = build_config(settings, detector, len(train.classes), rle=False, seed=1)
    cfg.DATASETS.TRAIN = (register(train, "coco"),)
    stock = cfg.clone()
    stock.MODEL.META_ARCHITECTURE = "GeneralizedRCNN"
    torch.manual_seed(0)
    ours, theirs = build_model(cfg), build_model(stock)
    ours.load_state_dict(theirs.state_dict())
    return cfg, theirs, ours


def test_losses_and_gradients_are_detectron2s_up_to_rounding(prepared):
    cfg, *models = prepared
    images = next(iter(TrainingLoader(cfg)))
    losses, gradients = [], []
    for model in models:
        torch.manual_seed(0)
        with EventStorage():
            losses.append(model.train()(images))
        sum(losses[-1].values()).backward()
        gradients.append({name: each.grad for name, each in model.named_parameters()})
    assert len(losses[0]) == 5
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-6)
    assert gradients[1].keys() == gradients[0].keys()
    for name, gradient in gradients[0].items():
        apart = (gradients[1][name] - gradient).norm() / gradient.norm().clamp(min=1e-6)
        # A ReLU that rounding switches matters with two small images; a wrong gradient is 1 apart.
        assert apart < 0.1, name


def test_sgd_in_one_pass_is_detectron2s_up_to_rounding(prepared):
    cfg, theirs, ours = prepared
    cfg.SOLVER.WEIGHT_DECAY_NORM = 0.1
    before = {name: value.clone() for name, value in theirs.state_dict().items()}
    pairs = ((theirs, build_optimizer(cfg, theirs)), (ours, Trainer.build_optimizer(cfg, ours)))
    for step in range(3):  # later steps have momentum
        for model, optimizer in pairs:
            random = torch.Generator().manual_seed(step)
            optimizer.zero_grad()
            products = [
                (each * torch.randn(each.shape, generator=random)).sum()
                for each in model.parameters()
            ]
            sum(products).backward()
            optimizer.step()
    name = "backbone.fpn_output2.weight"
    assert not torch.allclose(theirs.state_dict()[name], before[name], atol=0.01)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-5, atol=1e-6)


def test_momentum_is_read_into_the_memory_format_of_the_weights(prepared):
    """As if a checkpoint were from a GPU, whose convolutions are not channels-last."""
    cfg, _, ours = prepared
    optimizer = Trainer.build_optimizer(cfg, ours)
    sum(each.sum() for each in ours.parameters()).backward()
    optimizer.step()
    buffers = {
        each: state["momentum_buffer"].contiguous() for each, state in optimizer.state.items()
    }
    apart = [each for each, buffer in buffers.items() if buffer.stride() != each.stride()]
    assert apart
    for each, buffer in buffers.items():
        optimizer.state[each]["momentum_buffer"] = buffer
    match_memory(optimizer)
    for each, buffer in buffers.items():
        matched = optimizer.state[each]["momentum_buffer"]
        assert matched.stride() == each.stride()
        assert torch.equal(matched, buffer)


def test_a_synchronised_norm_sends_float32_also_without_rows(prepared):
    *_, ours = prepared
    norms = [part for part in ours.modules() if isinstance(part, nn.SyncBatchNorm)]
    assert norms
    for norm in norms:
        rows = torch.zeros(2, norm.num_features, 1, 1, dtype=torch.bfloat16)
        norm.eval()
        assert norm(rows[:0]).dtype is torch.float32
        assert norm(rows).dtype is torch.bfloat16
