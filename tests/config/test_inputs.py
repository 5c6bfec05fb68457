import copy
import hashlib

import pytest
import yaml

from soco.config import check_config, load_config
from soco.config.inputs import Input, faults_of, inputs_of
from soco.config.known import KNOWN, KnownPath
from soco.errors import UserError


@pytest.fixture(scope="module")
def paper(repository):
    return load_config(repository / "config.yaml", repository / "recipes/paper.yaml")


def known_of(**counts):
    return KnownPath(
        title="the nine apples", source="https://apples.example/nine.zip", size="9 images", **counts
    )


def input_of(path, known):
    return Input(str(path), "images.path", known, "images.known_as")


def test_what_is_missing_is_told_with_its_name_source_and_size(tmp_path):
    assert (
        input_of(tmp_path / "apples", known_of()).fault()
        == f"There is no {tmp_path}/apples, which the key images.path names: the nine apples, 9"
        " images, from https://apples.example/nine.zip; put it there, or change the key."
    )
    assert (
        input_of(tmp_path / "own", None).fault()
        == f"There is no {tmp_path}/own, which the key images.path names; put it there, or change"
        " the key."
    )


def test_folders_and_their_files_are_counted(tmp_path):
    for name in ("train/a.jpg", "train/b.jpg", "val/c.jpg", ".hidden/d.jpg", "train/.e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sound = known_of(folders=2, entries={"train": 2, "val": 1})
    assert input_of(tmp_path, sound).fault() is None
    assert (
        "holds 2 folder(s) and not 3, unlike the nine apples from"
        in input_of(tmp_path, known_of(folders=3)).fault()
    )
    told = input_of(tmp_path, known_of(entries={"train": 2, "test": 4})).fault()
    assert "holds 0 file(s) in test and not 4" in told
    assert told.endswith("fetch or unpack it again, or set images.known_as to null.")
    assert input_of(tmp_path / "train", known_of(entries={".": 2})).fault() is None
    assert "is a folder and not a file" in input_of(tmp_path, known_of(bytes=5)).fault()


def test_a_file_is_measured_and_hashed(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"apple")
    digest = hashlib.sha256(b"apple").hexdigest()
    assert input_of(path, known_of(bytes=5, sha256=digest[:8])).fault() is None
    assert "has 5 bytes and not 6" in input_of(path, known_of(bytes=6, sha256=digest[:8])).fault()
    assert (
        f"has the SHA-256 {digest[:8]}"
        in input_of(path, known_of(bytes=5, sha256="0676ba61")).fault()
    )
    assert "is a file and not a folder" in input_of(path, known_of(entries={".": 5})).fault()


def test_images_in_a_layout_that_cannot_be_counted_at_a_glance_are_left_to_the_listing(
    paper, tmp_path
):
    settings = paper.images.model_copy(update={"path": str(tmp_path), "layout": "webdataset"})
    of_images, *_ = inputs_of(paper.model_copy(update={"images": settings}))
    assert of_images.fault() is None
    of_images, *_ = inputs_of(
        paper.model_copy(update={"images": settings.model_copy(update={"layout": "folder"})})
    )
    assert "holds 0 folder(s) and not 1,000" in of_images.fault()


def test_all_that_is_wrong_is_told_at_once_and_each_path_once(tmp_path):
    (tmp_path / "there").touch()
    paths = ("first", "there", "made", "second", "second")
    inputs = [Input(str(tmp_path / path), f"key_{number}") for number, path in enumerate(paths)]
    told = faults_of(inputs, inputs[3], lambda path: path.endswith("made")).split("\n")
    assert [line.split(",")[0] for line in told] == [
        f"There is no {tmp_path}/second",
        "Of what else the configuration names",
        f"There is no {tmp_path}/first",
    ]
    assert faults_of(inputs[1:], inputs[3], lambda path: path.endswith("made")).count("\n") == 0


def test_every_path_of_the_paper_is_known(paper):
    inputs = inputs_of(paper)
    assert [it.key for it in inputs if it.known is None] == []
    assert {it.key.split(".")[0] for it in inputs} == {"images", "weights", "datasets"}
    assert len(inputs) == 10
    for it in inputs:
        assert (
            it.known_key
            == f"{it.key.split('.path')[0].split('.train')[0].split('.val')[0]}.known_as"
        )


def test_sets_that_nothing_uses_are_not_looked_at(repository):
    demo = load_config(repository / "config.yaml")
    unused = demo.model_copy(
        update={
            "finetune": {},
            "probes": {},
            "quality": demo.quality.model_copy(update={"recall": ()}),
        }
    )
    assert [it.key for it in inputs_of(unused)] == ["images.path"]


@pytest.mark.parametrize(
    ("place", "known"),
    [
        (("images",), "imagenet_1k"),
        (("datasets", "shapes_coco"), "coco_2017, lvis_v1"),
        (("weights", "supervised"), "torchvision_resnet50_v1"),
    ],
)
def test_a_set_that_is_not_known_is_refused_with_the_known_ones(repository, place, known):
    raw = copy.deepcopy(yaml.safe_load((repository / "config.yaml").read_text()))
    raw["weights"] = {"supervised": {"path": "resnet50.pth"}}
    section = raw
    for part in place:
        section = section[part]
    section["known_as"] = "imagnet"
    with pytest.raises(
        UserError,
        match=rf"known_as names 'imagnet', and of {place[0]} are known: {known}; or set it",
    ):
        check_config(raw)


def test_what_is_known_in_words_agrees_with_what_is_compared():
    for known in KNOWN.images.values():
        assert f"{known.images:,} images in {known.path.folders:,} folders" in known.path.size
        assert f"{known.path.bytes:,} bytes" in known.path.size
    for known in KNOWN.datasets.values():
        for half in (known.train, known.val):
            counts = half.counts
            told = (
                f"{counts.images:,} images, {counts.objects:,} objects of {counts.categories:,}"
                " categories"
            )
            assert half.annotations.size == told
            assert all(f"{count:,}" in half.images.size for count in half.images.entries.values())
    for path in KNOWN.weights.values():
        assert path.size == f"{path.bytes:,} bytes"
        assert path.sha256 in path.source
