import json
import time

import pytest

from soco.data.checks import check_dataset
from soco.data.checks.run_lengths import decode_counts


@pytest.fixture
def rewritten(detection_set):
    """Check the set after the training half's file was changed as a whole.

    Returns that half's findings.
    """

    def checked(change):
        dataset = detection_set.dataset()
        path = detection_set.folder / "train.json"
        data = change(path.read_text())
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return [found for found in check_dataset(dataset).findings if found.half == "train"]

    return checked


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_of_unicode_are_read_and_copied_in_plain(
    detection_set, rewritten, encoding
):
    (found,) = rewritten(lambda text: text.encode(encoding))
    assert found.kind == "mended"
    assert found.sentence.startswith(f"Annotation files in {encoding} and not in plain UTF-8: 1 (")
    dataset, out = detection_set.dataset(), detection_set.folder / "out"
    path = detection_set.folder / "train.json"
    path.write_bytes(path.read_text().encode(encoding))
    check_dataset(dataset).write(out / "train.json", out / "val.json", out / "findings.json")
    with (out / "train.json").open(encoding="ascii") as file:
        assert json.load(file)["images"] == detection_set.contents["train"]["images"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: "", " is empty; write the annotation file anew."),
        (
            lambda text: text[:-50],
            "so that the file seems to be cut off; write the annotation file anew.",
        ),
        (lambda text: text[: text.index("train2")], "so that the file seems to be cut off"),
        (lambda text: text[: text.index('"train2')], "so that the file seems to be cut off"),
        (lambda text: text.replace('"id": 1,', '"id": ,', 1), "Expecting value: line 1 column"),
        (
            lambda text: "[" * 100_000,
            "its lists or objects are nested too deeply; write the annotation file anew.",
        ),
        (
            lambda text: text[:-1] + ', "annotations": []}',
            "has the key `annotations` twice; keep one of the two.",
        ),
        (
            lambda text: text.replace('"id": 1,', '"id": 1, "id": 2,', 1),
            "has the key `id` twice; keep one of the two.",
        ),
        (
            lambda text: text.replace('"id": 1,', f'"id": {"9" * 5000},', 1),
            "a number has thousands of digits; correct",
        ),
        (
            lambda text: text.replace("cup", "b\xe9b\xe9").encode("latin-1"),
            "is no UTF-8; save the file as UTF-8.",
        ),
    ],
)
def test_a_file_that_cannot_be_parsed_is_refused_with_the_reason(
    detection_set, rewritten, change, why
):
    (found,) = rewritten(change)
    assert found.kind == "refused"
    assert found.sentence.startswith(str(detection_set.folder / "train.json"))
    assert why in found.sentence


def test_compressed_run_lengths_without_an_end_take_no_time():
    start = time.process_time()
    assert decode_counts("P" * 10**6) is None
    assert time.process_time() - start < 1
