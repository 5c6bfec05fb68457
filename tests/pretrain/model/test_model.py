import dataclasses

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.ops import FeaturePyramidNetwork

from soco.config import DetectorConfig, ViewConfig
from soco.pretrain.model import build_model
from soco.pretrain.model.encoder import build_encoder, c2_to_c5, channels_of
from soco.pretrain.model.loss import (
    Vectors,
    collapse_metrics,
    constant_loss,
    redundancy,
    similarity,
    total_loss,
)
from soco.pretrain.model.neck import FPN
from soco.pretrain.model.pooling import levels
from soco.pretrain.model.recompute import recomputed
from soco.pretrain.views.batch import Batch, Pair

SMALL = DetectorConfig(
    backbone="resnet18", fpn_channels=8, head_channels=8, head_convs=2, head_fc=16
)


def make_batch(sizes, seed=0, images=2, boxes=3):
    generator = torch.Generator().manual_seed(seed)
    views = tuple(torch.randn(images, 3, size, size, generator=generator) for size in sizes)

    def random_boxes():
        corner = torch.rand(images, boxes, 2, generator=generator) * 0.5
        return torch.cat(
            [corner, corner + 0.1 + torch.rand(images, boxes, 2, generator=generator) * 0.39],
            dim=-1,
        )

    ids = torch.arange(1, boxes + 1).expand(images, -1)
    pairs = tuple(Pair(random_boxes(), ids, random_boxes(), ids) for _ in sizes[1:])
    return Batch(views, pairs, torch.arange(images))


def recipe_of(tiny_recipe, kind):
    if kind == "fpn":
        return tiny_recipe
    if kind == "c4":
        return tiny_recipe.model_copy(update={"architecture": "c4", "views": tiny_recipe.views[:2]})
    star = (*tiny_recipe.views[:2], ViewConfig(size=48, crop="b"), ViewConfig(size=32, crop="a"))
    return tiny_recipe.model_copy(update={"views": star})


@pytest.mark.parametrize("kind", ["fpn", "star", "c4"])
@pytest.mark.parametrize("pooling", ["assigned", "release"])
def test_all_three_models_learn(tiny_recipe, kind, pooling):
    recipe = recipe_of(tiny_recipe, kind).model_copy(update={"pooling": pooling})
    model = build_model(recipe, SMALL, seed=1)
    batch = make_batch([view.size for view in recipe.views])
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(6):
        loss = model(batch).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    pairs = len(recipe.views) - 1
    assert losses[-1] < losses[0] - 0.3
    assert min(losses) >= -4 * pairs


