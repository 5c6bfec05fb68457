"""The jobs of two runs, matched, each with what became of its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from soco.provenance.compare.changes import Change, changes
from soco.provenance.compare.reading import Run

# Files that tell of times: no two runs have the same bytes, and nothing follows from that. None:
# all files of the rule.
_TELL_TIMES: dict[str, tuple[str, ...] | None] = {
    "shard_images": ("manifest.parquet",),
    "pretrain_model": ("log.jsonl", "metrics.json"),
    "finetune_detector": ("history.jsonl",),
    "measure_recall": None,
}


@dataclass(frozen=True)
class Files:
    """Files of both runs, by what their bytes say; each as a path from the folder of results."""

    same: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    timed: tuple[str, ...] = ()

    def __add__(self, more: "Files") -> "Files":
        return Files(
            *(getattr(self, name) + getattr(more, name) for name in self.__dataclass_fields__)
        )

    @property
    def differ(self) -> bool:
        """Whether any file is not the same in both."""
        return bool(self.other or self.only_a or self.only_b)


@dataclass(frozen=True)
class JobPair:
    """A job as both runs have it.

    Attributes:
        rule: Its rule.
        wildcards: What tells it from the rule's other jobs.
        files: Its outputs.
        in_both: Whether both runs had it.
        other_inputs: Inputs whose bytes are not the same in both, or that one side lacks.
        params: What differs in its parameters, and `seed` where that does.
        environment: Which of `code`, `python`, `packages` and `machine` differ.
    """

    rule: str
    wildcards: tuple[tuple[str, str], ...]
    files: Files
    in_both: bool
    other_inputs: tuple[str, ...]
    params: tuple[Change, ...]
    environment: tuple[str, ...]


JobName = tuple[str, tuple[tuple[str, str], ...]]


def paired_jobs(a: Run, b: Run) -> Iterator[JobPair]:
    """The jobs in the order of A's stages, and then those that B alone has."""
    sides = _Side(a), _Side(b)
    for name in dict.fromkeys([*sides[0].jobs, *sides[1].jobs]):
        made = [side.made.get(name, {}) for side in sides]
        files = _compared(name[0], made[0], made[1])
        one, other = (side.jobs.get(name) for side in sides)
        if one is None or other is None:
            yield JobPair(*name, files, False, (), (), ())
        else:
            settings = [job["params"] | {"seed": job["seed"]} for job in (one, other)]
            environments = [
                run["environments"][job["environment"]] for run, job in ((a, one), (b, other))
            ]
            unlike = tuple(change.key for change in changes(*environments))
            environment = tuple(dict.fromkeys(key.split(".")[0] for key in unlike))
            inputs = _other_inputs(sides, (one, other))
            yield JobPair(*name, files, True, inputs, tuple(changes(*settings)), environment)


class _Side:
    """The jobs and files of one run; all paths from its folder of results.

    Attributes:
        jobs: By rule and wildcards.
        made: The digest of each output of a job by its path.
        digests: The digest of each path that the report tells of: files and data.
        timed: Paths of files that tell of times.
    """

    def __init__(self, run: Run) -> None:
        names = [(job["rule"], tuple(sorted(job["wildcards"].items()))) for job in run["jobs"]]
        inputs = [[run.within_results(path) for path in job["inputs"]] for job in run["jobs"]]
        self.jobs = {
            name: job | {"inputs": read}
            for name, job, read in zip(names, run["jobs"], inputs, strict=True)
        }
        self.digests: dict[str, str | None] = {
            run.within_results(entry["path"]): entry["digest"] for entry in run["data"]
        }
        self.made: dict[JobName, dict[str, str]] = {}
        self.timed: set[str] = set()
        for entry in run["artefacts"]:
            path, name = run.within_results(entry["path"]), names[entry["job"]]
            self.made.setdefault(name, {})[path] = self.digests[path] = entry["sha256"]
            if _is_timed(name[0], path):
                self.timed.add(path)


def _other_inputs(
    sides: tuple[_Side, _Side], jobs: tuple[dict[str, Any], dict[str, Any]]
) -> tuple[str, ...]:
    one, other = (set(job["inputs"]) for job in jobs)
    unlike = {
        path for path in one & other if sides[0].digests.get(path) != sides[1].digests.get(path)
    }
    return tuple(sorted((unlike | one ^ other) - sides[0].timed - sides[1].timed))


def _compared(rule: str, a: dict[str, str], b: dict[str, str]) -> Files:
    found: dict[str, list[str]] = {}
    for path in dict.fromkeys([*a, *b]):
        if path not in a or path not in b:
            kind = "only_b" if path not in a else "only_a"
        elif _is_timed(rule, path):
            kind = "timed"
        else:
            kind = "same" if a[path] == b[path] else "other"
        found.setdefault(kind, []).append(path)
    return Files(**{kind: tuple(paths) for kind, paths in found.items()})


def _is_timed(rule: str, path: str) -> bool:
    names = _TELL_TIMES.get(rule, ())
    return names is None or PurePosixPath(path).name in names
