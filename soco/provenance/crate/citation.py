"""Authors, licence and paper of the workflow, from CITATION.cff."""

import re
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.errors import UserError
from soco.provenance.crate.files import add_entity


def cite(crate: ROCrate, path: Path) -> dict[str, Any]:
    """Add authors, licence and papers to a crate.

    Returns:
        The root's `author`, `license` and `citation`, and the `title`.

    Raises:
        UserError: The file is missing.
    """
    try:
        cited = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(
            "crate.citation_missing",
            "There is no {path}; the crate's authors and licence come from it, so restore it.",
            path=path,
        ) from None
    name, url = cited["license"], f"https://spdx.org/licenses/{cited['license']}"
    licence = {"name": f"{name} License", "description": f"The {name} License, see {url}"}
    return {
        "title": cited["title"],
        "author": [_author(crate, author) for author in cited["authors"]],
        "license": add_entity(crate, url, "CreativeWork", **licence),
        "citation": [_paper(crate, paper) for paper in cited.get("references", [])],
    }


def _author(crate: ROCrate, author: dict[str, str]) -> ContextEntity:
    """A person, or a group with one name."""
    if "family-names" not in author:
        return add_entity(crate, f"#{_slug(author['name'])}", "Organization", name=author["name"])
    name = f"{author.get('given-names', '')} {author['family-names']}".strip()
    return add_entity(crate, author.get("orcid", f"#{_slug(name)}"), "Person", name=name)


def _paper(crate: ROCrate, paper: dict[str, Any]) -> ContextEntity:
    properties = {
        "name": paper["title"],
        "author": [_author(crate, author) for author in paper["authors"]],
        "datePublished": str(paper["year"]),
        "url": paper["url"],
    }
    return add_entity(crate, paper["url"], "ScholarlyArticle", **properties)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
