"""A folder of pictures of one's own: some change, some cannot be read, and boxes may come from elsewhere."""

import json
import re
import shutil

import pyarrow.parquet as pq
import pytest
from PIL import Image
from workflow_runs import CONVERTED


@pytest.fixture
def of_own_pictures(finished_on_own, workflow, copy_run):
    """A copy of that run, to be changed, and its folder of pictures."""
    return copy_run(workflow, finished_on_own), workflow.folder / "pictures"


def searched(workflow):
    """When each shard was searched."""
    return {path.stem: path.stat().st_mtime_ns for path in workflow.path("proposals", "raw").iterdir()}


def test_a_changed_picture_redoes_its_own_shard_and_what_follows_from_it(of_own_pictures):
    workflow, pictures = of_own_pictures
    shard = {
        row["key"]: f"{row['shard']:04d}"
        for row in pq.read_table(workflow.path("shards", "manifest.parquet")).to_pylist()
    }
    before, store = searched(workflow), workflow.path("proposals", "store.arrow").read_bytes()
    Image.open(pictures / "b/two two.png").transpose(Image.Transpose.ROTATE_180).save(pictures / "b/two two.png")
    workflow(CONVERTED)
    after = searched(workflow)
    assert {key for key in before if after[key] != before[key]} == {shard["b/two two.png"]}
    assert "pretrain_model" in workflow.ran
    assert workflow.path("proposals", "store.arrow").read_bytes() != store
    assert workflow.would_run(CONVERTED) == set()


def test_an_added_picture_below_a_sub_folder_is_noticed(of_own_pictures):
    workflow, pictures = of_own_pictures
    before = searched(workflow)
    shutil.copy(pictures / "d.bmp", pictures / "c" / "new.bmp")
    workflow("proposals")
    after = searched(workflow)
    assert len({key for key in before if after[key] != before[key]}) == 1
    assert "c/new.bmp" in pq.read_table(workflow.path("proposals", "store.parquet"))["key"].to_pylist()


def test_pictures_that_were_touched_are_listed_again_and_nothing_else(of_own_pictures):
    workflow, pictures = of_own_pictures
    (pictures / "d.bmp").touch()
    workflow(CONVERTED)
    assert workflow.ran == {"shard_pictures"}


def test_unreadable_pictures_are_counted_and_listed_and_too_many_stop_with_one_sentence(workflow, folder_of_pictures):
    workflow.overlay["pictures"] |= {"path": str(folder_of_pictures), "max_skipped": 0.1}
    printed = workflow("proposals", succeeds=False)
    assert re.search(r"Error: 2 of 7 pictures could not be read, more than pictures\.max_skipped = 0\.1", printed)
    assert "Traceback" not in printed
    workflow.overlay["pictures"]["max_skipped"] = 0.5
    workflow("proposals")
    assert workflow.ran - {"proposals"} == {"merge_proposals"}
    skipped = pq.read_table(workflow.path("proposals", "skipped.parquet"))["key"].to_pylist()
    assert skipped == ["e_empty.jpg", "f_cut.jpg"]
    assert json.loads(workflow.path("proposals", "summary.json").read_text())["skipped"] == 2


def test_boxes_of_others_take_the_place_of_the_search(workflow, folder_of_pictures, tmp_path):
    (tmp_path / "boxes.json").write_text('{"d.bmp": [[1, 2, 90, 80]]}')
    workflow.overlay["pictures"] |= {"path": str(folder_of_pictures), "max_skipped": 0.5}
    workflow.overlay["proposals"] = {"engine": "imported", "file": str(tmp_path / "boxes.json")}
    workflow.overlay["filter"] = {"strategy": {"low": 0.25}, "fallbacks": [{}]}
    workflow("proposals")
    summary = json.loads(workflow.path("proposals", "summary.json").read_text())
    assert summary["pictures_by_strategy"] == {"no proposals": 5, "size0.25-": 1}
    assert summary["pictures_without_proposals_after"] == [["size0.25-", 5], ["none", 5]]
    assert not workflow.path("logs", "search_regions").exists()
    assert "6 pictures have no entry" in workflow.path("logs", "import_regions.log").read_text()
