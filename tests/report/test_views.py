"""The views that the page shows are those that pretraining saw."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from soco.config import ImagesConfig, PretrainConfig
from soco.data import UnreadableImageError, open_source
from soco.pretrain.sampler import EpochSampler
from soco.pretrain.views import ViewDataset
from soco.report.drawing.samples import colours_of, denormalised, sample_of
from soco.report.views import marks_of_view, run_views


@pytest.fixture
def recipe(inputs):
    return PretrainConfig.model_validate(inputs.config["pretrain"]["soco"])


@pytest.fixture
def source(inputs):
    return open_source(ImagesConfig.model_validate(inputs.config["images"]))


def pixels(image):
    return np.array(Image.open(io.BytesIO(base64.b64decode(image.uri.partition(",")[2])))).astype(
        float
    )


def test_each_row_is_an_image_and_its_views(inputs, recipe, source):
    rows = run_views(recipe, inputs.arrow, source, seed=1)
    assert [len(row) for row in rows] == [4, 4, 4]
    dataset = ViewDataset(inputs.arrow, source, recipe, 1)
    # The first of the 48 images' epochs has one step of 32: those left over were not seen.
    seen = sorted(next(iter(EpochSampler(48, recipe, seed=1))))
    for (epoch, number), (original, *views) in zip(
        (seen[5], seen[16], seen[26]), rows, strict=True
    ):
        sample = sample_of(dataset, number, epoch)
        assert original.title == "image" and sample.name in original.alt
        assert original.caption.startswith(
            f"{len(colours_of(sample))} of its {len(sample.boxes)} boxes"
        )
        for place, (image, view) in enumerate(zip(views, sample.batch.views, strict=True), 1):
            assert image.title == f"view {place}" and f"{view.shape[-1]} px" in image.caption
            seen = denormalised(view)
            size = seen.shape[:2]
            drawn = np.array(
                Image.fromarray(pixels(image).astype(np.uint8)).resize(size, Image.Resampling.BOX)
            )
            # Boxes, words and JPEG change some pixels; another view would change nearly all.
            assert np.median(np.abs(drawn.astype(float) - seen)) < 6


def test_a_view_has_every_box_that_the_loss_compares_in_it(inputs, recipe, source):
    """In view 1 these include boxes of one id that were jittered differently per pair."""
    sample = sample_of(ViewDataset(inputs.arrow, source, recipe, 1), 24, 0)
    colours = colours_of(sample)
    pairs = sample.batch.pairs
    compared = [[(p.boxes_1, p.ids_1) for p in pairs], *([(p.boxes_v, p.ids_v)] for p in pairs)]
    for view, of_view in enumerate(compared):
        marks = {(mark.box, mark.colour) for mark in marks_of_view(sample, recipe, view, colours)}
        found = [
            (box * 320, key)
            for boxes, ids in of_view
            for box, key in zip(boxes, ids.tolist(), strict=True)
        ]
        assert marks == {(tuple(box.tolist()), colours[key]) for box, key in found}
    ids = [mark.label.split()[0] for mark in marks_of_view(sample, recipe, 0, colours)]
    assert len(ids) > len(set(ids))


def test_another_seed_shows_other_views(inputs, recipe, source):
    one, other = (run_views(recipe, inputs.arrow, source, seed) for seed in (1, 2))
    assert all(a.uri != b.uri for a, b in zip(one[0], other[0], strict=True))


def test_a_missing_image_is_left_out(inputs, recipe, source, caplog):
    rows = run_views(recipe, inputs.arrow, Without(source, "chelsea/"), seed=1)
    assert len(rows) == 2 and "skipped an image in the views" in caplog.text


class Without:
    """A source whose images below a folder are missing."""

    def __init__(self, source, folder):
        self.source, self.folder = source, folder

    def read(self, entry):
        if entry.key.startswith(self.folder):
            raise UnreadableImageError("the file is missing")
        return self.source.read(entry)
