"""Rebuild the page from report.json and the files, and compare its text and its figures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA
from soco.environment import environment, same_machine
from soco.errors import UserError
from soco.jobs import Record, read_record
from soco.provenance.audit.checks import Check, Outcome, check
from soco.provenance.audit.reported import Reported, outputs_of
from soco.report.build import make_page

_FIGURE = re.compile(r'src="(data:image/(?:jpeg|svg\+xml);base64,)([A-Za-z0-9+/=]*)" alt="([^"]*)"')
_COMPARED = "the page, built again from report.json and the files"
_LONGEST = 70


@dataclass(frozen=True)
class Page:
    """A page in parts.

    Attributes:
        lines: Its lines with all tags, without the bytes of the figures.
        figures: The bytes of each figure, in base64, with its alternative text.
    """

    lines: list[str]
    figures: list[tuple[str, str]]


def check_page(run: Reported) -> Iterator[Check]:
    """Check the record of the page's job, the page's text and its figures."""
    page = run.path.with_suffix(".html").name
    built: list[tuple[Record, Page, Page]] = []

    def work() -> Outcome:
        record = read_record(run.own_record)
        faults = _faults_of_record(run, record)
        stored = parted(outputs_of(record, "html")[0].read_bytes().decode())
        built.append((record, stored, _built_again(run)))
        return faults, "It belongs to this report, and to the code that the report names."

    yield check(f"{page}: its record", "the report", work)
    if built:
        yield _text(f"{page}: text and tables", *built[0])
        yield _figures(f"{page}: figures", *built[0])


def parted(text: str) -> Page:
    """Split a page into text and figures."""
    figures = [(match[2], match[3]) for match in _FIGURE.finditer(text)]
    # Figures apart, since their bytes may differ on another machine while the text must not.
    return Page(_FIGURE.sub(r'src="\1" alt="\3"', text).split("\n"), figures)


def _faults_of_record(run: Reported, record: Record) -> list[str]:
    faults = []
    if record["environment"]["code"] != run.content.get("git"):
        faults.append(f"{run.own_record} does not name the same code as `git` in the report")
    names = {output["name"] for output in record["outputs"]}
    missing = [name for name in ("html", "json") if name not in names]
    return faults + [f"{run.own_record} names no {name} file" for name in missing]


def _built_again(run: Reported) -> Page:
    inputs = run.inputs()
    page, failed = make_page(inputs, read_table(inputs.store, PROPOSAL_SCHEMA), run.content)
    if failed:
        raise UserError(
            "audit.figure_failed",
            "The figure {figure} cannot be drawn again ({reason}).",
            figure=failed[0].figure,
            reason=failed[0].reason,
        )
    return parted(page)


def _text(name: str, record: Record, stored: Page, again: Page) -> Check:
    pairs = list(zip_longest(stored.lines, again.lines, fillvalue=""))
    other = [number for number, (one, two) in enumerate(pairs) if one != two]
    if not other:
        return Check(name, _COMPARED, "PASS", f"{len(stored.lines):,} lines are equal.")
    here, there = _around_difference(*pairs[other[0]])
    lines = "1 line differs" if len(other) == 1 else f"{len(other):,} lines differ"
    fault = f"{lines}, the first is {other[0] + 1}: {here!r}, and built again {there!r}."
    return _unequal(name, _other_code(record), fault)


def _figures(name: str, record: Record, stored: Page, again: Page) -> Check:
    pairs = list(zip_longest(stored.figures, again.figures, fillvalue=("", "")))
    other = [alt or alt_again for (one, alt), (two, alt_again) in pairs if one != two]
    if not other:
        return Check(name, _COMPARED, "PASS", f"{len(pairs)} figures are equal byte for byte.")
    differ = "1 figure differs" if len(other) == 1 else f"{len(other)} figures differ"
    fault = f"{differ} when built again, the first: {_short(other[0])!r}."
    return _unequal(name, _other_code(record) or _other_machine(record), fault)


def _unequal(name: str, reason: str, fault: str) -> Check:
    """FAIL, or SKIP if there is a reason for the difference."""
    return Check(name, _COMPARED, "SKIP" if reason else "FAIL", f"{reason} {fault}".strip())


def _other_code(record: Record) -> str:
    """A sentence if other code built the page: it may build another page of the same run."""
    then, now = record["environment"]["code"]["commit"], environment()["code"]["commit"]
    if then == now:
        return ""
    return f"The page was built by commit {then}, this is {now}; check out the former to compare."


def _other_machine(record: Record) -> str:
    if same_machine(record["environment"], environment()):
        return ""
    return "The page was built on another processor or with other packages."


def _around_difference(one: str, two: str) -> tuple[str, str]:
    """Both lines, from a little before the first character that differs."""
    pairs = enumerate(zip(one, two, strict=False))
    first = next((index for index, (a, b) in pairs if a != b), min(len(one), len(two)))
    start = max(0, first - _LONGEST // 2)
    return _short(one[start:]), _short(two[start:])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
