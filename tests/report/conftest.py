"""The report of a finished run, built once, and fixtures to inspect its page."""

import dataclasses
import html.parser
import json
from pathlib import Path

import pytest
from evaluated import metrics_of
from finished_run import write_run

from soco.report import ReportInputs
from soco.report.build import build_report


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> ReportInputs:
    """The demo's configuration with the files of a run of it."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def changed(inputs):
    """Make a copy of the inputs with some fields replaced."""
    return lambda **fields: dataclasses.replace(inputs, **fields)


class Page(html.parser.HTMLParser):
    """The tags of a page, with their attributes, and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def alts(self, part):
        """The alternative texts that contain `part`."""
        return [attrs["alt"] for attrs in self.all("img") if part in (attrs["alt"] or "")]


@pytest.fixture(scope="session")
def parsed():
    """Read a page."""
    return Page


@pytest.fixture(scope="session")
def build():
    """Build a report in a folder; returns its content and its page."""

    def build_into(inputs: ReportInputs, folder: Path) -> tuple[dict, str]:
        build_report(inputs, folder / "report.html", folder / "report.json")
        strict = json.loads(
            (folder / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name)
        )
        return strict, (folder / "report.html").read_text()

    return build_into


@pytest.fixture(scope="session")
def built(inputs, build, tmp_path_factory):
    """The report of the whole run."""
    return build(inputs, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def metrics():
    """Make one evaluation's metrics, see `metrics_of`."""
    return metrics_of
