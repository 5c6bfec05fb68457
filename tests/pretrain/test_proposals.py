"""Images without a proposal are counted before training, and too many of them are refused."""

import json

import numpy as np
import pyarrow as pa
import pytest

from soco.config import FilterConfig, Strategy
from soco.data.sources import Entry
from soco.data.stores.merged import ProposalStore, write_arrow
from soco.data.stores.merging import merge_files
from soco.data.stores.parquet import write_table
from soco.data.stores.schema import PROPOSAL_SCHEMA, image_columns, rect_columns
from soco.data.stores.without_proposals import count_without
from soco.errors import UserError
from soco.pretrain import pretrain
from soco.pretrain.identity import identity


@pytest.fixture
def store_of(tmp_path):
    """A store with an image for each pair of numbers, of regions and of proposals."""

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


def refusal(job):
    with pytest.raises(UserError) as refused:
        pretrain(job)
    return str(refused.value)


def test_too_many_images_without_proposals_are_refused_with_the_filters_reason(
    job_of, store_of, tiny_recipe
):
    store = store_of((7, 0), (5, 0), (9, 2), sizes=[(32, 32), (90, 48), (500, 375)])
    job = job_of("small", tiny_recipe).model_copy(update={"store": store, "filter": FilterConfig()})
    assert (
        refusal(job)
        == "2 of 3 images have no proposal (the filter kept no region of 2: filter.min_side is 32"
        " pixels, the median shorter side of these images is 40, and the strategies tried are"
        " ratio3size0308, ratio3, none), more than pretrain.small.max_without_proposals = 0.5"
        " allows; lower filter.min_side, choose other filter.fallbacks, or raise"
        " pretrain.small.max_without_proposals to train on each of these images as one box."
    )
    assert not job.folder.exists() and not job.weights.exists()
    strict = FilterConfig(strategy=Strategy(low=0.9), min_side=0, fallbacks=())
    assert "min_side is 0 pixels" in (told := refusal(job.model_copy(update={"filter": strict})))
    assert "the strategies tried are size09" in told


def test_boxes_that_name_no_image_are_refused_with_that_reason(job_of, store_of, tiny_recipe):
    job = job_of("imported", tiny_recipe).model_copy(
        update={"store": store_of((0, 0), (0, 0), (4, 0), (3, 3))}
    )
    assert (
        refusal(job)
        == "3 of 4 images have no proposal (2 have no region: the search found none, or"
        " proposals.file contains none; the filter kept no region of 1, whose median"
        " shorter side is 32 pixels), more than pretrain.imported.max_without_proposals = 0.5"
        " allows; check proposals.engine and the names in proposals.file, or raise"
        " pretrain.imported.max_without_proposals to train on each of these images as one box."
    )


def test_half_of_the_images_without_proposals_are_allowed_and_an_empty_store_has_none(store_of):
    found = count_without(ProposalStore(store_of((3, 0), (3, 1))))
    assert (found.images, found.without, found.share) == (2, 1, 0.5)
    empty = count_without(ProposalStore(store_of()))
    assert (empty.images, empty.without, empty.share) == (0, 0, 0.0)


def test_images_without_proposals_are_said_first_and_trained_on(job_of, tiny_recipe, caplog):
    job = job_of("whole", tiny_recipe.model_copy(update={"max_without_proposals": 0.2}))
    with caplog.at_level("INFO"):
        pretrain(job)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert (
        warnings[0]
        == "1 of 5 images have no proposal (the filter kept no region of 1, whose median shorter"
        " side is 150 pixels); each of them is trained on as one box, the whole image"
    )
    assert json.loads(job.metrics.read_text())["steps"] == 4


def test_the_share_decides_nothing_of_a_run(job_of, tiny_recipe):
    changed = tiny_recipe.model_copy(update={"max_without_proposals": 1.0})
    assert identity(job_of("a", tiny_recipe), "fp32") == identity(job_of("a", changed), "fp32")
