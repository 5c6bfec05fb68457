import json
from types import SimpleNamespace

import pytest
from user_errors import refused

from soco.environment import environment
from soco.io import fingerprint
from soco.jobs import (
    Clock,
    Job,
    Kind,
    declared,
    described,
    job_of,
    read_record,
    script_of,
    stage,
    write_record,
)

# Of `stage` in the scripts; "data" and "evaluate" are parts of the target `finetune`.
STAGES = {
    "data", "shards", "proposals", "quality", "pretrain", "convert", "finetune", "evaluate",
    "probes", "report",
}  # fmt: skip


class Named(list):
    """Paths or values by name, as Snakemake passes them to a script."""

    def __init__(self, **named):
        super().__init__(named.values())
        self._named = named

    def items(self):
        return self._named.items()

    def __getitem__(self, name):
        return self._named[name]


@pytest.fixture
def job(tmp_path):
    """A job with one output of five bytes; a test may change fields."""
    (tmp_path / "out").write_bytes(b"12345")

    def job(**changed):
        fields = {
            "rule": "one",
            "wildcards": {"shard": "0001"},
            "params": {"seed": 4, "sizes": [1, 2]},
            "threads": 2,
            "inputs": {"raw": ["in"]},
            "outputs": {"fixed": [str(tmp_path / "out")]},
        }
        return Job(**fields | changed)

    return job


def test_a_record_says_what_made_which_files(tmp_path, job):
    runs_in = environment()
    kind = Kind("proposals", varying=("fixed",), repeatable=True)
    write_record(tmp_path / "record.json", job(kind=kind), runs_in, Clock())
    record = read_record(tmp_path / "record.json")
    assert (record["rule"], record["seed"], record["threads"]) == ("one", 4, 2)
    assert (record["stage"], record["repeatable"]) == ("proposals", True)
    assert record["outputs"] == [
        {"name": "fixed", "deterministic": False, "has_origin": True}
        | fingerprint(tmp_path / "out")
    ]
    assert record["environment"] == runs_in
    assert 0 <= record["seconds"] < 60 and record["peak_mb"] > 10
    assert record["started"].endswith("+00:00")
    assert described(record, runs_in) == described(job(), runs_in)


def test_the_origin_has_no_time_and_no_machine(job):
    runs_in = environment()
    origin = described(job(), runs_in)
    keys = {"rule", "wildcards", "params_sha256", "seed", "code", "python", "packages"}
    assert origin.keys() == keys
    other = described(job(params={"seed": 4, "sizes": [1, 3]}), runs_in)
    assert other["params_sha256"] != origin["params_sha256"]


@pytest.fixture
def snakemake(tmp_path):
    """What Snakemake passes to a script."""
    return SimpleNamespace(
        rule="two",
        wildcards=Named(task="coco"),
        params=Named(settings={"steps": (1, 2)}),
        input=Named(weights=[], train="train.json"),
        output=Named(weights=str(tmp_path / "w.pth"), origin=str(tmp_path / "o.json")),
        threads=1,
        log=(),
    )


def test_a_job_is_what_snakemake_passes_to_a_script(snakemake, tmp_path):
    assert job_of(snakemake) == Job(
        rule="two",
        wildcards={"task": "coco"},
        params={"settings": {"steps": [1, 2]}},
        threads=1,
        inputs={"weights": [], "train": ["train.json"]},
        outputs={"weights": [str(tmp_path / "w.pth")]},
        lists=("inputs.weights",),
    )


def test_a_stage_yields_the_origin_and_writes_the_record(snakemake, tmp_path):
    with stage(snakemake, "finetune", without_origin=("weights",)) as origin:
        assert origin["rule"] == "two"
        (tmp_path / "w.pth").write_bytes(b"1")
    record = read_record(tmp_path / "o.json")
    assert record["stage"] == "finetune" and not record["outputs"][0]["has_origin"]


def test_every_script_declares_its_jobs(repository):
    for path in sorted((repository / "workflow_scripts").glob("*.py")):
        if "soco.jobs import" not in path.read_text():
            continue
        kind = declared(path.stem)
        assert kind.stage in STAGES, path
        rules = "".join(file.read_text() for file in (repository / "rules").glob("*.smk"))
        for name in (*kind.varying, *kind.without_origin):
            assert f"{name}=" in rules, (path, name)
    assert declared("report") == Kind(
        "report", varying=("html", "json"), without_origin=("html", "json")
    )
    assert declared("no_such_rule") is None and not script_of("no_such_rule").exists()


def test_a_rule_that_is_a_path_declares_nothing(repository, tmp_path):
    script = tmp_path / "other.py"
    script.write_text((repository / "workflow_scripts" / "report.py").read_text())
    assert declared(str(script.with_suffix(""))) is None
    assert declared("../workflow_scripts/report") is None


def test_a_damaged_record_is_refused(tmp_path):
    path = tmp_path / "record.json"
    with refused("io.record_missing", path=path):
        read_record(path)
    path.write_text("{")
    with refused("io.record_not_json", path=path):
        read_record(path)
    path.write_text(json.dumps({"rule": "one"}))
    with refused("io.record_incomplete", path=path) as caught:
        read_record(path)
    assert caught.value.values["missing"].startswith("wildcards, params")
