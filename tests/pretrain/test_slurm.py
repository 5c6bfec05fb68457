import math

import pytest

from soco.config import PretrainConfig
from soco.errors import UserError
from soco.pretrain import pretrain
from soco.pretrain.nodes import torchrun_command
from soco.pretrain.requeue import requeue_on_timeout
from soco.pretrain.slurm import SlurmJob, current_job
from soco.pretrain.stop import EXIT_CODE, StopSignals


@pytest.mark.parametrize(
    ("end", "leave_at"), [(60, 54), (3000, 2700), (86400, 86100), (math.inf, math.inf)]
)
def test_a_job_is_left_before_its_end(end, leave_at):
    assert SlurmJob("1", 0, end).leave_at == pytest.approx(leave_at)


def test_the_end_of_the_job_is_as_good_as_a_signal(monkeypatch):
    assert StopSignals(SlurmJob("1", 0, 1000)).asked is not None
    assert StopSignals(SlurmJob("1", 0, math.inf)).asked is None
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert current_job() is None


def test_several_nodes_without_slurm_are_told_in_a_sentence(monkeypatch, job_of, tiny_recipe):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(
        UserError,
        match=r"^nodes is 2 and this is no Slurm job: start it with .*, or set nodes to 1, and",
    ):
        pretrain(job_of("spread", tiny_recipe.model_copy(update={"processes": 2, "nodes": 2})))


def test_a_task_on_each_node_has_its_share_of_the_processes(monkeypatch):
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


def test_processes_that_nodes_do_not_share_evenly_are_refused():
    with pytest.raises(ValueError, match="3 processes do not divide evenly over 2 nodes"):
        PretrainConfig(processes=3, nodes=2)


def test_a_job_of_somebody_elses_is_not_queued_again(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert not SlurmJob("1", 0, 1, comment="my own script").starts_again()
    with pytest.raises(SystemExit, match=str(EXIT_CODE)), requeue_on_timeout():
        raise SystemExit(EXIT_CODE)
