"""The whole line through Slurm, as it is typed."""

import pytest

pytestmark = pytest.mark.slurm


def test_the_whole_line_through_slurm_gives_what_a_local_run_gives(cluster, clone, local, slurm, same_weights):
    clone.pretraining["nodes"] = 2
    seconds = clone("all", *slurm)
    jobs = [line.split("|") for line in cluster("squeue", "-h", "-t", "all", "-o", "%k|%N|%T|%D").splitlines()]
    print(f"\n{len(jobs)} jobs, {seconds:.0f} s; on this machine alone {local.seconds:.0f} s")
    nodes = {
        name: [job[1] for job in jobs if name in job[0]] for name in ("shards", "finetune", "evaluate", "pretrain")
    }
    assert {state for *_, state, _ in jobs} == {"COMPLETED"}
    assert sorted(nodes["shards"]) == ["n1", "n2"]
    assert nodes["finetune"] == nodes["evaluate"] == ["n1"], "where the GPUs are"
    assert nodes["pretrain"] == ["n[1-2]"]
    assert same_weights(clone, local)
    ours, theirs = (of.files("proposals", "datasets", "convert", "evaluate", "quality") for of in (clone, local))
    assert len(ours) > 15
    assert [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)] == []
