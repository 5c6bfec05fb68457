"""Images without proposals are counted before training, and too many of them are refused."""

import json

import numpy as np
import pyarrow as pa
import pytest
from user_errors import refused

from soco.config import FilterConfig, Strategy
from soco.data.sources import Entry
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.proposal_store import ProposalStore, write_arrow
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns
from soco.data.stores.without_proposals import count_without
from soco.pretrain import pretrain
from soco.pretrain.job import identity
from soco.pretrain.views import ViewDataset


@pytest.fixture
def store_of(tmp_path):
    """Make a store with an image for each pair (number of regions, number of proposals)."""

    def make(*counts, sizes=None):
        columns = {
            **image_columns(
                [Entry(f"{n}.png", "", 0, 1) for n in range(len(counts))],
                sizes or [(40, 32)] * len(counts),
            ),
            "regions": [regions for regions, _ in counts],
            "strategy": ["ratio3" if proposals else "" for _, proposals in counts],
            **rect_columns([np.full((proposals, 4), 30) for _, proposals in counts]),
        }
        write_table(tmp_path / "some.parquet", pa.table(columns, schema=PROPOSAL_SCHEMA))
        write_arrow(tmp_path / "some.arrow", merge_files([tmp_path / "some.parquet"]))
        return tmp_path / "some.arrow"

    return make


def test_too_many_images_without_proposals_are_refused_with_the_settings_of_the_filter(
    job_of, store_of, tiny_recipe
):
    store = store_of((7, 0), (5, 0), (9, 2), sizes=[(32, 32), (90, 48), (500, 375)])
    job = job_of("small", tiny_recipe).model_copy(update={"store": store, "filter": FilterConfig()})
    key = "pretrain.small.max_without_proposals"
    with refused("pretrain.too_few_proposals", key=key, most=0.5) as caught:
        pretrain(job)
    found = caught.value.values["found"]
    assert "2 of 3 images" in found and "min_side is 32" in found and "is 40" in found
    assert "ratio3size0308, ratio3, none" in found
    assert "filter.min_side" in caught.value.values["remedy"]
    assert not job.folder.exists() and not job.weights.exists()
    strict = FilterConfig(strategy=Strategy(low=0.9), min_side=0, fallbacks=())
    with refused("pretrain.too_few_proposals") as caught:
        pretrain(job.model_copy(update={"filter": strict}))
    assert "min_side is 0" in caught.value.values["found"]
    assert "size09" in caught.value.values["found"]


def test_boxes_that_name_no_image_are_refused_with_the_key_of_their_file(
    job_of, store_of, tiny_recipe
):
    job = job_of("imported", tiny_recipe).model_copy(
        update={"store": store_of((0, 0), (0, 0), (4, 0), (3, 3))}
    )
    with refused("pretrain.too_few_proposals") as caught:
        pretrain(job)
    assert "3 of 4 images" in caught.value.values["found"]
    assert "proposals.file" in caught.value.values["remedy"]


def test_half_of_the_images_may_lack_proposals_and_an_empty_store_lacks_none(store_of):
    counts = count_without(ProposalStore(store_of((3, 0), (3, 1))))
    assert (counts.images, counts.without, counts.share) == (2, 1, 0.5)
    empty = count_without(ProposalStore(store_of()))
    assert (empty.images, empty.without, empty.share) == (0, 0, 0.0)


def test_images_without_proposals_are_reported_first_and_trained_on(job_of, tiny_recipe, caplog):
    job = job_of("whole", tiny_recipe.model_copy(update={"max_without_proposals": 0.2}))
    with caplog.at_level("INFO"):
        pretrain(job)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "1 of 5 images" in warnings[0] and "whole image" in warnings[0]
    assert json.loads(job.metrics.read_text())["steps"] == 4


def test_the_largest_share_without_proposals_is_not_part_of_the_identity(job_of, tiny_recipe):
    changed = tiny_recipe.model_copy(update={"max_without_proposals": 1.0})
    assert identity(job_of("a", tiny_recipe), "fp32") == identity(job_of("a", changed), "fp32")


@pytest.mark.parametrize("architecture", ["fpn", "c4"])
@pytest.mark.parametrize("pooling", ["assigned", "release"])
def test_whole_views_are_trained_on_without_proposals(
    job_of, store_of, tiny_recipe, caplog, architecture, pooling
):
    changes = {"boxes": "whole", "architecture": architecture, "pooling": pooling}
    job = job_of("image-level", tiny_recipe.model_copy(update=changes | {"epochs": 1, "steps": 2}))
    counts = count_without(ProposalStore(job.store))
    assert counts.without
    job = job.model_copy(
        update={"settings": job.settings.model_copy(update={"max_without_proposals": 0.0})}
    )
    with caplog.at_level("INFO"):
        pretrain(job)
    # Two steps leave the weights where they are, which is another warning.
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert not [record for record in warnings if "proposal" in record.getMessage()]
    assert any("boxes: whole" in record.getMessage() for record in caplog.records)
    lines = [json.loads(line) for line in job.log.read_text().splitlines()]
    # Two pairs of views, each from 0 to -4: they have corresponding boxes.
    assert all(-8 < line["loss"] != 0 for line in lines)


def test_the_box_of_every_image_is_the_whole_image(small_store, tiny_recipe):
    recipe = tiny_recipe.model_copy(update={"boxes": "whole"})
    dataset = ViewDataset(*small_store, recipe, seed=1)
    assert [dataset.boxes(number).tolist() for number in range(2)] == [[[0, 0, 199, 149]]] * 2
    assert dataset[0, 0].pairs[0].ids_1.tolist() == [1]
