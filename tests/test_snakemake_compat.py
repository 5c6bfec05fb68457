"""Each use of Snakemake beyond its documented interface; a test fails when Snakemake changes it."""

import json
from pathlib import Path

import pytest

from soco.snakemake_compat import lay_over

HEAD = """
import json
from pathlib import Path
from soco import snakemake_compat as compat

def note(name, value):
    with open(name, "a") as file:
        print(json.dumps(value), file=file)
"""


@pytest.fixture
def run(snakemake, tmp_path):
    """Run a Snakefile in a folder; return a reader of what it noted, one line of JSON each."""

    def run(snakefile, *arguments):
        (tmp_path / "Snakefile").write_text(HEAD + snakefile)
        code, printed = snakemake([*arguments, "--cores", "2"], tmp_path)
        assert code == 0, printed

        def noted(name):
            return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

        noted.printed = printed
        return noted

    return run


@pytest.mark.parametrize(
    ("config", "overlay", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_a_mapping_is_laid_over_another_key_by_key(config, overlay, expected):
    lay_over(config, overlay)
    assert config == expected


def test_a_mapping_laid_over_nothing_is_a_copy():
    overlay, config = {"a": {"b": 1}}, {}
    lay_over(config, overlay)
    config["a"]["b"] = 2
    assert overlay == {"a": {"b": 1}}


def test_the_given_files_and_entries_are_known_when_a_snakefile_begins(run, tmp_path):
    """Each file overrides those before it, and the entries override all files."""
    snakefile = """
files = [str(path) for path in compat.given_files(workflow)]
note("given", [files, compat.given_entries(workflow), config])
rule all:
"""
    (tmp_path / "a.yaml").write_text("x: {y: 1, z: 2}\nseed: 1\n")
    (tmp_path / "b.yaml").write_text("x: {y: 3}\n")
    given = run(snakefile, "-n", "--configfile", "a.yaml", "b.yaml", "--config", "seed=5")("given")
    files, entries, config = given[-1]
    assert [file.rpartition("/")[2] for file in files] == ["a.yaml", "b.yaml"]
    assert (entries, config) == (["seed=5"], {"x": {"y": 3, "z": 2}, "seed": 5})
    assert run(snakefile, "-n")("given")[-1] == [[], [], {}]


def test_the_process_of_a_job_is_recognised(run):
    noted = run(
        """
note("processes", compat.is_job_process(workflow))
rule all:
    output: "made"
    run: open(output[0], "w").close()
"""
    )("processes")
    assert noted[0] is False
    assert noted[1:] and all(noted[1:])


def test_jobs_share_one_gpu_or_the_cores_of_max_threads(run):
    snakefile = """
compat.share_resources(workflow)
shared = workflow.global_resources
note("shared", [shared[name].value if name in shared else None for name in ("_cores", "gpu")])
rule all:
"""
    has_gpu = any(Path("/dev").glob("nvidia[0-9]*"))
    assert run(snakefile, "-n")("shared")[-1][1] == (1 if has_gpu else 10_000)
    assert run(snakefile, "-n", "--resources", "gpu=4")("shared")[-1][1] == 4
    assert run(snakefile, "-n", "--max-threads", "7")("shared")[-1][0] == 7


def test_neighbouring_jobs_share_a_group(run):
    """As Slurm gets them: five jobs in blocks of two are three groups."""
    noted = run(
        """
rule all:
    input: expand("{number}.made", number=range(5))

def block(wildcards):
    group = compat.block_group(workflow, "parts", int(wildcards.number))
    note("groups", [int(wildcards.number), group])
    return group

rule part:
    output: "{number}.made"
    group: block
    shell: "touch {output}"
""",
        *("-n", "all", "--executor", "slurm", "--jobs", "9", "--group-components", "parts=2"),
    )
    assert dict(noted("groups")) == {n: f"parts_{n // 2}" for n in range(5)}
    assert noted.printed.count("Group job ") == 3


def test_a_checkpoint_is_awaited_and_asked_once_for_each_state(run):
    noted = run(
        """
class Counted:
    created_output = property(lambda self: checkpoints.created_output)

    @property
    def listing(self):
        note("asked", len(checkpoints.created_output))
        return checkpoints.listing

WAIT = compat.CheckpointWait(Counted(), "listing")

def listed(wildcards):
    note("called", len(checkpoints.created_output))
    WAIT()
    return "list"

rule all:
    input: expand("{name}.copy", name="abc")
checkpoint listing:
    output: "list"
    shell: "echo abc > {output}"
rule copy:
    input: listed
    output: "{name}.copy"
    shell: "cp {input} {output}"
""",
        "all",
    )
    asked = noted("asked")
    assert (asked[0], max(asked)) == (0, 1), "before the checkpoint has run, and after"
    assert len(asked) < len(noted("called"))
