import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor, ImageDraw

from soco.cli import main
from soco.config import FilterConfig, PretrainConfig, ProposalsConfig, ViewConfig
from soco.pretrain.model.pooling import NO_LEVEL, levels
from soco.pretrain.views import ViewDataset
from soco.pretrain.views.boxes import clip_to_crop, flip
from soco.pretrain.views.crops import Crop
from soco.proposals import selective_search
from soco.proposals.boxes import rects_to_boxes
from soco.proposals.filters import proposals_of
from soco.report.drawing.canvas import MARGIN
from soco.report.drawing.samples import colours_of, denormalised
from soco.report.show.proposals import Search
from soco.report.show.samples import samples_of, searched
from soco.report.show.views import compose, places, write_gallery

SIDE = 128


@pytest.fixture
def coffee(repository):
    return repository / "tests/golden/images/coffee_half.png"


@pytest.fixture
def dataset(small_store, tiny_recipe):
    return ViewDataset(*small_store, tiny_recipe.model_copy(update={"jitter": 0.0}), seed=3)


def near(drawn, x, y, colour):
    """Whether a pixel within two of a position has the colour."""
    x, y = round(float(x)), round(float(y))
    patch = drawn[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].astype(int)
    return bool((np.abs(patch - ImageColor.getrgb(colour)).sum(axis=-1) == 0).any())


def test_boxes_are_drawn_where_the_batch_has_them(dataset):
    for sample in samples_of(dataset, images=3, epoch=2, count=2):
        drawn, colours = np.array(compose(sample, dataset.settings, SIDE)), colours_of(sample)
        for pair, corners in zip(sample.batch.pairs, places(2, SIDE), strict=True):
            for boxes, corner in zip((pair.boxes_1, pair.boxes_v), corners, strict=True):
                for box, box_id in zip(boxes.numpy() * SIDE, pair.ids_1.tolist(), strict=True):
                    # A label or a later box may hide a part, and the whole of a box that is the
                    # same as another.
                    pairs = zip(pair.ids_1.tolist(), boxes.numpy() * SIDE, strict=True)
                    shades = [colours[i] for i, b in pairs if np.abs(b - box).max() < 3]
                    drawn_there = [
                        any(near(drawn, *place, shade) for shade in shades)
                        for place in outline_of(box, corner)
                    ]
                    assert np.mean(drawn_there) > 0.3, box_id


def outline_of(box, corner):
    """Ten places on each edge of a box, in the drawing."""
    x1, y1, x2, y2 = box + np.tile(corner, 2)
    across, down = np.linspace(x1, x2, 10), np.linspace(y1, y2, 10)
    return [*((x, y) for x in across for y in (y1, y2)), *((x, y) for x in (x1, x2) for y in down)]


def test_labels_have_id_and_level_and_captions_the_flip(dataset, monkeypatch):
    words = []
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, place, text, **_: words.append(text)
    )
    (sample,) = samples_of(dataset, images=1, epoch=0, count=1)
    compose(sample, dataset.settings, SIDE)
    bounds = dataset.settings.level_bounds
    for number, pair in enumerate(sample.batch.pairs, start=1):
        for view, boxes in ((0, pair.boxes_1), (number, pair.boxes_v)):
            of_boxes = levels(boxes, sample.batch.views[view].shape[-1], bounds).tolist()
            for box_id, level in zip(pair.ids_1.tolist(), of_boxes, strict=True):
                assert f"{box_id} {'none' if level == NO_LEVEL else f'P{level + 2}'}" in words
            caption = next(text for text in words if text.startswith(f"view {view + 1},"))
            assert caption.endswith(", flipped") == sample.plans[view].flipped


def test_the_image_shows_the_chosen_boxes_and_the_crops(dataset):
    (sample,) = samples_of(dataset, images=1, epoch=0, count=1)
    drawn = np.array(compose(sample, dataset.settings, SIDE))
    left = drawn[:, : places(1, SIDE)[0][0][0] - MARGIN]
    for colour in colours_of(sample).values():
        rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (left == rgb).all(axis=-1).sum() > 20, colour
    other = tuple(dataclasses.replace(plan, crop=Crop(0, 0, 9, 9)) for plan in sample.plans)
    changed = np.array(compose(dataclasses.replace(sample, plans=other), dataset.settings, SIDE))
    assert (changed[:, : left.shape[1]] != left).any()


