"""The workflow of a crate: its Snakefile, the script of each rule, and the steps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.provenance.compare import Run
from soco.provenance.crate.code import SNAKEFILE, code_files, is_step
from soco.provenance.crate.files import add_file
from soco.provenance.crate.holdings import Holdings
from soco.provenance.crate.parameters import distinct

_TYPES = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"


def add_workflow(
    crate: ROCrate, run: Run, root: Path, held: Holdings
) -> tuple[Any, dict[str, Any]]:
    """Add the workflow's files, its rules as tools, and its steps.

    Args:
        crate: The crate.
        run: The run.
        root: Where the Snakefile lies.
        held: What the run was given and made.

    Returns:
        The workflow, and the step of each rule.
    """
    version = run["git"]["commit"] or "unknown"
    engine = _versions(run).get("snakemake")
    properties = {
        "@type": _TYPES,
        "name": "SoCo",
        "version": version,
        "input": held.inputs,
        "output": held.outputs,
    }
    more = {"conformsTo": {"@id": _PROFILE}, "softwareRequirements": list(_packages(crate, run))}
    told = properties | more | {"encodingFormat": "text/x-snakemake"}
    workflow = crate.add_workflow(
        root / SNAKEFILE,
        SNAKEFILE,
        properties=told,
        main=True,
        lang="snakemake",
        lang_version=engine,
    )
    files = {
        name: _code_file(crate, root, name, version)
        for name in code_files(root)
        if name != SNAKEFILE
    }
    tools, steps = {}, {}
    for place, rule in enumerate(dict.fromkeys(job["rule"] for job in run["jobs"]), start=1):
        tools[rule] = _tool(crate, run, rule, files, held)
        steps[rule] = _step(crate, rule, place, tools[rule])
    workflow["hasPart"] = distinct([*tools.values()])
    workflow["step"] = list(steps.values())
    return workflow, steps


def _code_file(crate: ROCrate, root: Path, name: str, version: str) -> Any:
    more = {"@type": ["File", "SoftwareSourceCode"], "version": version} if is_step(name) else {}
    return add_file(crate, root / name, name, **more)


def _tool(crate: ROCrate, run: Run, rule: str, files: dict[str, Any], held: Holdings) -> Any:
    """The script of a rule.

    A rule that shares another's has none of its own name, and is told of by its name.
    """
    tool = files.get(f"workflow_scripts/{rule}.py")
    if tool is None:
        properties = {
            "@type": "SoftwareApplication",
            "name": rule,
            "softwareVersion": run["git"]["commit"] or "unknown",
        }
        tool = crate.add(ContextEntity(crate, f"#rule-{rule}", properties=properties))
    jobs = [job for job in run["jobs"] if job["rule"] == rule]
    for key in ("input", "output"):
        read = [
            held.parameter_of[path]
            for job in jobs
            for path in job[f"{key}s"]
            if path in held.parameter_of
        ]
        if read:
            tool[key] = distinct(read)
    return tool


def _step(crate: ROCrate, rule: str, place: int, tool: Any) -> ContextEntity:
    properties = {"@type": "HowToStep", "name": rule, "position": str(place), "workExample": tool}
    return crate.add(ContextEntity(crate, f"#step-{rule}", properties=properties))


def _versions(run: Run) -> dict[str, str]:
    """The first version that the run had of each package."""
    held: dict[str, str] = {}
    for environment in run["environments"]:
        for name, version in environment["packages"].items():
            if version is not None:
                held.setdefault(name, version)
    return held


def _packages(crate: ROCrate, run: Run) -> Iterator[ContextEntity]:
    for name, version in _versions(run).items():
        url = f"https://pypi.org/project/{name}/{version.split('+')[0]}/"
        properties = {
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
            "url": url,
        }
        yield crate.add(ContextEntity(crate, url, properties=properties))
