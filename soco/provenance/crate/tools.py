"""The workflow of a crate: its files, the script of each rule, and the steps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.errors import UserError
from soco.provenance.crate.files import add_entity, add_file, distinct
from soco.provenance.crate.holdings import Holdings
from soco.provenance.reading import Run

SNAKEFILE = "Snakefile"
_TYPES = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_FILES = ("Makefile", "LICENSE", "CITATION.cff", "pyproject.toml")
_FOLDERS = ("rules", "workflow_scripts", "soco", "envs", "profiles")
_SUFFIXES = {".smk", ".py", ".yaml", ".json", ".css", ".html", ".in", ".lock", ".sh", ".rst"}


def add_workflow(
    crate: ROCrate, run: Run, root: Path, holdings: Holdings
) -> tuple[Any, dict[str, Any]]:
    """Add the workflow's files, its rules as tools, and its steps.

    Args:
        crate: The crate.
        run: The run.
        root: The folder of the Snakefile.
        holdings: The inputs and outputs of the run.

    Returns:
        The workflow, and the step of each rule.

    Raises:
        UserError: There is no Snakefile: the package was installed without the workflow.
    """
    if not (root / SNAKEFILE).is_file():
        raise UserError(
            "crate.no_snakefile",
            "There is no Snakefile in {root}; a crate contains the workflow, so run SoCo from a "
            "clone of its repository.",
            root=root,
        )
    version = run["git"]["commit"] or "unknown"
    packages = _versions(run)
    properties = {
        "@type": _TYPES,
        "name": "SoCo",
        "version": version,
        "input": holdings.input_parameters,
        "output": holdings.output_parameters,
        "conformsTo": {"@id": _PROFILE},
        "softwareRequirements": [_package(crate, *package) for package in packages.items()],
        "encodingFormat": "text/x-snakemake",
    }
    workflow = crate.add_workflow(
        root / SNAKEFILE,
        SNAKEFILE,
        properties=properties,
        main=True,
        lang="snakemake",
        lang_version=packages.get("snakemake"),
    )
    files = {name: _code_file(crate, root, name, version) for name in code_files(root)}
    tools, steps = [], {}
    for number, rule in enumerate(dict.fromkeys(job["rule"] for job in run["jobs"]), start=1):
        tools.append(_tool(crate, run, rule, files, holdings))
        position = {"position": str(number), "workExample": tools[-1]}
        steps[rule] = add_entity(crate, f"#step-{rule}", "HowToStep", name=rule, **position)
    workflow["hasPart"] = distinct(tools)
    workflow["step"] = list(steps.values())
    return workflow, steps


def code_files(root: Path) -> Iterator[str]:
    """Yield the paths of the workflow's files except Snakefile, configurations and docs."""
    yield from (name for name in _FILES if (root / name).is_file())
    for folder in _FOLDERS:
        yield from sorted(
            path.relative_to(root).as_posix()
            for path in (root / folder).rglob("*")
            if path.suffix in _SUFFIXES and path.is_file() and "__pycache__" not in path.parts
        )


def _code_file(crate: ROCrate, root: Path, name: str, version: str) -> Any:
    """A file; rules and their scripts are described as code, the package is what they call."""
    is_step = name.startswith(("rules/", "workflow_scripts/")) and name.endswith((".smk", ".py"))
    more = {"@type": ["File", "SoftwareSourceCode"], "version": version} if is_step else {}
    return add_file(crate, root / name, name, **more)


def _tool(crate: ROCrate, run: Run, rule: str, files: dict[str, Any], holdings: Holdings) -> Any:
    """The script of a rule; a rule without a script of its own is described by its name."""
    tool = files.get(f"workflow_scripts/{rule}.py")
    if tool is None:
        version = {"softwareVersion": run["git"]["commit"] or "unknown"}
        tool = add_entity(crate, f"#rule-{rule}", "SoftwareApplication", name=rule, **version)
    jobs = [job for job in run["jobs"] if job["rule"] == rule]
    for key in ("input", "output"):
        paths = [path for job in jobs for path in job[f"{key}s"]]
        known = [holdings.parameter_of[path] for path in paths if path in holdings.parameter_of]
        if known:
            tool[key] = distinct(known)
    return tool


def _versions(run: Run) -> dict[str, str]:
    """The version of each package in the first environment that has it."""
    versions: dict[str, str] = {}
    for environment in reversed(run["environments"]):
        versions |= {name: version for name, version in environment["packages"].items() if version}
    return versions


def _package(crate: ROCrate, name: str, version: str) -> ContextEntity:
    url = f"https://pypi.org/project/{name}/{version.split('+')[0]}/"
    properties = {"name": name, "softwareVersion": version, "url": url}
    return add_entity(crate, url, "SoftwareApplication", **properties)