def test_a_line_joins_the_edges_of_corresponding_boxes(dataset):
    (sample,) = samples_of(dataset, images=1, epoch=0, count=1)
    batch = sample.batch
    boxes = {"boxes_1": [0.1, 0.1, 0.5, 0.5], "boxes_v": [0.4, 0.5, 0.8, 0.9]}
    pair = dataclasses.replace(
        batch.pairs[0], **{name: torch.tensor([box] * 4) for name, box in boxes.items()}
    )
    pair = dataclasses.replace(pair, ids_1=torch.full((4,), 2), ids_v=torch.full((4,), 2))
    one = dataclasses.replace(sample, batch=dataclasses.replace(batch, pairs=(pair,)))
    drawn = np.array(compose(one, dataset.settings, SIDE))
    (((left, top), (other, _)),) = places(1, SIDE)
    start, end = (left + 0.5 * SIDE, top + 0.3 * SIDE), (other + 0.4 * SIDE, top + 0.7 * SIDE)
    for share in np.linspace(0.05, 0.95, 10):
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        assert near(drawn, x, y, colours_of(one)[2])
    too_large = dataclasses.replace(pair, boxes_1=torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 4))
    recipe = dataset.settings.model_copy(update={"level_bounds": (7, 14, 28, 32)})
    apart = dataclasses.replace(sample, batch=dataclasses.replace(batch, pairs=(too_large,)))
    gap = np.array(compose(apart, recipe, SIDE))[top : top + SIDE, left + SIDE + 4 : other - 4]
    assert (gap == 255).all()


def test_a_view_looks_as_it_did_before_normalisation(dataset):
    (sample,) = samples_of(dataset, images=1, epoch=1, count=1)
    drawn = np.array(compose(sample, dataset.settings, 64))
    (left, top), _ = places(2, 64)[0]
    expected = denormalised(sample.batch.views[0])
    seen = drawn[top : top + 64, left : left + 64]
    assert np.mean((seen == expected).all(axis=-1)) > 0.5  # the rest is boxes and labels


def test_cut_out_squares_are_outlined(dataset):
    recipe = dataset.settings.model_copy(update={"cutout_probability": 0.0})
    (sample,) = samples_of(
        ViewDataset(dataset.store.path, dataset.source, recipe, 3), images=1, epoch=0, count=1
    )
    cut = sample.batch.views[1].clone()
    cut[:, 20:40, 24:44] = 0
    batch = dataclasses.replace(
        sample.batch, views=(sample.batch.views[0], cut, sample.batch.views[2])
    )
    plain, changed = (
        np.array(compose(s, recipe, 64)) for s in (sample, dataclasses.replace(sample, batch=batch))
    )
    _, (left, top) = places(2, 64)[0]
    rows, columns = np.nonzero((plain != changed).any(axis=-1))
    assert abs(rows.min() - top - 20) <= 2 and abs(rows.max() - top - 39) <= 2
    assert abs(columns.min() - left - 24) <= 2 and abs(columns.max() - left - 43) <= 2
    assert denormalised(cut)[30, 30].tolist() == [124, 116, 104]
    outline = changed[rows.min() + 1 : rows.max(), columns.min() : columns.max() + 1]
    assert (outline == 255).all(axis=-1).sum() > 40


def test_crops_and_flips_are_those_of_the_batch(dataset):
    for sample in samples_of(dataset, images=5, epoch=0, count=8):
        for number, pair in enumerate(sample.batch.pairs, start=1):
            boxes = sample.boxes[pair.ids_v.numpy() - 1]
            for plan, given in (
                (sample.plans[0], pair.boxes_1),
                (sample.plans[number], pair.boxes_v),
            ):
                seen = clip_to_crop(boxes, plan.crop)
                assert np.allclose(flip(seen) if plan.flipped else seen, given.numpy(), atol=1e-6)


def test_samples_are_those_that_training_sees(dataset):
    samples = list(samples_of(dataset, images=2, epoch=3, count=2))
    assert [(sample.name, sample.epoch) for sample in samples] == [
        ("a/one.jpg", 3), ("a/one.jpg", 4), ("d.bmp", 3), ("d.bmp", 4),
    ]  # fmt: skip
    assert torch.equal(samples[3].batch.views[1], dataset[4, 4].views[1])


