import json

import pytest

from soco.errors import UserError
from soco.report import reading
from soco.report.reading import iterate_list, plain, read_json, read_lines, read_object


def test_plain_holds_what_json_can(tmp_path):
    value = {1: (1.5, float("nan")), "p": tmp_path, "deep": [{"x": float("inf")}]}
    assert plain(value) == {"1": [1.5, None], "p": str(tmp_path), "deep": [{"x": None}]}


@pytest.mark.parametrize(
    "text", ["[]", " [ ]\n", '[{"a": 1}, {"a": [1, 2]},\n {"b": "]"}]', '[{"a": 1}]']
)
@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_a_list_is_read_object_by_object(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(reading, "_CHUNK", chunk)
    (tmp_path / "list.json").write_text(text)
    assert list(iterate_list(tmp_path / "list.json")) == json.loads(text)


def test_a_list_cut_short_is_refused(tmp_path):
    (tmp_path / "list.json").write_text('[{"a": 1}, {"a"')
    with pytest.raises(UserError, match="ends early"):
        list(iterate_list(tmp_path / "list.json"))


def test_faults_name_file_and_line(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n\n{"step"\n{}\n')
    with pytest.raises(UserError, match="Line 3 of"):
        read_lines(tmp_path / "log.jsonl")
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(tmp_path / "log.jsonl")
    (tmp_path / "object.json").write_text('{"box": {}}')
    with pytest.raises(UserError, match="lacks mask"):
        read_object(tmp_path / "object.json", "box", "mask")
