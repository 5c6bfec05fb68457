import json

import pytest
from user_errors import refused

from soco.report.reading import iterate_list, plain, read_json, read_lines, read_object


def test_plain_is_what_json_can_represent(tmp_path):
    value = {1: (1.5, float("nan")), "p": tmp_path, "deep": [{"x": float("inf")}]}
    assert plain(value) == {"1": [1.5, None], "p": str(tmp_path), "deep": [{"x": None}]}


@pytest.mark.parametrize(
    "text", ["[]", " [ ]\n", '[{"a": 1}, {"a": [1, 2]},\n {"b": "]"}]', '[{"a": 1}]']
)
def test_a_list_is_read_object_by_object(tmp_path, text):
    (tmp_path / "list.json").write_text(text)
    assert list(iterate_list(tmp_path / "list.json")) == json.loads(text)


def test_a_list_cut_short_is_refused(tmp_path):
    (tmp_path / "list.json").write_text('[{"a": 1}, {"a"')
    with refused("report.invalid_detections", path=tmp_path / "list.json"):
        list(iterate_list(tmp_path / "list.json"))


def test_faults_name_file_and_line(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n\n{"step"\n{}\n')
    with refused("report.invalid_line", number=3):
        read_lines(tmp_path / "log.jsonl")
    with refused("report.invalid_json", path=tmp_path / "log.jsonl"):
        read_json(tmp_path / "log.jsonl")
    (tmp_path / "object.json").write_text('{"box": {}}')
    with refused("report.missing_keys", keys="mask"):
        read_object(tmp_path / "object.json", "box", "mask")