def test_image_files_are_searched_and_filtered(coffee, photograph, tiny_recipe):
    with searched([coffee], Search(ProposalsConfig(), FilterConfig()), tiny_recipe, 1) as dataset:
        (sample,) = samples_of(dataset, images=1, epoch=0, count=1)
    rgb = photograph("coffee_half")
    kept = proposals_of(selective_search(rgb)[:, :4], (rgb.shape[1], rgb.shape[0]), FilterConfig())[
        1
    ]
    assert np.array_equal(sample.boxes, rects_to_boxes(kept)) and np.array_equal(sample.rgb, rgb)


def test_a_c4_sample_has_one_row(dataset):
    recipe = PretrainConfig(
        architecture="c4", views=(ViewConfig(size=64), ViewConfig(size=64, crop="a"))
    )
    c4 = ViewDataset(dataset.store.path, dataset.source, recipe, 3)
    three, two = (
        compose(next(iter(samples_of(d, 1, 0, 1))), d.settings, SIDE).height for d in (dataset, c4)
    )
    assert two < three - SIDE // 2


def test_a_gallery_is_a_png_or_a_folder_with_a_page(dataset, tmp_path):
    samples = list(samples_of(dataset, images=3, epoch=0, count=1))
    assert write_gallery(samples, dataset.settings, tmp_path / "all.png", 64) == 3
    assert write_gallery(samples, dataset.settings, tmp_path / "folder", 64) == 3
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == ["000.png", "001.png", "002.png", "index.html"]
    single = [Image.open(tmp_path / "folder" / name) for name in names[:3]]
    together = Image.open(tmp_path / "all.png")
    assert together.height == sum(image.height for image in single)
    assert np.array_equal(
        np.array(together)[: single[0].height, : single[0].width], np.array(single[0])
    )
    page = (tmp_path / "folder" / "index.html").read_text()
    assert all(f'src="{name}"' in page for name in names[:3]) and "a/one.jpg, epoch 0" in page


def test_the_command_draws_files_with_the_papers_settings(coffee, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "views", str(coffee), "--samples", "2", "--side", "64"]) == 0
    assert capsys.readouterr().out == "2 samples; see views.png\n"
    first = np.array(Image.open("views.png"))
    assert (
        main(["show", "views", str(coffee), "--samples", "2", "--side", "64", "--seed", "1"]) == 0
    )
    assert np.array_equal(np.array(Image.open("views.png")), first)
    assert (
        main(["show", "views", str(coffee), "--samples", "2", "--side", "64", "--seed", "2"]) == 0
    )
    assert not np.array_equal(np.array(Image.open("views.png")), first)


def config_of(folder_of_images, path, runs=("one",)):
    views = "[{size: 64}, {size: 64, crop: a}]"
    recipes = ", ".join(f"{run}: {{architecture: c4, views: {views}}}" for run in runs)
    path.write_text(f"images: {{path: {folder_of_images}}}\npretrain: {{{recipes}}}\n")
    return str(path)


def test_the_command_draws_images_of_a_store(small_store, folder_of_images, tmp_path, capsys):
    config = config_of(folder_of_images, tmp_path / "config.yaml")
    call = ["show", "views", "--store", str(small_store[0]), "--config", config, "--side", "64"]
    assert main([*call, "--images", "3", "--epoch", "7", "--out", str(tmp_path / "gallery")]) == 0
    assert capsys.readouterr().out == f"3 samples; see {tmp_path / 'gallery' / 'index.html'}\n"
    assert "b/two two.png, epoch 7" in (tmp_path / "gallery" / "index.html").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Give either image files"),
        (["IMAGE", "--store", "store.arrow"], "Give either image files"),
        (["--store", "store.arrow"], "give --config"),
        (["IMAGE", "--out", "views.jpg"], "ends in .png, or a folder"),
        (["IMAGE", "--run", "mine"], "--run is mine"),
        (["IMAGE", "--config", "CONFIG"], "Choose a pretraining with --run"),
        (
            ["--store", "none.arrow", "--config", "CONFIG", "--run", "one"],
            "no proposal store none.arrow",
        ),
        (["absent.png"], "absent.png cannot be read"),
    ],
)
def test_refusals_are_one_sentence(
    options, sentence, coffee, folder_of_images, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    config = config_of(folder_of_images, tmp_path / "config.yaml", runs=("one", "two"))
    given = [{"IMAGE": str(coffee), "CONFIG": config}.get(option, option) for option in options]
    assert main(["show", "views", *given]) == 1
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("Error: ") and error.count("\n") == 1
    assert not list(Path().glob("views*"))
