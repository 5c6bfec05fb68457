"""The jobs of two runs, matched by rule and wildcards, and their files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from soco.provenance.changes import Change, changes
from soco.provenance.reading import Run

JobName = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Files:
    """Files of both runs, compared byte by byte, as paths relative to the folder of results.

    Those that contain times (`deterministic` is false in the report) are `varying` and not
    compared: no two runs write the same bytes.
    """

    same: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()

    def __add__(self, more: "Files") -> "Files":
        return Files(*(getattr(self, name) + value for name, value in vars(more).items()))

    @property
    def differ(self) -> bool:
        """Whether any file differs, or is missing on one side."""
        return bool(self.other or self.only_a or self.only_b)


@dataclass(frozen=True)
class JobPair:
    """A job of both runs.

    Attributes:
        rule: The rule's name.
        wildcards: Names and values of its wildcards.
        files: Its outputs.
        in_both: Whether both runs have it.
        other_inputs: Inputs with other bytes, or that one side lacks.
        params: Parameters, and the seed, that differ.
        environment: Which of `code`, `python`, `packages` and `machine` differ.
    """

    rule: str
    wildcards: tuple[tuple[str, str], ...]
    files: Files
    in_both: bool = False
    other_inputs: tuple[str, ...] = ()
    params: tuple[Change, ...] = ()
    environment: tuple[str, ...] = ()

    @property
    def diverges(self) -> bool:
        """Whether files differ though all inputs are equal: the runs diverge here."""
        return self.in_both and bool(self.files.other) and not self.other_inputs


def paired_jobs(a: Run, b: Run) -> Iterator[JobPair]:
    """The jobs in the order of A, and then those that only B has."""
    one, other = _Side(a), _Side(b)
    varying = one.varying | other.varying
    for name in dict.fromkeys([*one.jobs, *other.jobs]):
        files = _compared(one.outputs.get(name, {}), other.outputs.get(name, {}), varying)
        if name not in one.jobs or name not in other.jobs:
            yield JobPair(*name, files)
            continue
        jobs = one.jobs[name], other.jobs[name]
        inputs = [{run.within_results(path) for path in job["inputs"]}
                  for run, job in zip((a, b), jobs, strict=True)]  # fmt: skip
        unlike = {
            path
            for path in inputs[0] & inputs[1]
            if one.digests.get(path) != other.digests.get(path)
        }
        settings = [job["params"] | {"seed": job["seed"]} for job in jobs]
        environments = [run["environments"][job["environment"]]
                        for run, job in zip((a, b), jobs, strict=True)]  # fmt: skip
        yield JobPair(
            *name,
            files,
            in_both=True,
            other_inputs=tuple(sorted((unlike | inputs[0] ^ inputs[1]) - varying)),
            params=tuple(changes(*settings)),
            environment=tuple(
                dict.fromkeys(change.key.split(".")[0] for change in changes(*environments))
            ),
        )


class _Side:
    """The jobs and files of one run.

    Attributes:
        jobs: Jobs by rule and wildcards.
        outputs: The digest of each output of a job, by path.
        digests: The digest of each path in the report: files and data.
        varying: Paths of files that contain times.
    """

    def __init__(self, run: Run) -> None:
        names = [(job["rule"], tuple(sorted(job["wildcards"].items()))) for job in run["jobs"]]
        self.jobs: dict[JobName, dict[str, Any]] = dict(zip(names, run["jobs"], strict=True))
        self.digests: dict[str, str | None] = {
            run.within_results(entry["path"]): entry["digest"] for entry in run["data"]
        }
        self.outputs: dict[JobName, dict[str, str]] = {}
        self.varying: set[str] = set()
        for entry in run["artefacts"]:
            path = run.within_results(entry["path"])
            self.outputs.setdefault(names[entry["job"]], {})[path] = entry["sha256"]
            self.digests[path] = entry["sha256"]
            if not entry.get("deterministic", True):
                self.varying.add(path)


def _compared(a: dict[str, str], b: dict[str, str], varying: set[str]) -> Files:
    by_kind: dict[str, list[str]] = {}
    for path in dict.fromkeys([*a, *b]):
        if path not in a or path not in b:
            kind = "only_b" if path not in a else "only_a"
        elif path in varying:
            kind = "varying"
        else:
            kind = "same" if a[path] == b[path] else "other"
        by_kind.setdefault(kind, []).append(path)
    return Files(**{kind: tuple(paths) for kind, paths in by_kind.items()})
