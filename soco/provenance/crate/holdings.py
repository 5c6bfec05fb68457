"""The inputs and outputs of a run as entities of a crate."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate

from soco.errors import UserError
from soco.io import sha256_of
from soco.provenance.crate.files import add_entity, add_file, add_reference, add_text, distinct
from soco.provenance.reading import Run

LARGE = 1_000_000
"""Size in bytes above which files are described and not packed."""

CONFIG = "config.yaml"


class Parameters:
    """The formal parameters of a crate, created when first used.

    Args:
        crate: The crate.
    """

    def __init__(self, crate: ROCrate) -> None:
        self._crate = crate
        self._parameters: dict[str, ContextEntity] = {}

    def take(
        self, key: str, kind: str, name: str, example: DataEntity | ContextEntity
    ) -> ContextEntity:
        """The parameter of a key, with `example` added to its examples.

        Args:
            key: Identifies the parameter.
            kind: `File`, `Dataset` or the type of a value, such as `Integer`.
            name: Its name.
            example: The run's file or value.
        """
        identifier = "#parameter-" + re.sub(r"[^A-Za-z0-9._-]+", "-", key).strip("-")
        if identifier not in self._parameters:
            self._parameters[identifier] = self._crate.add_formal_parameter(name, kind, identifier)
        parameter = self._parameters[identifier]
        parameter.append_to("workExample", example)
        example.append_to("exampleOfWork", parameter)
        # `parameter["workExample"]` would look up all examples each time.
        if len(parameter.properties()["workExample"]) == 2:
            parameter["multipleValues"] = True
        return parameter


@dataclass
class Holdings:
    """The entities of a run.

    Attributes:
        by_path: The entity of each file or folder, by its path in the run's folder.
        parameter_of: The formal parameter that it is an example of, by the same path.
        input_entities: The inputs of the run.
        output_entities: The outputs of the run.
        input_parameters: The formal parameters of the inputs.
        output_parameters: The formal parameters of the outputs.
        packed: Number of files of the run that are in the crate.
        described: Number of files and folders that are only described.
    """

    by_path: dict[str, DataEntity] = field(default_factory=dict)
    parameter_of: dict[str, ContextEntity] = field(default_factory=dict)
    input_entities: list[Any] = field(default_factory=list)
    output_entities: list[Any] = field(default_factory=list)
    input_parameters: list[ContextEntity] = field(default_factory=list)
    output_parameters: list[ContextEntity] = field(default_factory=list)
    packed: int = 0
    described: int = 0


def add_holdings(crate: ROCrate, run: Run, folder: Path, with_weights: bool) -> Holdings:
    """Add the inputs and outputs of a run.

    Data are described by their digest and never packed: images and annotations may belong to
    others. Outputs are packed up to a megabyte.

    Args:
        crate: The crate.
        run: The run.
        folder: The folder that it worked in.
        with_weights: Whether to pack larger outputs, too.

    Raises:
        UserError: A file is missing, or was changed since the report.
    """
    holdings, parameters = Holdings(), Parameters(crate)
    _add_settings(crate, run, holdings, parameters)
    for entry in run["artefacts"]:
        path, is_folder = entry["path"], "files" in entry
        if is_folder or (entry["bytes"] > LARGE and not with_weights):
            kind, size = "Dataset" if is_folder else "File", str(entry["bytes"])
            entity = add_reference(crate, path, entry["sha256"], kind, contentSize=size)
            holdings.described += 1
        else:
            source, place = checked(folder / path, entry["sha256"]), path_in_crate(run, path)
            entity = add_file(crate, source, place, name=path, sha256=entry["sha256"])
            holdings.packed += 1
        _add_output(run, entry, entity, holdings, parameters)
    for entry in run["data"]:
        # Data that the run itself made, such as the demo's, are outputs.
        if entry["path"] not in holdings.by_path and entry["digest"]:
            _add_data(crate, entry, holdings, parameters)
    _add_report(crate, run, holdings, parameters)
    holdings.input_entities, holdings.output_entities = (
        distinct(holdings.input_entities),
        distinct(holdings.output_entities),
    )
    holdings.input_parameters, holdings.output_parameters = (
        distinct(holdings.input_parameters),
        distinct(holdings.output_parameters),
    )
    return holdings


def _add_settings(crate: ROCrate, run: Run, holdings: Holdings, parameters: Parameters) -> None:
    text = yaml.safe_dump(run["config"], sort_keys=False, allow_unicode=True)
    about = "The complete configuration of the run, with every key."
    config = add_text(crate, text, CONFIG, description=about)
    holdings.input_entities.append(config)
    holdings.input_parameters.append(
        parameters.take("configuration", "File", "configuration", config)
    )
    seed = run["config"].get("seed")
    if seed is not None:
        value = add_entity(crate, "#seed", "PropertyValue", name="seed", value=seed)
        holdings.input_entities.append(value)
        holdings.input_parameters.append(parameters.take("seed", "Integer", "seed", value))


def _add_output(
    run: Run, entry: dict[str, Any], entity: DataEntity, holdings: Holdings, parameters: Parameters
) -> None:
    job, path = run["jobs"][entry["job"]], entry["path"]
    kind = "Dataset" if "files" in entry else "File"
    pattern = pattern_of(run.within_results(path), job["wildcards"])
    parameter = parameters.take(f"{job['rule']}-{pattern}", kind, pattern, entity)
    holdings.by_path[path], holdings.parameter_of[path] = entity, parameter
    holdings.output_entities.append(entity)
    holdings.output_parameters.append(parameter)


def _add_data(
    crate: ROCrate, entry: dict[str, Any], holdings: Holdings, parameters: Parameters
) -> None:
    kind, name, path = entry["kind"], entry["name"], entry["path"]
    counted = f", {entry['files']} files" if entry["files"] is not None else ""
    is_folder = kind == "images"
    hashed = "list of its files" if is_folder else "file"
    about = (
        f"{kind.capitalize()} of {name}{counted}; not in the crate. The SHA-256 is of the {hashed}."
    )
    form = "Dataset" if is_folder else "File"
    entity = add_reference(crate, path, entry["digest"], form, description=about)
    parameter = parameters.take(f"{kind}-{name}", form, f"{name} ({kind})", entity)
    holdings.by_path[path], holdings.parameter_of[path] = entity, parameter
    holdings.input_entities.append(entity)
    holdings.input_parameters.append(parameter)


def _add_report(crate: ROCrate, run: Run, holdings: Holdings, parameters: Parameters) -> None:
    for path, form in ((run.path, "as data"), (run.path.with_suffix(".html"), "as a page")):
        if not path.is_file():
            raise UserError(
                "crate.page_missing",
                "There is no {path}, which belongs to report.json; build the report again.",
                path=path,
            )
        place, about = f"results/report/{path.name}", f"The report of the run, {form}."
        entity = add_file(crate, path, place, description=about)
        holdings.output_entities.append(entity)
        key, name = f"report-{path.name}", f"report/{path.name}"
        holdings.output_parameters.append(parameters.take(key, "File", name, entity))


def path_in_crate(run: Run, path: str) -> str:
    """The path of a run's file in the crate; results are in `results` in every crate."""
    below = run.within_results(path)
    return below.lstrip("/") if below == path else f"results/{below}"


def checked(path: Path, digest: str) -> Path:
    """The file, if it has the digest.

    Raises:
        UserError: It is missing, or has another digest.
    """
    if not path.is_file():
        raise UserError(
            "crate.file_missing",
            "There is no {path}, which the report lists; give the run's folder with --folder.",
            path=path,
        )
    if sha256_of(path) != digest:
        raise UserError(
            "crate.file_changed",
            "{path} was changed since the report; build the report again.",
            path=path,
        )
    return path


def pattern_of(path: str, wildcards: Mapping[str, str]) -> str:
    """The path of an output as in its rule: values of wildcards replaced by `{name}`."""
    for name, value in wildcards.items():
        word = rf"(?<![A-Za-z0-9{{]){re.escape(value)}(?![A-Za-z0-9}}])"
        path = re.sub(word, f"{{{name}}}", path)
    return path
