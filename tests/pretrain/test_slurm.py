import math

import pytest
from user_errors import refused

from soco.config import PretrainConfig
from soco.pretrain import pretrain
from soco.pretrain.launch import torchrun_command
from soco.pretrain.slurm import SlurmJob, current_job
from soco.pretrain.stop import EXIT_CODE, StopSignals, requeue_on_timeout


@pytest.mark.parametrize(
    ("end", "leave_at"), [(60, 54), (3000, 2700), (86400, 86100), (math.inf, math.inf)]
)
def test_training_exits_before_the_job_ends(end, leave_at):
    assert SlurmJob("1", 0, end).leave_at == pytest.approx(leave_at)


def test_the_end_of_the_job_counts_as_a_signal(monkeypatch):
    assert StopSignals(SlurmJob("1", 0, 1000)).asked is not None
    assert StopSignals(SlurmJob("1", 0, math.inf)).asked is None
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert current_job() is None


def test_several_nodes_without_slurm_are_refused(monkeypatch, job_of, tiny_recipe):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with refused("pretrain.nodes_without_slurm", nodes=2):
        pretrain(job_of("spread", tiny_recipe.model_copy(update={"processes": 2, "nodes": 2})))


def test_each_node_has_one_task_with_its_share_of_the_processes(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    recipe = PretrainConfig(processes=16, nodes=2)
    command = torchrun_command(recipe, "job.json", threads=40)
    assert command[:6] == [
        "srun",
        "--nodes=2",
        "--ntasks=2",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        "--cpus-per-task=40",
    ]
    assert {"--nnodes=2", "--nproc-per-node=8", "--rdzv-id=7"} <= set(command)
    assert "srun" not in torchrun_command(PretrainConfig(processes=8), "job.json", threads=40)


def test_processes_that_nodes_cannot_share_evenly_are_refused():
    with pytest.raises(ValueError, match=r"processes is 3.* 2 nodes"):
        PretrainConfig(processes=3, nodes=2)


def test_a_job_of_another_owner_is_not_requeued(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert not SlurmJob("1", 0, 1, comment="my own script").requeue()
    with pytest.raises(SystemExit, match=str(EXIT_CODE)), requeue_on_timeout():
        raise SystemExit(EXIT_CODE)