@pytest.mark.parametrize("kind", ["fpn", "star", "c4"])
def test_both_poolings_give_the_same_loss_in_eval_mode(tiny_recipe, kind):
    recipe = recipe_of(tiny_recipe, kind)
    batch = make_batch([view.size for view in recipe.views])
    losses = []
    for pooling in ("assigned", "release"):
        model = build_model(recipe.model_copy(update={"pooling": pooling}), SMALL, seed=1).eval()
        losses.append(model(batch).loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.parametrize("kind", ["fpn", "c4"])
@pytest.mark.parametrize("pooling", ["assigned", "release"])
def test_decorrelation_adds_the_projections_redundancy_to_what_is_minimised(
    tiny_recipe, kind, pooling
):
    recipe = recipe_of(tiny_recipe, kind).model_copy(update={"pooling": pooling})
    batch = make_batch([view.size for view in recipe.views])
    plain = build_model(recipe, SMALL, seed=1)(batch)
    assert plain.objective is plain.loss
    model = build_model(recipe.model_copy(update={"decorrelation": 0.5}), SMALL, seed=1)
    first = model(batch)
    assert first.loss.item() == pytest.approx(plain.loss.item(), abs=1e-5)
    assert first.objective > first.loss
    (first.objective - first.loss).backward()
    assert model.projector.linear2.weight.grad.norm() > 0
    assert model.encoder.conv1.weight.grad.norm() > 0
    # The predictor comes after the projections.
    assert not any(p.grad is not None and p.grad.any() for p in model.predictor.parameters())


def test_redundancy_sums_the_squared_correlations_of_different_dimensions():
    column = torch.tensor([1.0, -1.0, 1.0, -1.0])
    other = torch.tensor([1.0, 1.0, -1.0, -1.0])
    # Of the third image, only the first box counts.
    ids = torch.tensor([[1, 2], [1, 2], [1, 0]])

    def of(*columns):
        rows = torch.stack(columns, dim=1)
        values = torch.cat([rows, rows.new_full((2, len(columns)), 7.0)]).reshape(3, 2, -1)
        values[2, 0] = rows.mean(dim=0)
        return redundancy([Vectors(values[:1], ids[:1]), Vectors(values[1:], ids[1:])])

    assert of(column, other).item() == pytest.approx(0, abs=1e-6)
    # Four equal dimensions: 4 x 3 correlations of 1, divided by 4.
    assert of(column, column, -column, 3 * column).item() == pytest.approx(3)
    assert of(column, column + other).item() == pytest.approx(0.5, rel=1e-5)


def test_only_the_online_branch_has_gradients(tiny_recipe):
    model = build_model(tiny_recipe, SMALL, seed=1)
    model(make_batch([64, 64, 32])).loss.backward()
    for name, parameter in model.named_parameters():
        is_target = name.split(".")[0].endswith("_k")
        assert parameter.requires_grad != is_target
        assert (parameter.grad is None) == is_target, name


def test_the_target_averages_parameters_and_not_buffers(tiny_recipe):
    model = build_model(tiny_recipe, SMALL, seed=1)
    with torch.no_grad():
        for part in (model.encoder, model.neck, model.head, model.projector):
            for tensor in part.state_dict().values():
                tensor.add_(1)
    before = {name: tensor.clone() for name, tensor in model.encoder_k.state_dict().items()}
    model.update_target(0.75)
    parameters = dict(model.encoder_k.named_parameters())
    for name, tensor in model.encoder_k.state_dict().items():
        expected = before[name] + 0.25 if name in parameters else before[name]
        assert torch.allclose(tensor.float(), expected.float(), atol=1e-6), name


@pytest.mark.parametrize("bounds", [(1, 2, 3, 4), (1, 2, 3, 100), (100, 101, 102, 103)])
def test_every_online_parameter_has_a_gradient_on_any_levels(tiny_recipe, bounds):
    model = build_model(tiny_recipe.model_copy(update={"level_bounds": bounds}), SMALL, seed=1)
    loss = model(make_batch([64, 64, 32])).loss
    loss.backward()
    assert (loss.item() == 0) == (bounds[-1] == 4)  # no box has a level
    assert all(
        p.grad is not None and p.grad.isfinite().all()
        for p in model.parameters()
        if p.requires_grad
    )
    assert all(buffer.isfinite().all() for buffer in model.buffers())


@pytest.mark.parametrize(
    ("kind", "bf16"),
    [
        ("fpn", False),
        ("c4", False),
        ("fpn", True),
        pytest.param("c4", True, marks=pytest.mark.slow),
    ],
)
def test_recomputation_changes_no_bit(tiny_recipe, kind, bf16):
    ended = []
    for recompute in (False, True):
        recipe = recipe_of(tiny_recipe, kind).model_copy(update={"recompute": recompute})
        model = build_model(recipe, SMALL, seed=1)
        for seed in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = model(make_batch([view.size for view in recipe.views], seed)).loss
            loss.backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        ended.append(
            {"loss": loss, **gradients, **{f"state {n}": t for n, t in model.state_dict().items()}}
        )
    assert ended[0].keys() == ended[1].keys()
    assert [
        name for name, tensor in ended[0].items() if not torch.equal(tensor, ended[1][name])
    ] == []


class Casts(TorchDispatchMode):
    """Records the shapes of the tensors that are cast."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._to_copy.default:
            self.shapes.append(args[0].shape)
        return func(*args, **(kwargs or {}))


def test_the_targets_weights_are_cast_once_a_step(tiny_recipe):
    model = build_model(tiny_recipe, SMALL, seed=1)
    batch = make_batch([64, 64, 32])
    with Casts() as casts, torch.autocast("cpu", torch.bfloat16):
        model(batch)
    for weight in (model.head_k.fc1.weight, model.encoder_k.conv1.weight):
        assert casts.shapes.count(weight.shape) == 2  # once for each branch
    assert not any(p.requires_grad for p in model.encoder_k.parameters())


def test_the_model_depends_only_on_its_seed_and_keeps_torchs_generator(tiny_recipe):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    models = [build_model(tiny_recipe, SMALL, seed) for seed in (1, 1, 2)]
    assert torch.rand(1) == expected
    weights = [model.head.fc1.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_initialisation_is_that_of_the_release(tiny_recipe):
    model = build_model(tiny_recipe, DetectorConfig(backbone="resnet50"), seed=1)
    assert all(
        not block.bn3.weight.any()
        for n in range(1, 5)
        for block in getattr(model.encoder, f"layer{n}")
    )
    for conv, fan in (
        (model.neck.fpn_convs[0].conv, 256 * 9),
        (model.neck.lateral_convs[3].conv, 256),
    ):
        assert conv.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.05)
    assert model.head.conv1.weight.abs().max().item() == pytest.approx((256 * 9) ** -0.5, rel=0.01)


def test_levels_are_computed_from_integer_pixel_boxes():
    side = torch.tensor([0.2099, 0.2101, 0.42, 0.85, 0.99, 1.0])
    boxes = torch.stack([torch.zeros(6), torch.zeros(6), side, side], dim=1)
    # int(0.2099 x 224) + 1 = 48, int(0.2101 x 224) + 1 = 48, then 95, 191, 222, 225
    assert levels(boxes, 224, (48, 96, 192, 224)).tolist() == [0, 0, 1, 2, 3, -1]


def test_similarity_counts_equal_ids_and_averages_over_images():
    values = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [1.0, 0.0]]])
    online = Vectors(values, torch.tensor([[1, 2], [0, 0]]))
    target = Vectors(
        torch.tensor([[[3.0, 0.0], [0.0, -1.0]], [[1.0, 0.0], [1.0, 0.0]]]),
        torch.tensor([[1, 2], [0, 0]]),
    )
    assert similarity(online, target).item() == pytest.approx(
        0.0
    )  # image 1: (1 - 1) / 2; image 2: no pair
    repeated = dataclasses.replace(online, ids=torch.tensor([[1, 1], [0, 0]]))
    assert similarity(repeated, target).item() == pytest.approx((1 + 0) / 2 / 2)


def test_collapse_metrics_agree_with_their_definitions():
    generator = torch.Generator().manual_seed(0)
    values, ids = (
        torch.randn(6, 4, 32, generator=generator),
        torch.randint(0, 4, (6, 4), generator=generator),
    )
    spread, apart = collapse_metrics(values, ids)
    units = F.normalize(values, dim=-1)[ids > 0]
    image = torch.arange(6)[:, None].expand(6, 4)[ids > 0]
    different = image[:, None] != image[None, :]
    assert apart.item() == pytest.approx((units @ units.T)[different].mean().item(), abs=1e-5)
    assert spread.item() == pytest.approx(
        units.std(dim=0, correction=0).mean().item() * 32**0.5, abs=1e-5
    )
    spread, apart = collapse_metrics(
        values[:1, :1].expand(6, 4, 32), torch.ones(6, 4, dtype=torch.long)
    )
    assert (spread.item(), apart.item()) == pytest.approx((0, 1), abs=1e-5)


def test_the_constant_loss_is_the_lowest_of_a_single_vector():
    generator = torch.Generator().manual_seed(0)

    def random_vectors(entries):
        ids = torch.randint(0, 4, (5, entries), generator=generator)
        return Vectors(torch.randn(5, entries, 8, generator=generator) + 0.3, ids)

    online = [(random_vectors(4), random_vectors(6)) for _ in range(2)]
    target = [(Vectors(random_vectors(4).values, q.ids), random_vectors(6)) for q, _ in online]

    def loss_of(vector):
        constant = [
            tuple(Vectors(vector.expand(*q.ids.shape, 8), q.ids) for q in pair) for pair in online
        ]
        return total_loss(constant, target)

    best = torch.zeros(8, requires_grad=True)
    with torch.no_grad():
        best += 1
    (gradient,) = torch.autograd.grad(loss_of(best), best)
    for _ in range(500):
        best = (best - gradient).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss_of(best), best)
    lowest = constant_loss(online, target)
    assert loss_of(best).item() == pytest.approx(lowest.item(), abs=1e-4)
    for _ in range(20):
        assert loss_of(torch.randn(8, generator=generator)) >= lowest - 1e-5


def test_after_collapse_the_constant_loss_is_the_lowest_possible():
    same = Vectors(torch.ones(2, 3, 4), torch.arange(1, 4).expand(2, 3))
    assert constant_loss([(same, same)], [(same, same)]).item() == pytest.approx(-4)


def test_our_fpn_agrees_with_torchvisions():
    torch.manual_seed(0)
    ours, theirs = (
        FPN((8, 12), 4).eval(),
        FeaturePyramidNetwork([8, 12], 4, norm_layer=torch.nn.BatchNorm2d).eval(),
    )
    for level in range(2):
        for mine, its in (
            (ours.lateral_convs, theirs.inner_blocks),
            (ours.fpn_convs, theirs.layer_blocks),
        ):
            its[level][0].weight.data.copy_(mine[level].conv.weight)
    maps = [torch.randn(1, 8, 10, 10), torch.randn(1, 12, 5, 5)]
    expected = theirs({"a": maps[0], "b": maps[1]})
    assert all(
        torch.allclose(a, b, atol=1e-6) for a, b in zip(ours(maps), expected.values(), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "channels"), [("resnet18", (64, 128, 256, 512)), ("resnet50", (256, 512, 1024, 2048))]
)
def test_the_encoders_maps_have_the_stated_channels_and_strides(name, channels):
    encoder = build_encoder(name).eval()
    assert channels_of(encoder) == channels
    maps = c2_to_c5(encoder, F.pad(torch.zeros(1, 3, 32, 32), (0, 32, 0, 32)))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 64 // s, 64 // s) for c, s in zip(channels, (4, 8, 16, 32), strict=True)
    ]


def test_recomputation_keeps_the_counter_of_a_norm():
    """torch's SyncBatchNorm does not run without one."""

    class Counting(torch.nn.BatchNorm2d):
        def forward(self, features):
            assert self.num_batches_tracked is not None
            return super().forward(features)

    part = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), Counting(3))
    recomputed(part, torch.randn(2, 3, 4, 4, requires_grad=True)).sum().backward()
    assert part[1].num_batches_tracked == 1
