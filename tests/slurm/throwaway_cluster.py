"""A temporary Slurm cluster of two simulated nodes on this machine.

It needs root and Debian's packages:

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
# These folders may be missing from the search path of a node daemon's jobs.
SBIN = ("/usr/sbin", "/sbin")

# Both nodes are this machine under different ports. LLN (least loaded node) spreads jobs over both.
# Memory limits are enforced by sampling, since cgroups are not available in containers. A requeued
# job may start after cred_expire seconds.
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
    """Return why no cluster can be started here; None if one can."""
    if os.geteuid():
        return "Only root can start a Slurm cluster."
    missing = [name for name in PROGRAMS if not _path_of(name)]
    if missing:
        return (
            f"{', '.join(missing)} are not installed: apt-get install slurmctld slurmd slurm-client"
            " munge."
        )
    return None


class Cluster:
    """Two nodes, n1 with two simulated GPUs and n2 without; all files are in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder, None

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's commands use this cluster."""
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
        # Forced, since other users cannot read the folder, and need not.
        self._daemon("munged", "--force", f"--socket={self.folder}/munge/socket", *munge)
        _wait(lambda: (self.folder / "munge/socket").exists(), "munged")
        self._daemon("slurmctld", "-c", "-f", str(self.folder / "slurm.conf"))
        for name in ("n1", "n2"):
            self.start_node(name)
        self.wait_for_idle()

    def wait_for_idle(self) -> None:
        """Wait until both nodes are idle."""
        _wait(
            lambda: self("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * 2,
            "two idle nodes",
            120,
        )

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self._daemon("slurmd", "-N", name, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, name: str) -> None:
        """Kill a node as a power cut would: its daemon, its jobs and all their processes."""
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
        """Return what a Slurm command prints; times are in seconds since 1970."""
        environment = {**self.environment, "SLURM_TIME_FORMAT": "%s"}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True
        ).stdout.strip()

    def _of(self, step: psutil.Process, node: str) -> bool:
        """Whether a step daemon belongs to the node; a job on two nodes has one on each."""
        spool = str(self.folder / f"spool-{node}")
        return any(
            child_environment(child).get("SLURMD_NODENAME") == node for child in step.children()
        ) or any(spool in file.path for file in step.open_files())

    def _write_shims(self) -> None:
        """Wrap Slurm's commands to set SLURM_CONF, which Snakemake's plugin unsets."""
        for name in ("srun", "squeue", "scontrol", "scancel"):
            shim = self.folder / "bin" / name
            shim.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_path_of(name)} "$@"\n'
            )
            shim.chmod(0o755)

    def _daemon(self, name: str, *options: str) -> None:
        # Each daemon goes to the background.
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
    """Return the environment of a process; empty if it is gone."""
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
    """The first of three consecutive free ports."""
    for port in range(16900, 18000, 10):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for number, opened in enumerate((one, two, three)):
                    opened.bind(("127.0.0.1", port + number))
            except OSError:
                continue
            return port
    raise RuntimeError("no three consecutive ports are free")


def _wait(condition, what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.2)
