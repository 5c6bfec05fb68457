"""The actions of a crate: the run as a whole, each of its jobs, and the workflow engine."""

from datetime import datetime, timedelta
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.environment import git_user
from soco.provenance.crate.files import add_entity, distinct
from soco.provenance.crate.holdings import Holdings
from soco.provenance.reading import Run

_DONE = "http://schema.org/CompletedActionStatus"
_ENGINE = "https://snakemake.github.io"
_MEMORY = "https://psutil.readthedocs.io/en/latest/#psutil.Process.memory_info"
_MEGABYTE = "https://qudt.org/vocab/unit/MegaBYTE"

Agent = dict[str, Any]


def add_actions(
    crate: ROCrate, run: Run, workflow: Any, steps: dict[str, Any], holdings: Holdings
) -> None:
    """Add the actions of a run, and mention them in the crate's root.

    Args:
        crate: The crate.
        run: The run.
        workflow: The entity of the workflow.
        steps: The step of each rule.
        holdings: The inputs and outputs of the run, which include those of the jobs.
    """
    user = git_user()  # by name, without an address
    agent = {"agent": add_entity(crate, "#agent", "Person", name=user)} if user else {}
    whole = _whole_run(crate, run, workflow, holdings, agent)
    actions, controls = [], []
    for number, job in enumerate(run["jobs"], start=1):
        step = steps[job["rule"]]
        action = _job(crate, number, job, step["workExample"], holdings)
        for key, value in agent.items():
            action[key] = value
        actions.append(action)
        name = f"Start of {_name(job)}"
        control = {"name": name, "instrument": step, "object": action}
        controls.append(add_entity(crate, f"#control-{number}", "ControlAction", **control))
    engine = [_engine_run(crate, run, whole, controls, agent)] if actions else []
    crate.root_dataset["mentions"] = [whole, *actions, *engine, *controls]


def _whole_run(crate: ROCrate, run: Run, workflow: Any, holdings: Holdings, agent: Agent) -> Any:
    times = {"startTime": run["run"]["started"], "endTime": run["run"]["ended"]}
    properties = {
        "name": "The run",
        "description": f"A run of the workflow on {_machines(run)}.",
        "actionStatus": _DONE,
        **{key: value for key, value in times.items() if value},
        **agent,
    }
    return crate.add_action(
        workflow, "#run", holdings.input_entities, holdings.output_entities, properties
    )


def _job(crate: ROCrate, number: int, job: dict[str, Any], tool: Any, holdings: Holdings) -> Any:
    started = datetime.fromisoformat(job["started"])
    ended = started + timedelta(seconds=job["seconds"])
    properties = {
        "name": _name(job),
        "description": f"Job {number}, of rule {job['rule']}: {job['seconds']} s.",
        "startTime": started.isoformat(timespec="seconds"),
        "endTime": ended.isoformat(timespec="seconds"),
        "actionStatus": _DONE,
    }
    inputs, outputs = (
        distinct([holdings.by_path[path] for path in job[key] if path in holdings.by_path])
        for key in ("inputs", "outputs")
    )
    action = crate.add_action(tool, f"#job-{number}", inputs, outputs, properties)
    memory = {"name": "peak resident memory", "value": str(job["peak_mb"])}
    units = {"propertyID": _MEMORY, "unitCode": _MEGABYTE}
    action["resourceUsage"] = add_entity(
        crate, f"#job-{number}-memory", "PropertyValue", **memory, **units
    )
    return action


def _engine_run(
    crate: ROCrate, run: Run, whole: Any, controls: list[Any], agent: Agent
) -> ContextEntity:
    versions = (environment["packages"].get("snakemake") for environment in run["environments"])
    version = next((version for version in versions if version), None)
    properties = {"name": "Snakemake", "url": _ENGINE}
    properties |= {"softwareVersion": version} if version else {}
    engine = add_entity(crate, _ENGINE, "SoftwareApplication", **properties)
    times = {key: whole[key] for key in ("startTime", "endTime") if key in whole}
    parts = {"instrument": engine, "object": controls, "result": whole}
    name = "Snakemake's run"
    return add_entity(crate, "#engine-run", "OrganizeAction", name=name, **parts, **times, **agent)


def _name(job: dict[str, Any]) -> str:
    wildcards = ", ".join(f"{name} {value}" for name, value in job["wildcards"].items())
    return f"{job['rule']} ({wildcards})" if wildcards else str(job["rule"])


def _machines(run: Run) -> str:
    machines = [environment["machine"] for environment in run["environments"]]
    words = [
        ", ".join(
            [
                machine["cpu"] or "an unknown processor",
                f"{machine['cores']} cores",
                f"{machine['memory_gb']} GB",
                *(machine.get("gpus") or []),
            ]
        )
        for machine in machines
    ]
    return "; ".join(dict.fromkeys(words)) or "an unknown machine"
