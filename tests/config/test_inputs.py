import hashlib

import pytest

from soco.config import check_config, load_config
from soco.config.inputs import Input, faults_of, inputs_of
from soco.config.known import KNOWN, KnownPath


@pytest.fixture(scope="module")
def paper(repository):
    return load_config(repository / "recipes/paper.yaml")


def known_of(**counts):
    return KnownPath(
        title="the nine apples", source="https://apples.example/nine.zip", size="9 images", **counts
    )


def input_of(path, known):
    return Input(str(path), "images.path", known, "images.known_as")


def test_a_missing_file_is_reported_with_its_title_source_and_size(tmp_path):
    fault = input_of(tmp_path / "apples", known_of()).fault()
    assert fault.startswith(f"There is no {tmp_path}/apples (key images.path): ")
    assert "the nine apples, 9 images, from https://apples.example/nine.zip;" in fault
    fault = input_of(tmp_path / "own", None).fault()
    assert fault.startswith(f"There is no {tmp_path}/own (key images.path);")


def test_folders_and_their_files_are_counted(tmp_path):
    for name in ("train/a.jpg", "train/b.jpg", "val/c.jpg", ".hidden/d.jpg", "train/.e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert input_of(tmp_path, known_of(folders=2, entries={"train": 2, "val": 1})).fault() is None
    fault = input_of(tmp_path, known_of(folders=3)).fault()
    assert "has 2 folder(s), not 3, unlike the nine apples from" in fault
    fault = input_of(tmp_path, known_of(entries={"train": 2, "test": 4})).fault()
    assert "has 0 file(s) in test, not 4" in fault
    assert fault.endswith("set images.known_as to null.")
    assert input_of(tmp_path / "train", known_of(entries={".": 2})).fault() is None
    assert "is a folder, not a file" in input_of(tmp_path, known_of(bytes=5)).fault()


def test_a_file_is_measured_and_hashed(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"apple")
    digest = hashlib.sha256(b"apple").hexdigest()
    assert input_of(path, known_of(bytes=5, sha256=digest[:8])).fault() is None
    assert "has 5 bytes, not 6" in input_of(path, known_of(bytes=6, sha256=digest[:8])).fault()
    fault = input_of(path, known_of(bytes=5, sha256="0676ba61")).fault()
    assert f"has the SHA-256 {digest[:8]}" in fault
    assert "is a file, not a folder" in input_of(path, known_of(entries={".": 5})).fault()


def test_images_in_a_layout_that_is_not_quickly_counted_wait_for_the_listing(paper, tmp_path):
    def fault_of(layout):
        images = paper.images.model_copy(update={"path": str(tmp_path), "layout": layout})
        of_images, *_ = inputs_of(paper.model_copy(update={"images": images}))
        return of_images.fault()

    assert fault_of("webdataset") is None
    assert "has 0 folder(s), not 1,000" in fault_of("folder")


def test_all_faults_are_reported_at_once_and_each_path_once(tmp_path):
    (tmp_path / "there").touch()
    paths = ("first", "there", "made", "second", "second")
    inputs = [Input(str(tmp_path / path), f"key_{number}") for number, path in enumerate(paths)]
    lines = faults_of(inputs, inputs[3], lambda path: path.endswith("made")).split("\n")
    assert [line.split(" (")[0] for line in lines] == [
        f"There is no {tmp_path}/second",
        "Other problems in the configuration:",
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


def test_sets_that_nothing_uses_are_not_checked(repository):
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
def test_an_unknown_set_is_refused_and_the_known_ones_named(demo, config_refused, place, known):
    demo["weights"] = {"supervised": {"path": "resnet50.pth"}}
    section = demo
    for part in place:
        section = section[part]
    section["known_as"] = "imagnet"
    with config_refused("unknown_known_as", ".".join((*place, "known_as")), known):
        check_config(demo)


def test_known_sizes_in_words_agree_with_the_counts():
    for known in KNOWN.images.values():
        assert f"{known.images:,} images in {known.path.folders:,} folders" in known.path.size
        assert f"{known.path.bytes:,} bytes" in known.path.size
    for known in KNOWN.datasets.values():
        for split in (known.train, known.val):
            counts = split.counts
            assert split.annotations.size == (
                f"{counts.images:,} images, {counts.objects:,} objects of {counts.categories:,}"
                " categories"
            )
            assert all(f"{count:,}" in split.images.size for count in split.images.entries.values())
    for path in KNOWN.weights.values():
        assert path.size == f"{path.bytes:,} bytes"
        assert path.sha256 in path.source
