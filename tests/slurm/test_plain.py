"""The whole workflow through Slurm, and a pretraining on two nodes."""

import json

import pytest

pytestmark = pytest.mark.slurm


def jobs_of(cluster, clone):
    """Comment, nodes and state of each job that a clone submitted."""
    lines = cluster("squeue", "-h", "-t", "all", "-o", "%k|%N|%T|%Z").splitlines()
    return [job[:3] for line in lines if (job := line.split("|"))[3] == str(clone.folder)]


def test_the_whole_workflow_through_slurm_gives_the_results_of_a_local_run(
    cluster, clone, local, slurm
):
    seconds = clone("all", *slurm)
    jobs = jobs_of(cluster, clone)
    print(f"\n{len(jobs)} jobs, {seconds:.0f} s; on this machine alone {local.seconds:.0f} s")
    assert {state for *_, state in jobs} == {"COMPLETED"}
    assert sorted(node for comment, node, _ in jobs if "shards_" in comment) == ["n1", "n2"]
    trained = [
        node
        for comment, node, _ in jobs
        if "rule_pretrain" in comment or "rule_finetune" in comment
    ]
    assert trained == ["n1", "n1"], "n1 has the GPUs"
    ours, theirs = (
        of.files("proposals", "datasets", "convert", "evaluate", "quality") for of in (clone, local)
    )
    assert len(ours) > 15
    assert [
        name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
    ] == []
    assert clone.weights() == local.weights()


def test_a_pretraining_runs_on_two_nodes(cluster, searched, local, slurm):
    searched.pretraining |= {"processes": 2, "nodes": 2}
    searched("pretrain", *slurm, "--set-resources", "pretrain_model:gpu=0")
    assert [job[1:] for job in jobs_of(cluster, searched)] == [["n[1-2]", "COMPLETED"]]
    assert json.loads(searched.path("pretrain/soco/metrics.json").read_text())["processes"] == 2
    # Sums over two processes round differently.
    assert searched.losses() == pytest.approx(local.losses(), abs=1e-3)
