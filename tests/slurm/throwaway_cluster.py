"""A Slurm cluster of two pretended nodes on this machine, thrown away after use. It needs root, and
Debian's packages:

apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo")
# The node daemons start each job with a search path that may lack these folders.
SBIN = ("/usr/sbin", "/sbin")

# Both nodes are this machine under other ports. Jobs are spread (LLN), so that both are used.
# Memory is watched by sampling, since cgroups need a system of their own. A requeued job may start
# after cred_expire seconds.
CONF = """\
ClusterName=throwaway
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=3,sched_interval=3,batch_sched_delay=0
ReturnToService=2
MinJobAge=86400
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
KillWait=5
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=8 RealMemory=64000 Gres=gpu:2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=8 RealMemory=64000
PartitionName=main Nodes=n1,n2 Default=YES LLN=YES MaxTime=2-0 State=UP
"""
GPUS = """\
AutoDetect=off
NodeName=n1 Name=gpu File=/dev/null,/dev/zero Flags=nvidia_gpu_env
"""


def why_not() -> str | None:
    """Why no cluster can be started here, in a sentence; None when one can."""
    if os.geteuid():
        return "A Slurm cluster of one's own is started by root."
    missing = [name for name in PROGRAMS if not _path_of(name)]
    if missing:
        return (
            f"{', '.join(missing)} are not installed: apt-get install slurmctld slurmd slurm-client"
            " munge."
        )
    return None


class Cluster:
    """Two nodes, n1 with two pretended GPUs and n2 without; all its files lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder, None

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's commands speak to this cluster."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")},
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Start the daemons, and wait until both nodes are idle."""
        for name in ("munge", "state", "spool-n1", "spool-n2", "bin"):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        port = _free_ports()
        names = {"host": socket.gethostname().split(".")[0], "folder": self.folder}
        conf = CONF.format(**names, port=port, first=port + 1, second=port + 2)
        (self.folder / "slurm.conf").write_text(conf)
        (self.folder / "gres.conf").write_text(GPUS)
        self._write_shims()
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        munge = [
            f"--{name}-file={self.folder}/munge/{name}" for name in ("key", "seed", "log", "pid")
        ]
        # Forced: others may not look into the folder, and need not.
        self._daemon("munged", "--force", f"--socket={self.folder}/munge/socket", *munge)
        _wait(lambda: (self.folder / "munge/socket").exists(), "munged")
        self._daemon("slurmctld", "-c", "-f", str(self.folder / "slurm.conf"))
        for name in ("n1", "n2"):
            self.start_node(name)
        self.wait_for_idle()

    def wait_for_idle(self) -> None:
        """Wait until both nodes take jobs and have none."""
        _wait(
            lambda: self("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * 2,
            "two idle nodes",
            120,
        )

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self._daemon("slurmd", "-N", name, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, name: str) -> None:
        """End a node as a power cut does.

        Its daemon, its jobs, and all that they started, at once.
        """
        daemon = psutil.Process(int((self.folder / f"slurmd-{name}.pid").read_text()))
        jobs = self("squeue", "-h", "-w", name, "-t", "R", "-o", "%A").split()
        steps = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(
                " ".join(process.info["cmdline"] or ()).startswith(f"slurmstepd: [{job}.")
                for job in jobs
            )
            and self._of(process, name)
        ]
        family = [child for step in steps for child in step.children(recursive=True)]
        for process in (daemon, *steps, *family):
            _send(process, signal.SIGKILL)

    def stop(self) -> None:
        """End every job and every daemon."""
        for job in self("squeue", "-h", "-o", "%A").split():
            self("scancel", job)
        try:
            _wait(lambda: not self("squeue", "-h", "-o", "%A"), "the end of all jobs", 60)
        finally:
            for name in ("slurmd-n1.pid", "slurmd-n2.pid", "slurmctld.pid", "munge/pid"):
                self._end(self.folder / name)

    def __call__(self, *command: str) -> str:
        """What a command of Slurm's prints, times in seconds since 1970."""
        environment = {**self.environment, "SLURM_TIME_FORMAT": "%s"}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True
        ).stdout.strip()

    def _of(self, step: psutil.Process, node: str) -> bool:
        """Whether a step's daemon belongs to the node; a job on two nodes has one on each."""
        spool = str(self.folder / f"spool-{node}")
        return any(
            child_environment(child).get("SLURMD_NODENAME") == node for child in step.children()
        ) or any(spool in file.path for file in step.open_files())

    def _write_shims(self) -> None:
        """Commands that know the cluster's file.

        Snakemake's plugin takes SLURM_CONF out of the environment.
        """
        for name in ("srun", "squeue", "scontrol", "scancel"):
            shim = self.folder / "bin" / name
            shim.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_path_of(name)} "$@"\n'
            )
            shim.chmod(0o755)

    def _daemon(self, name: str, *options: str) -> None:
        # Each puts itself into the background.
        subprocess.run(
            [_path_of(name), *options],
            check=True,
            start_new_session=True,
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @staticmethod
    def _end(pid_file: Path) -> None:
        if not pid_file.exists():
            return
        try:
            daemon = psutil.Process(int(pid_file.read_text()))
        except (psutil.NoSuchProcess, ValueError):
            return
        _send(daemon, signal.SIGTERM)
        if psutil.wait_procs([daemon], timeout=20)[1]:
            _send(daemon, signal.SIGKILL)


def child_environment(process: psutil.Process) -> dict[str, str]:
    """The environment of a process, empty when it is gone."""
    try:
        return process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return {}


def _path_of(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _free_ports() -> int:
    """The first of three neighbouring ports that are free."""
    for port in range(16900, 18000, 10):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for number, held in enumerate((one, two, three)):
                    held.bind(("127.0.0.1", port + number))
            except OSError:
                continue
            return port
    raise RuntimeError("no three neighbouring ports are free")


def _wait(condition, what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.2)
