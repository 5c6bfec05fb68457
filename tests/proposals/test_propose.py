import json

import pytest
from user_errors import refused

from soco.config import FilterConfig, ImagesConfig, ProposalsConfig, Strategy
from soco.data.stores.proposal_store import ProposalStore
from soco.errors import UserError
from soco.proposals.propose import propose

READABLE = ["a/one.jpg", "b/one.jpg", "b/two two.png", "c/été.webp", "d.bmp"]


def keys_of(store):
    return [store.key(number) for number in range(len(store))]


def test_images_become_a_store(images, tmp_path):
    path = propose(images, tmp_path / "out")
    store = ProposalStore(path)
    assert path == tmp_path / "out" / "store.arrow"
    assert keys_of(store) == READABLE
    assert all(len(store.rects(number)) for number in range(len(store)))
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["skipped"] == 2


def test_the_store_does_not_depend_on_shards_and_jobs(images, tmp_path):
    shards = images.model_copy(update={"shards": 3})
    one = propose(images, tmp_path / "one", jobs=1)
    three = propose(shards, tmp_path / "three", jobs=2)
    assert one.read_bytes() == three.read_bytes()


def test_another_filter_keeps_other_boxes(images, tmp_path):
    strict = FilterConfig(strategy=Strategy(ratio=3, low=0.3, high=0.8), fallbacks=())
    everything = FilterConfig(strategy=Strategy())
    few, many = (
        ProposalStore(propose(images, tmp_path / name, filters=filters))
        for name, filters in (("strict", strict), ("everything", everything))
    )
    counts = [(len(few.rects(number)), len(many.rects(number))) for number in range(len(READABLE))]
    assert all(some <= all_of_them for some, all_of_them in counts)
    assert sum(some for some, _ in counts) < sum(all_of_them for _, all_of_them in counts)


def test_boxes_of_a_file_replace_the_search(images, tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({key: [[10, 20, 80, 60]] for key in READABLE}))
    store = ProposalStore(
        propose(images, tmp_path / "out", ProposalsConfig(engine="imported", file=str(boxes)))
    )
    rects = {store.key(number): store.rects(number).tolist() for number in range(len(store))}
    assert {key: rects[key] for key in READABLE} == {key: [[10, 20, 80, 60]] for key in READABLE}


def test_a_path_is_a_folder_of_images_with_the_default_limits(folder_of_images, tmp_path):
    with refused("proposals.too_many_skipped", skipped=2, images=7, max_skipped=0.01):
        propose(folder_of_images, tmp_path / "out")
    (folder_of_images / "e_empty.jpg").unlink()
    (folder_of_images / "f_cut.jpg").unlink()
    assert len(ProposalStore(propose(str(folder_of_images), tmp_path / "out"))) == len(READABLE)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="absent"):
        propose(ImagesConfig(path=str(tmp_path / "absent")), tmp_path / "out")
