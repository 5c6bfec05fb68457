import json
import time

import pytest

from soco.data.checks import check_dataset
from soco.data.checks.run_lengths import decode_counts


@pytest.fixture
def rewritten(detection_set):
    """Change the training split's file as a whole, and return that split's findings."""

    def checked(change):
        dataset = detection_set.dataset()
        path = detection_set.folder / "train.json"
        data = change(path.read_text())
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return [finding for finding in check_dataset(dataset).findings if finding.split == "train"]

    return checked


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_of_unicode_are_read_and_copied_in_plain(
    detection_set, rewritten, encoding
):
    (finding,) = rewritten(lambda text: text.encode(encoding))
    assert (finding.kind, finding.code) == ("repaired", "file.encoding")
    assert encoding in finding.sentence
    dataset, out = detection_set.dataset(), detection_set.folder / "out"
    path = detection_set.folder / "train.json"
    path.write_bytes(path.read_text().encode(encoding))
    check_dataset(dataset).write(out / "train.json", out / "val.json", out / "findings.json")
    with (out / "train.json").open(encoding="ascii") as file:
        assert json.load(file)["images"] == detection_set.contents["train"]["images"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text[:-50], "cut off"),
        (lambda text: text[: text.index("train2")], "cut off"),
        (lambda text: text[: text.index('"train2')], "cut off"),
        (lambda text: text.replace('"id": 1,', '"id": ,', 1), "Expecting value: line 1 column"),
        (lambda text: "[" * 100_000, "nested too deeply"),
        (lambda text: text[:-1] + ', "annotations": []}', "the key `annotations` twice"),
        (lambda text: text.replace('"id": 1,', '"id": 1, "id": 2,', 1), "the key `id` twice"),
        (lambda text: text.replace('"id": 1,', f'"id": {"9" * 5000},', 1), "thousands of digits"),
        (lambda text: text.replace("cup", "b\xe9b\xe9").encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_refused_with_the_reason(
    detection_set, rewritten, change, why
):
    (finding,) = rewritten(change)
    assert (finding.kind, finding.code) == ("refused", "checks.not_json")
    assert finding.sentence.startswith(str(detection_set.folder / "train.json"))
    assert why in finding.sentence


def test_an_empty_file_is_refused(rewritten):
    (finding,) = rewritten(lambda text: "")
    assert (finding.kind, finding.code) == ("refused", "checks.empty_file")


def test_one_broken_file_does_not_stop_the_check_of_the_other(detection_set):
    detection_set.contents["val"]["annotations"][2]["area"] = None
    dataset = detection_set.dataset()
    (detection_set.folder / "train.json").write_text("{")
    findings = check_dataset(dataset).findings
    assert [(it.split, it.code) for it in findings] == [
        ("train", "checks.not_json"),
        ("val", "area.none"),
    ]


def test_compressed_run_lengths_without_an_end_take_no_time():
    start = time.process_time()
    assert decode_counts("P" * 10**6) is None
    assert time.process_time() - start < 1
