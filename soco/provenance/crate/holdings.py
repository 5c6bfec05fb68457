"""What a run was given and what it made, as entities of a crate."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate

from soco.errors import UserError
from soco.provenance.compare import Run
from soco.provenance.crate.files import add_file, add_reference, add_text
from soco.provenance.crate.parameters import Parameters, distinct, pattern_of

LARGE = 1_000_000
CONFIG = "config.yaml"


@dataclass
class Holdings:
    """The entities of a run.

    Attributes:
        by_path: Of each file or folder, by its path in the run's folder.
        parameter_of: The formal parameter that each is an example of, by the same path.
        given: What the run was given.
        made: What it made.
        inputs: The formal parameters of what it was given.
        outputs: Of what it made.
        packed: How many of its files are in the crate.
        referred: How many are only told of.
    """

    by_path: dict[str, DataEntity] = field(default_factory=dict)
    parameter_of: dict[str, ContextEntity] = field(default_factory=dict)
    given: list[Any] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    inputs: list[ContextEntity] = field(default_factory=list)
    outputs: list[ContextEntity] = field(default_factory=list)
    packed: int = 0
    referred: int = 0


def hold(crate: ROCrate, run: Run, folder: Path, with_weights: bool) -> Holdings:
    """Add what a run was given and what it made.

    Data are told of by their digest and are not packed: images and annotations are others'. Files
    that the run made are packed where they have at most a megabyte, or all of them.

    Args:
        crate: The crate.
        run: The run.
        folder: Where it worked.
        with_weights: Whether to pack the large files too.

    Raises:
        UserError: A file is missing, or is no longer the one that the report tells of.
    """
    held, parameters = Holdings(), Parameters(crate)
    _take_settings(crate, run, held, parameters)
    for entry in run["artefacts"]:
        _take_artefact(crate, run, entry, folder, with_weights, held, parameters)
    for entry in run["data"]:
        _take_data(crate, entry, held, parameters)
    _take_report(crate, run, held, parameters)
    held.given, held.made = distinct(held.given), distinct(held.made)
    held.inputs, held.outputs = distinct(held.inputs), distinct(held.outputs)
    return held


def _take_settings(crate: ROCrate, run: Run, held: Holdings, parameters: Parameters) -> None:
    text = yaml.safe_dump(run["config"], sort_keys=False, allow_unicode=True)
    config = add_text(
        crate, text, CONFIG, description="The whole configuration of the run, with every key."
    )
    held.given.append(config)
    held.inputs.append(parameters.take("configuration", "File", "configuration", config))
    seed = run["config"].get("seed")
    if seed is not None:
        properties = {"@type": "PropertyValue", "name": "seed", "value": seed}
        value = crate.add(ContextEntity(crate, "#seed", properties=properties))
        held.given.append(value)
        held.inputs.append(parameters.take("seed", "Integer", "seed", value))


def _take_artefact(
    crate: ROCrate,
    run: Run,
    entry: dict[str, Any],
    folder: Path,
    with_weights: bool,
    held: Holdings,
    parameters: Parameters,
) -> None:
    job, path, digest = run["jobs"][entry["job"]], entry["path"], entry["sha256"]
    is_folder = "files" in entry
    kind = "Dataset" if is_folder else "File"
    if is_folder or (entry["bytes"] > LARGE and not with_weights):
        size = {"contentSize": str(entry["bytes"])}
        entity = add_reference(crate, path, digest, kind, **size)
        held.referred += 1
    else:
        place = path_in_crate(run, path)
        entity = add_file(crate, checked(folder / path, digest), place, name=path, sha256=digest)
        held.packed += 1
    pattern = pattern_of(run.within_results(path), job["wildcards"])
    held.by_path[path] = entity
    held.made.append(entity)
    held.parameter_of[path] = parameters.take(f"{job['rule']}-{pattern}", kind, pattern, entity)
    held.outputs.append(held.parameter_of[path])


def _take_data(
    crate: ROCrate, entry: dict[str, Any], held: Holdings, parameters: Parameters
) -> None:
    """Data that the run itself made, as the demo's, are there already, and no input."""
    path, files = entry["path"], entry["files"]
    if path in held.by_path or not entry["digest"]:
        return
    kind = "Dataset" if entry["kind"] == "images" else "File"
    counted = f", {files} files" if files is not None else ""
    what = (
        f"{entry['kind'].capitalize()} of {entry['name']}{counted}; not in the crate. The SHA-256"
    )
    what += " is that of the list of its files." if kind == "Dataset" else " is that of the file."
    entity = add_reference(crate, path, entry["digest"], kind, description=what)
    held.by_path[path] = entity
    held.given.append(entity)
    key = f"{entry['kind']}-{entry['name']}"
    held.parameter_of[path] = parameters.take(
        key, kind, f"{entry['name']} ({entry['kind']})", entity
    )
    held.inputs.append(held.parameter_of[path])


def _take_report(crate: ROCrate, run: Run, held: Holdings, parameters: Parameters) -> None:
    for path, what in ((run.path, "as data"), (run.path.with_suffix(".html"), "for readers")):
        if not path.is_file():
            raise UserError(
                f"There is no {path}, which lies beside report.json; make the report again."
            )
        entity = add_file(
            crate,
            path,
            f"results/report/{path.name}",
            description=f"The report of the run, {what}.",
        )
        held.made.append(entity)
        held.outputs.append(
            parameters.take(f"report-{path.name}", "File", f"report/{path.name}", entity)
        )


def path_in_crate(run: Run, path: str) -> str:
    """Where a file of the run lies in the crate.

    Results are below `results` whatever the folder was called.
    """
    below = run.within_results(path)
    return below.lstrip("/") if below == path else f"results/{below}"


def checked(path: Path, digest: str) -> Path:
    """The file, if it has the digest.

    Raises:
        UserError: It is missing or has another.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}, of which the report tells; give the run's folder with --folder."
        ) from None
    if found != digest:
        raise UserError(f"{path} is not the file that the report tells of; make the report again.")
    return path
