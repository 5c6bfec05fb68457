"""A folder of your own images: changed and unreadable images, and imported boxes."""

import json
import re
import shutil

import pyarrow.parquet as pq
import pytest
from PIL import Image
from workflow_runs import CONVERTED


@pytest.fixture
def of_own_images(finished_on_own, workflow, copy_run):
    """A copy of the finished run, to be changed, and its folder of images."""
    return copy_run(workflow, finished_on_own), workflow.folder / "images"


def searched(workflow):
    """The time when each shard was searched."""
    return {
        path.stem: path.stat().st_mtime_ns for path in workflow.path("proposals", "raw").iterdir()
    }


def test_a_changed_image_reruns_its_own_shard_and_all_that_depends_on_it(of_own_images):
    workflow, images = of_own_images
    shard = {
        row["key"]: f"{row['shard']:04d}"
        for row in pq.read_table(workflow.path("shards", "manifest.parquet")).to_pylist()
    }
    before, store = searched(workflow), workflow.path("proposals", "store.arrow").read_bytes()
    Image.open(images / "b/two two.png").transpose(Image.Transpose.ROTATE_180).save(
        images / "b/two two.png"
    )
    workflow(CONVERTED)
    after = searched(workflow)
    assert {key for key in before if after[key] != before[key]} == {shard["b/two two.png"]}
    assert "pretrain_model" in workflow.ran
    assert workflow.path("proposals", "store.arrow").read_bytes() != store
    assert workflow.would_run(CONVERTED) == set()


def test_an_added_image_in_a_sub_folder_is_noticed(of_own_images):
    workflow, images = of_own_images
    before = searched(workflow)
    shutil.copy(images / "d.bmp", images / "c" / "new.bmp")
    workflow("proposals")
    after = searched(workflow)
    assert len({key for key in before if after[key] != before[key]}) == 1
    assert (
        "c/new.bmp" in pq.read_table(workflow.path("proposals", "store.parquet"))["key"].to_pylist()
    )


def test_touched_images_are_listed_again_and_nothing_else_runs(of_own_images):
    workflow, images = of_own_images
    (images / "d.bmp").touch()
    workflow(CONVERTED)
    assert workflow.ran == {"shard_images"}


def test_unreadable_images_are_counted_and_listed_and_too_many_stop_the_run(
    workflow, folder_of_images
):
    workflow.overlay["images"] |= {"path": str(folder_of_images), "max_skipped": 0.1}
    printed = workflow("proposals", succeeds=False)
    assert re.search(r"Error: 2 of 7 images .* images\.max_skipped", printed)
    assert "Traceback" not in printed
    workflow.overlay["images"]["max_skipped"] = 0.5
    workflow("proposals")
    assert workflow.ran - {"proposals"} == {"merge_proposals"}
    skipped = pq.read_table(workflow.path("proposals", "skipped.parquet"))["key"].to_pylist()
    assert skipped == ["e_empty.jpg", "f_cut.jpg"]
    assert json.loads(workflow.path("proposals", "summary.json").read_text())["skipped"] == 2


def test_imported_boxes_replace_the_search(workflow, folder_of_images, tmp_path):
    (tmp_path / "boxes.json").write_text('{"d.bmp": [[1, 2, 90, 80]]}')
    workflow.overlay["images"] |= {"path": str(folder_of_images), "max_skipped": 0.5}
    workflow.overlay["proposals"] = {"engine": "imported", "file": str(tmp_path / "boxes.json")}
    workflow.overlay["filter"] = {"strategy": {"low": 0.25}, "fallbacks": [{}]}
    workflow("proposals")
    summary = json.loads(workflow.path("proposals", "summary.json").read_text())
    assert summary["images_by_strategy"] == {"no proposals": 5, "size0.25-": 1}
    assert summary["images_without_proposals_after"] == [["size0.25-", 5], ["none", 5]]
    assert not workflow.path("logs", "search_regions").exists()
    assert "6 images have no entry" in workflow.path("logs", "import_regions.log").read_text()
