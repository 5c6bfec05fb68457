import contextlib
import io
import json
import re
import runpy

import numpy as np
import pycocotools.mask as mask_tools
import pytest
import yaml
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from user_errors import refused

from soco.cli import main
from soco.config import DatasetConfig
from soco.config.known import KNOWN, KnownCounts
from soco.data.checks import check_dataset, with_annotations
from soco.data.checks.masks import mask_area, read_mask
from soco.data.checks.run_lengths import bounds, covered, run_lengths
from soco.data.checks.sentences import SENTENCES


def coins_config(folder):
    splits = {
        name: {"images": str(folder / name), "annotations": str(folder / f"{name}.json")}
        for name in ("train", "val")
    }
    return {"images": {"path": str(folder / "images")}, "datasets": {"own": splits}}


@pytest.fixture(scope="module")
def coins(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coins")
    runpy.run_path(str(repository / "tests/data/checks/make_coins.py"))["make_coins"](folder)
    return folder


def test_every_code_has_a_sentence_and_every_sentence_is_used(repository):
    files = [*(repository / "soco/data/checks").glob("*.py")]
    text = "\n".join(path.read_text() for path in files if path.name != "sentences.py")
    packages = "|".join({code.split(".")[0] for code in SENTENCES})
    used = set(re.findall(rf'"((?:{packages})\.\w+)"', text))
    assert used - {"file.other_counts"} == set(SENTENCES)  # that one is composed


def test_a_sound_file_is_copied_byte_for_byte_and_no_file_of_the_user_changes(coins, tmp_path):
    before = {path: path.read_bytes() for path in coins.rglob("*.*")}
    checked = check_dataset(DatasetConfig.model_validate(coins_config(coins)["datasets"]["own"]))
    checked.write(tmp_path / "train.json", tmp_path / "val.json", tmp_path / "findings.json")
    for split in ("train", "val"):
        assert (tmp_path / f"{split}.json").read_bytes() == (coins / f"{split}.json").read_bytes()
    report = json.loads((tmp_path / "findings.json").read_text())
    assert report["splits"]["train"]["objects"] == 140
    assert {finding["kind"] for finding in report["findings"]} == {"noted"}
    assert {path: path.read_bytes() for path in coins.rglob("*.*")} == before


def test_a_repaired_file_is_a_copy_and_is_found_sound(detection_set, third):
    third |= {"bbox": [-9, 5, 21, 10], "area": None, "id": 0}
    del third["iscrowd"]
    dataset = detection_set.dataset()
    given = (detection_set.folder / "train.json").read_bytes()
    _, val, report = detection_set.write()
    assert report["splits"]["train"]["repaired"]
    assert not report["splits"]["val"]["repaired"]
    assert val == detection_set.contents["val"]
    assert (detection_set.folder / "train.json").read_bytes() == given
    out = detection_set.folder / "out"
    again = check_dataset(with_annotations(dataset, out / "val.json", out / "train.json"))
    assert [(it.kind, it.code) for it in again.findings] == [("noted", "box.unlike_mask")]


def test_a_repaired_file_and_the_findings_contain_their_origin(detection_set, third, tmp_path):
    third["area"] = None
    paths = [tmp_path / "out" / name for name in ("train.json", "val.json", "findings.json")]
    detection_set.check().write(*paths, origin={"rule": "check_dataset"})
    written = [json.loads(path.read_text()).get("origin") for path in paths]
    assert written == [{"rule": "check_dataset"}, None, {"rule": "check_dataset"}]


def test_a_refused_set_is_not_written(detection_set, train):
    train["categories"][0]["id"] = "cup"
    with refused("checks.refused") as caught:
        detection_set.write()
    assert "1 ('cup')" in caught.value.values["reasons"]
    assert not (detection_set.folder / "out").exists()


@pytest.fixture
def published(detection_set, monkeypatch):
    """Check the set as a published one with these counts of images, objects and categories."""

    def check(*counts):
        known = KNOWN.datasets["coco_2017"]
        counts = KnownCounts(**dict(zip(KnownCounts.model_fields, counts, strict=True)))
        splits = {
            split: getattr(known, split).model_copy(update={"counts": counts})
            for split in ("train", "val")
        }
        monkeypatch.setitem(KNOWN.datasets, "coco_2017", known.model_copy(update=splits))
        dataset = detection_set.dataset().model_copy(update={"known_as": "coco_2017"})
        return [(it.split, it.code, it.count) for it in check_dataset(dataset).refused]

    return check


def test_a_set_with_other_counts_than_the_published_one_is_refused(detection_set, published):
    assert published(118_287, 860_001, 80) == [
        ("train", "file.other_counts", 3),
        ("val", "file.other_counts", 3),
    ]
    assert not detection_set.check().refused  # `known_as` is not set


def test_a_set_with_the_published_counts_passes(detection_set, published):
    assert published(12, 12, 2) == []
    del detection_set.contents["val"]["annotations"][0]
    assert published(12, 12, 2) == [("val", "file.other_counts", 1)]


def average_precision(path):
    """Box AP of detections that are the annotations themselves."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        detections = truth.loadRes(
            [
                {key: entry[key] for key in ("image_id", "category_id", "bbox")} | {"score": 1.0}
                for entry in truth.dataset["annotations"]
            ]
        )
        scored = COCOeval(truth, detections, "bbox")
        scored.evaluate()
        scored.accumulate()
        scored.summarize()
    return scored.stats[0]


def test_an_object_with_the_id_0_counts_as_missed_until_it_is_repaired(detection_set, train):
    train["annotations"][2]["id"] = 0
    detection_set.write()
    assert average_precision(detection_set.folder / "train.json") < 0.95
    assert average_precision(detection_set.folder / "out" / "train.json") == 1.0


def test_run_lengths_are_read_as_pycocotools_reads_them():
    random = np.random.default_rng(0)
    for width, height in [(40, 30), (7, 300), (1, 5), (65, 64)] * 10:
        mask = np.asfortranarray(random.random((height, width)) < random.random(), np.uint8)
        mask[: random.integers(0, height), :] = 0
        if not mask.any():
            continue
        packed = mask_tools.encode(mask)
        packed["counts"] = packed["counts"].decode()
        counts = run_lengths(packed, width, height)
        assert covered(counts) == mask.sum() == mask_area(packed, width, height)
        x, y, w, h = mask_tools.toBbox(packed)
        assert (
            bounds(counts, height) == (x, y, x + w, y + h) == read_mask(packed, width, height).box
        )
        plain = {"size": [height, width], "counts": counts.tolist()}
        assert mask_tools.frPyObjects(plain, height, width)["counts"].decode() == packed["counts"]
        assert (run_lengths(plain, width, height) == counts).all()
        assert run_lengths(packed, height + 1, width) is None


def test_the_command_prints_what_it_finds(coins, tmp_path, repository, capsys):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(coins_config(coins)))
    configs = [
        str(repository / "recipes/own_data.yaml"),
        str(tmp_path / "mine.yaml"),
    ]
    assert main(["check-data", *configs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("train.json): 30 images, 140 objects, 2 categories.")
    assert lines[-1] == "own can be used: 0 refused, 0 repaired, 2 noted; 2 classes."


def test_the_command_ends_with_1_where_a_set_is_refused(detection_set, train, capsys):
    train["categories"][0]["id"] = "cup"
    dataset = detection_set.dataset().model_dump(mode="json")
    path = detection_set.folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"images": {"path": "x"}, "datasets": {"own": dataset}}))
    assert main(["check-data", str(path)]) == 1
    printed = capsys.readouterr()
    assert "own cannot be used: 1 refused" in printed.out
    assert "own" in printed.err


def test_a_configuration_without_a_set_is_refused(tmp_path, capsys):
    (tmp_path / "bare.yaml").write_text("images: {path: x}\n")
    assert main(["check-data", str(tmp_path / "bare.yaml")]) == 1
    assert "no detection set" in capsys.readouterr().err
