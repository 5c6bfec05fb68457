"""What was done: the run as a whole, each of its jobs, and the engine that set them going."""

from datetime import datetime, timedelta
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.provenance.compare import Run
from soco.provenance.crate.git import user_name
from soco.provenance.crate.holdings import Holdings
from soco.provenance.crate.parameters import distinct

_DONE = "http://schema.org/CompletedActionStatus"
_ENGINE = "https://snakemake.github.io"
_MEMORY = "https://psutil.readthedocs.io/en/latest/#psutil.Process.memory_info"
_MEGABYTE = "https://qudt.org/vocab/unit/MegaBYTE"


def add_actions(
    crate: ROCrate, run: Run, workflow: Any, steps: dict[str, Any], held: Holdings
) -> None:
    """Add the actions of a run, which the crate's root then mentions.

    The run's action has all that it was given and made; a job's has what the crate knows of its
    inputs and outputs.
    """
    agent = _agent(crate)
    whole = _whole_run(crate, run, workflow, held, agent)
    jobs, controls = [], []
    for place, job in enumerate(run["jobs"]):
        action = _job(crate, run, place, job, steps[job["rule"]]["workExample"], held, agent)
        jobs.append(action)
        controls.append(_control(crate, place, job, steps[job["rule"]], action))
    actions = [whole, *jobs]
    if jobs:
        actions += [_engine_run(crate, run, whole, controls, agent), *controls]
    crate.root_dataset["mentions"] = actions


def _whole_run(
    crate: ROCrate, run: Run, workflow: Any, held: Holdings, agent: dict[str, Any]
) -> Any:
    started, ended = run["run"]["started"], run["run"]["ended"]
    told = {
        "name": "The run",
        "description": f"A run of the workflow on {_machines(run)}.",
        "actionStatus": _DONE,
    }
    properties = (
        told
        | {key: value for key, value in (("startTime", started), ("endTime", ended)) if value}
        | agent
    )
    return crate.add_action(workflow, "#run", held.given, held.made, properties)


def _job(
    crate: ROCrate,
    run: Run,
    place: int,
    job: dict[str, Any],
    tool: Any,
    held: Holdings,
    agent: dict[str, Any],
) -> Any:
    started = datetime.fromisoformat(job["started"])
    ended = started + timedelta(seconds=job["seconds"])
    properties = {
        "name": _name(job),
        "description": (
            f"Job {place + 1} of {len(run['jobs'])}, of rule {job['rule']}: {job['seconds']} s."
        ),
        "startTime": started.isoformat(timespec="seconds"),
        "endTime": ended.isoformat(timespec="seconds"),
        "actionStatus": _DONE,
    }
    read, made = (
        distinct([held.by_path[path] for path in job[key] if path in held.by_path])
        for key in ("inputs", "outputs")
    )
    action = crate.add_action(tool, f"#job-{place + 1}", read, made, properties | agent)
    action["resourceUsage"] = _memory(crate, place, job["peak_mb"])
    return action


def _memory(crate: ROCrate, place: int, megabytes: float) -> ContextEntity:
    value = {"@type": "PropertyValue", "name": "peak resident memory", "value": str(megabytes)}
    units = {"propertyID": _MEMORY, "unitCode": _MEGABYTE}
    return crate.add(ContextEntity(crate, f"#job-{place + 1}-memory", properties=value | units))


def _control(
    crate: ROCrate, place: int, job: dict[str, Any], step: Any, action: Any
) -> ContextEntity:
    told = {
        "@type": "ControlAction",
        "name": f"Start of {_name(job)}",
        "instrument": step,
        "object": action,
    }
    return crate.add(ContextEntity(crate, f"#control-{place + 1}", properties=told))


def _engine_run(
    crate: ROCrate, run: Run, whole: Any, controls: list[Any], agent: dict[str, Any]
) -> ContextEntity:
    versions = [environment["packages"].get("snakemake") for environment in run["environments"]]
    told = {"@type": "SoftwareApplication", "name": "Snakemake", "url": _ENGINE}
    version = next((version for version in versions if version), None)
    engine = crate.add(
        ContextEntity(
            crate, _ENGINE, properties=told | ({"softwareVersion": version} if version else {})
        )
    )
    times = {key: whole[key] for key in ("startTime", "endTime") if key in whole}
    properties = (
        {"@type": "OrganizeAction", "name": "Snakemake's run", "instrument": engine} | times | agent
    )
    return crate.add(
        ContextEntity(
            crate, "#engine-run", properties=properties | {"object": controls, "result": whole}
        )
    )


def _name(job: dict[str, Any]) -> str:
    wildcards = ", ".join(f"{name} {value}" for name, value in job["wildcards"].items())
    return f"{job['rule']} ({wildcards})" if wildcards else str(job["rule"])


def _machines(run: Run) -> str:
    told = []
    for environment in run["environments"]:
        machine = environment["machine"]
        gpus = machine.get("gpus") or []
        of_gpus = f", {', '.join(gpus)}" if gpus else ""
        told.append(
            f"{machine['cpu'] or 'a processor'}, {machine['cores']} cores, {machine['memory_gb']}"
            f" GB{of_gpus}"
        )
    return "; ".join(dict.fromkeys(told)) or "a machine that is not told of"


def _agent(crate: ROCrate) -> dict[str, Any]:
    """Whom git's configuration names, without an address; nothing where it names nobody."""
    name = user_name()
    if name is None:
        return {}
    return {
        "agent": crate.add(
            ContextEntity(crate, "#agent", properties={"@type": "Person", "name": name})
        )
    }
