"""`soco export-crate`: build the crate of a run."""

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from rocrate.rocrate import ROCrate

from soco.environment import REPOSITORY, git_state
from soco.errors import UserError
from soco.io import atomic_write
from soco.provenance.crate.actions import add_actions
from soco.provenance.crate.citation import cite
from soco.provenance.crate.files import add_entity, add_text
from soco.provenance.crate.holdings import add_holdings
from soco.provenance.crate.tools import add_workflow
from soco.provenance.reading import Run, read_run

RO_CRATE = "1.1"  # the base of Workflow RO-Crate 1.0 and of the run profiles 0.5
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# Terms that the context of RO-Crate 1.1 lacks.
TERMS = {
    "sha256": "http://schema.org/sha256",
    "resourceUsage": "https://w3id.org/ro/terms/workflow-run#resourceUsage",
}
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can store
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class Exported:
    """How many files of the run a crate contains, and how many it only describes."""

    packed: int
    described: int

    def words(self, output: Path) -> str:
        """A sentence about the crate that was written to `output`."""
        more = (
            f"; {self.described} more are described by size and SHA-256" if self.described else ""
        )
        return f"Wrote {output} with {self.packed} files of the run{more}."


def export(report: Path, output: Path, folder: Path | None, with_weights: bool) -> str:
    """Write the crate of a report's run.

    Returns:
        A sentence about its contents.

    Raises:
        UserError: The report or a file of the run is missing, or was changed.
    """
    run = read_run(report)
    return export_crate(run, folder or folder_of(run), output, with_weights).words(output)


def folder_of(run: Run) -> Path:
    """The folder that the run worked in, from the report's path; `.` if the results were moved."""
    below = Path(run["config"].get("results", "results"), "report")
    parent = run.path.resolve().parent
    if not below.is_absolute() and parent.parts[-len(below.parts) :] == below.parts:
        return parent.parents[len(below.parts) - 1]
    return Path()


def export_crate(
    run: Run, folder: Path, output: Path, with_weights: bool = False, root: Path = REPOSITORY
) -> Exported:
    """Write the crate of a run.

    Args:
        run: The run; its report.html is in the folder of its report.json.
        folder: The folder that the run worked in: the paths of its files are relative to it.
        output: A `.zip`, whose bytes depend only on the run and the code, or a new folder.
        with_weights: Whether to pack files above a megabyte, too.
        root: The folder of the Snakefile.

    Raises:
        UserError: A file is missing or was changed since the report; the folder is not empty.
    """
    is_zip = output.suffix == ".zip"
    if not is_zip and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(
            "crate.output_exists",
            "{path} already exists; give a new folder, or a name that ends in .zip.",
            path=output,
        )
    crate = ROCrate(version=RO_CRATE, gen_preview=True)
    crate.metadata.extra_terms |= TERMS
    holdings = add_holdings(crate, run, folder, with_weights)
    workflow, steps = add_workflow(crate, run, root, holdings)
    add_actions(crate, run, workflow, steps, holdings)
    _describe(crate, run, root)
    _unwrap(crate)
    if is_zip:
        with tempfile.TemporaryDirectory() as staged, atomic_write(output) as temporary:
            crate.write(staged)
            _pack(Path(staged), temporary)
    else:
        crate.write(output)
    return Exported(holdings.packed, holdings.described)


def _pack(folder: Path, output: Path) -> None:
    """Zip all files of a folder in the order of their names, without times and owners."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    with zipfile.ZipFile(output, "w") as archive:
        for name, path in sorted(files.items()):
            member = zipfile.ZipInfo(name, _EARLIEST)
            member.external_attr, member.compress_type = _MODE, zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as packed:
                while chunk := source.read(1 << 20):
                    packed.write(chunk)


def _describe(crate: ROCrate, run: Run, root: Path) -> None:
    cited = cite(crate, root / "CITATION.cff")
    about = crate.root_dataset
    about["name"] = f"A run of: {cited['title']}"
    code = _code_words(run, root)
    about["description"] = (
        "A run of the SoCo workflow: code, configuration, lock file, report, and the inputs and"
        f" outputs of each job. {code} Large files, and data of others, are only described, by"
        " their SHA-256. The licence is that of the workflow; images in the report belong to"
        " their owners."
    )
    about["datePublished"] = run["made"]
    for key in ("author", "license", "citation"):
        about[key] = cited[key]
    about["conformsTo"] = [
        add_entity(crate, url, "CreativeWork", name=name, version=version)
        for url, (name, version) in PROFILES.items()
    ]
    crate.mainEntity["license"], crate.mainEntity["creator"] = cited["license"], cited["author"]
    add_text(crate, _readme(run, code), "README.md", about={"@id": "./"})


def _unwrap(crate: ROCrate) -> None:
    """Replace lists of one value by the value, as RO-Crate recommends."""
    for entity in crate.get_entities():
        properties = entity.properties()
        for key, value in properties.items():
            if isinstance(value, list) and len(value) == 1:
                properties[key] = value[0]


def _code_words(run: Run, root: Path) -> str:
    """A sentence on whether the code in the crate is the code that the jobs ran."""
    states = [environment["code"] for environment in run["environments"]] or [run["git"]]
    ran = list(dict.fromkeys(map(_commit_words, states)))
    state = git_state(root)
    here = _commit_words(state)
    if ran == [here] and not state["dirty"]:
        return f"The code in this crate is that of the run, {here}."
    return f"The code in this crate is {here}; the jobs ran {' and '.join(ran)}."


def _commit_words(state: dict[str, object]) -> str:
    if not state["commit"]:
        return "an unknown commit"
    return f"commit {state['commit']}" + (" with uncommitted changes" if state["dirty"] else "")


def _readme(run: Run, code: str) -> str:
    redo = "\n".join(f"    {command}" for command in run["redo"])
    return f"""# A run of the SoCo workflow

`results/report/report.html` is the report of the run. `ro-crate-metadata.json` describes, in
machine-readable form, which job wrote which file from which inputs
([Workflow Run RO-Crate](https://www.researchobject.org/workflow-run-crate/)). `config.yaml` is the
complete configuration of the run. {code}

To run it again, use a clone with this config.yaml, or this folder after `rm -rf results` (without
`git checkout`). Your own data must be where `config.yaml` says:

{redo}
"""
