"""Who made the workflow, under which licence, and the paper of its method, from CITATION.cff."""

import re
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from soco.errors import UserError


def cite(crate: ROCrate, path: Path) -> dict[str, Any]:
    """Add authors, licence and papers to a crate.

    Returns:
        The root's `author`, `license` and `citation`, and the `title`.

    Raises:
        UserError: The file is missing.
    """
    try:
        told = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"There is no {path}; a crate takes its authors and licence from it, so put it back."
        ) from None
    return {
        "title": told["title"],
        "author": [_author(crate, author) for author in told["authors"]],
        "license": _licence(crate, told["license"]),
        "citation": [_paper(crate, paper) for paper in told.get("references", [])],
    }


def _author(crate: ROCrate, author: dict[str, str]) -> ContextEntity:
    """A person, or a group that goes by one name."""
    if "family-names" not in author:
        return _entity(crate, f"#{_slug(author['name'])}", "Organization", name=author["name"])
    name = f"{author.get('given-names', '')} {author['family-names']}".strip()
    return _entity(crate, author.get("orcid", f"#{_slug(name)}"), "Person", name=name)


def _licence(crate: ROCrate, name: str) -> ContextEntity:
    url = f"https://spdx.org/licenses/{name}"
    return _entity(
        crate,
        url,
        "CreativeWork",
        name=f"{name} License",
        description=f"The {name} License, see {url}",
    )


def _paper(crate: ROCrate, paper: dict[str, Any]) -> ContextEntity:
    authors = [_author(crate, author) for author in paper["authors"]]
    published = str(paper["year"])
    told = {
        "name": paper["title"],
        "author": authors,
        "datePublished": published,
        "url": paper["url"],
    }
    return _entity(crate, paper["url"], "ScholarlyArticle", **told)


def _entity(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> ContextEntity:
    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind} | properties))


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
