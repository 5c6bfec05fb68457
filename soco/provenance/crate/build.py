"""Build the crate of a run."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.errors import UserError
from soco.io import atomic_write
from soco.provenance.compare import Run
from soco.provenance.crate.actions import add_actions
from soco.provenance.crate.archive import pack
from soco.provenance.crate.citation import cite
from soco.provenance.crate.code import REPOSITORY
from soco.provenance.crate.files import add_text
from soco.provenance.crate.git import code_words
from soco.provenance.crate.holdings import hold
from soco.provenance.crate.tools import add_workflow

RO_CRATE = "1.1"  # what Workflow RO-Crate 1.0 and the profiles of runs, 0.5, are written for
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


@dataclass(frozen=True)
class Exported:
    """What a crate holds: how many files of the run, and how many more it only tells of."""

    packed: int
    referred: int


def export_crate(
    run: Run, folder: Path, output: Path, with_weights: bool = False, root: Path = REPOSITORY
) -> Exported:
    """Write the crate of a run.

    Args:
        run: The run; its report.html lies beside its report.json.
        folder: Where the run worked: the paths of its files start there.
        output: A `.zip`, whose bytes follow from the run and the code alone, or a folder that is
            not there yet.
        with_weights: Whether files above a megabyte go into it, too.
        root: Where the workflow's Snakefile lies.

    Raises:
        UserError: A file is missing, or not the one that the report tells of; the folder is there
            and not empty.
    """
    if (
        output.suffix != ".zip"
        and output.exists()
        and (not output.is_dir() or any(output.iterdir()))
    ):
        raise UserError(
            f"{output} is there already; give a folder that is not, or a name that ends in .zip."
        )
    crate = ROCrate(version=RO_CRATE, gen_preview=True)
    crate.metadata.extra_terms |= TERMS
    held = hold(crate, run, folder, with_weights)
    workflow, steps = add_workflow(crate, run, root, held)
    add_actions(crate, run, workflow, steps, held)
    _describe(crate, run, root)
    _unwrap(crate)
    if output.suffix == ".zip":
        with tempfile.TemporaryDirectory() as staged, atomic_write(output) as temporary:
            crate.write(staged)
            pack(Path(staged), temporary)
    else:
        crate.write(output)
    return Exported(held.packed, held.referred)


def _describe(crate: ROCrate, run: Run, root: Path) -> None:
    cited = cite(crate, root / "CITATION.cff")
    about = crate.root_dataset
    about["name"] = f"A run of: {cited['title']}"
    code = code_words(run, root)
    about["description"] = (
        "A run of the SoCo workflow: code, configuration, lock of packages, report, and what each"
        f" job read and made. {code} Files that are too large, and data of others, are told of by"
        " their SHA-256. The licence is that of the workflow; images in the report belong to their"
        " owners."
    )
    about["datePublished"] = run["made"]
    for key in ("author", "license", "citation"):
        about[key] = cited[key]
    about["conformsTo"] = [_profile(crate, url) for url in PROFILES]
    crate.mainEntity["license"], crate.mainEntity["creator"] = cited["license"], cited["author"]
    add_text(crate, _readme(run, code), "README.md", about={"@id": "./"})


def _unwrap(crate: ROCrate) -> None:
    """A list of one value as the value, as RO-Crate recommends."""
    for entity in crate.get_entities():
        told = entity.properties()
        told |= {
            key: value[0]
            for key, value in told.items()
            if isinstance(value, list) and len(value) == 1
        }


def _profile(crate: ROCrate, url: str) -> ContextEntity:
    name, version = PROFILES[url]
    return crate.add(
        ContextEntity(
            crate, url, properties={"@type": "CreativeWork", "name": name, "version": version}
        )
    )


def _readme(run: Run, code: str) -> str:
    redo = "\n".join(f"    {command}" for command in run["redo"])
    return f"""# A run of the SoCo workflow

`results/report/report.html` tells what the run did; `ro-crate-metadata.json` tells, for programs, which job made which
file from what ([Workflow Run RO-Crate](https://www.researchobject.org/workflow-run-crate/)). `config.yaml` is the run's
whole configuration. {code}

To run it again, in a clone whose config.yaml is this one, or in this folder after `rm -rf results` (without `git
checkout`); data that were given must lie where `config.yaml` says:

{redo}
"""
