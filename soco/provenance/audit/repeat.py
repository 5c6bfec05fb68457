"""Repeat jobs with their scripts, and compare their outputs with those of the run.

Every job whose script declares it `repeatable` is run again, from its record. A repeated job never
reads a file that an earlier check compared: it reads the output of the repeated job instead.
"""

import runpy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from soco.errors import UserError
from soco.jobs import Record, declared, script_of
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.equality import compared_outputs
from soco.provenance.audit.reported import Reported, title


class _Named(dict[str, Any]):
    """Values by name, as attributes too: what Snakemake passes to a script."""

    __getattr__ = dict.__getitem__


def check_jobs(run: Reported, shards: Sequence[str], folder: Path) -> Iterator[Check]:
    """Run all repeatable jobs again; jobs of a single shard only for the chosen shards.

    Args:
        run: The run.
        shards: The chosen shards.
        folder: Receives the outputs.
    """
    repeated: dict[str, Path | None] = {}
    for number, record in enumerate(run.records):
        # Not what the record says: it may come from others, and its rule names a script to run.
        kind = declared(record["rule"]) if record is not None else None
        if record is None or kind is None or not kind.repeatable:
            continue
        shard = record["wildcards"].get("shard")
        if shard is not None and shard not in shards:
            continue
        own = folder / str(number)
        name, compared = title(record), "its outputs, when the job is repeated"
        try:
            outputs = _outputs(record, own)
            repeated |= dict.fromkeys(outputs)  # until the job has succeeded
            _run_again(run, record, outputs, own, repeated)
            repeated |= outputs
        except Exception as error:
            yield _not_repeated(name, compared, error)
        else:
            yield check(name, compared, compared_outputs, record, outputs)


def _outputs(record: Record, folder: Path) -> dict[str, Path]:
    """Where the repeated job writes each output, by the path that it has in the run.

    Below `folder` outputs keep their names and folders, since a stage may derive one from another.
    """
    return {
        output["path"]: folder.joinpath(
            *(part for part in Path(output["path"]).parts if part.strip("/."))
        )
        for output in record["outputs"]
    }


def _run_again(
    run: Reported,
    record: Record,
    outputs: Mapping[str, Path],
    folder: Path,
    repeated: Mapping[str, Path | None],
) -> None:
    """Run the script of a job.

    Raises:
        UserError: It needs an output of a job that could not be repeated.
    """

    def named(side: str, paths: Mapping[str, list[str]]) -> _Named:
        lists = record["lists"]
        return _Named({n: p if f"{side}.{n}" in lists else p[0] for n, p in paths.items()})

    inputs = {n: [_again(path, repeated) for path in p] for n, p in record["inputs"].items()}
    by_name: dict[str, list[str]] = {}
    for output in record["outputs"]:
        by_name.setdefault(output["name"], []).append(str(outputs[output["path"]]))
    job = SimpleNamespace(
        rule=record["rule"],
        input=named("inputs", inputs),
        output=_Named(named("outputs", by_name), origin=str(folder / "record.json")),
        params=_Named(record["params"]),
        wildcards=_Named(record["wildcards"]),
        threads=record["threads"],
        config=run.config,
        log=(),
    )
    runpy.run_path(str(script_of(record["rule"])), {"snakemake": job}, "__main__")


def _again(path: str, repeated: Mapping[str, Path | None]) -> str:
    """The path to read instead of an input: the repeated job's output if a job wrote it."""
    replacement = repeated.get(path, path)
    if replacement is None:
        raise UserError(
            "audit.input_not_repeated",
            "{path} is an input, and the job that writes it could not be repeated.",
            path=path,
        )
    return str(replacement)


def _not_repeated(name: str, compared: str, error: Exception) -> Check:
    """The check of a job that fails: SKIP if a library is not installed here."""
    # A `UserError` about a missing library is raised while its ImportError is handled.
    if isinstance(error.__context__ or error, ImportError):
        return Check(name, compared, "SKIP", str(error))

    def again() -> Outcome:
        raise error

    return check(name, compared, again)
