import json
from types import SimpleNamespace

import pytest

from soco.environment import environment
from soco.errors import UserError
from soco.jobs import Clock, Job, described, job_of, read_record, write_record


class Named(list):
    """Paths or values by name, as Snakemake hands them to a script."""

    def __init__(self, **named):
        super().__init__(named.values())
        self._named = named

    def items(self):
        return self._named.items()


def job(tmp_path, **changed):
    (tmp_path / "out").write_bytes(b"12345")
    values = {
        "rule": "one",
        "wildcards": {"shard": "0001"},
        "params": {"seed": 4, "sizes": [1, 2]},
        "threads": 2,
    }
    return Job(
        **{**values, "inputs": {"raw": ["in"]}, "outputs": {"fixed": [str(tmp_path / "out")]}}
        | changed
    )


def test_a_record_tells_what_made_what(tmp_path):
    runs_in = environment()
    write_record(tmp_path / "record.json", job(tmp_path), runs_in, Clock())
    record = read_record(tmp_path / "record.json")
    assert (record["rule"], record["seed"], record["threads"]) == ("one", 4, 2)
    assert record["outputs"][0]["name"] == "fixed" and record["outputs"][0]["bytes"] == 5
    assert record["environment"] == runs_in
    assert (
        0 <= record["seconds"] < 60
        and record["peak_mb"] > 10
        and record["started"].endswith("+00:00")
    )
    assert described(record, runs_in) == described(job(tmp_path), runs_in)


def test_the_origin_inside_tells_of_no_time_and_no_machine(tmp_path):
    runs_in = environment()
    told = described(job(tmp_path), runs_in)
    assert told.keys() == {
        "rule",
        "wildcards",
        "params_sha256",
        "seed",
        "code",
        "python",
        "packages",
    }
    other = described(job(tmp_path, params={"seed": 4, "sizes": [1, 3]}), runs_in)
    assert other["params_sha256"] != told["params_sha256"]


def test_a_job_is_what_snakemake_hands_over(tmp_path):
    snakemake = SimpleNamespace(
        rule="two",
        wildcards=Named(task="coco"),
        params=Named(settings={"steps": (1, 2)}),
        input=Named(weights=[], train="train.json"),
        output=Named(weights="w.pth", origin="o.json"),
        threads=1,
    )
    assert job_of(snakemake) == Job(
        "two", {"task": "coco"}, {"settings": {"steps": [1, 2]}}, 1, {"weights": [], "train": ["train.json"]},
        {"weights": ["w.pth"]},
    )  # fmt: skip


def test_a_record_that_is_damaged_is_named(tmp_path):
    path = tmp_path / "record.json"
    with pytest.raises(UserError, match=r"There is no .*record\.json"):
        read_record(path)
    path.write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        read_record(path)
    path.write_text(json.dumps({"rule": "one"}))
    with pytest.raises(UserError, match="lacks wildcards, params"):
        read_record(path)
