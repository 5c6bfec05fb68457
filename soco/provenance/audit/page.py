"""The page made again from report.json and the files, and compared.

Words exactly, figures where they must be equal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from soco.data.stores.parquet import read_table
from soco.data.stores.schema import PROPOSAL_SCHEMA
from soco.environment import environment
from soco.jobs import Record, read_record
from soco.provenance.audit.checks import Check, check, skipped
from soco.provenance.audit.evaluation import same_machine
from soco.provenance.audit.reported import Reported, output
from soco.report import report_inputs
from soco.report.build import make_page

_FIGURE = re.compile(r'src="(data:image/(?:jpeg|svg\+xml);base64,)([A-Za-z0-9+/=]*)" alt="([^"]*)"')
_COMPARED = "the page, made again from report.json and the files"
_LONGEST = 70


@dataclass(frozen=True)
class Page:
    """A page in parts.

    Attributes:
        words: Its lines, with every tag, without the figures' own bytes.
        figures: The bytes of each figure, in base64, with its alternative text.
    """

    words: list[str]
    figures: list[tuple[str, str]]


def check_page(run: Reported) -> Iterator[Check]:
    """The record of the page's job, the page's words and its figures."""
    page = run.path.with_suffix(".html").name
    made: list[tuple[Record, Page, Page]] = []

    def work() -> tuple[list[str], str]:
        record = read_record(run.own_record)
        faults = _faults_of_record(run, record)
        told = parted(output(record, "html").read_bytes().decode())
        made.append((record, told, _made_again(run, record)))
        return faults, "It tells of this report, and of the code that the report names."

    yield check(f"{page}: its record", "the report", work)
    if made:
        yield _words(f"{page}: words and tables", *made[0])
        yield _figures(f"{page}: figures", *made[0])


def parted(text: str) -> Page:
    """A page's words and figures."""
    figures = [(found[2], found[3]) for found in _FIGURE.finditer(text)]
    return Page(_FIGURE.sub(r'src="\1" alt="\3"', text).split("\n"), figures)


def _faults_of_record(run: Reported, record: Record) -> list[str]:
    faults = (
        [] if record["rule"] == "report" else [f"{run.own_record} is of the rule {record['rule']}"]
    )
    if record["environment"]["code"] != run.content.get("git"):
        faults.append(f"{run.own_record} names other code than `git` in the report")
    names = {made["name"] for made in record["outputs"]}
    return faults + [
        f"{run.own_record} names no {name} file" for name in ("html", "json") if name not in names
    ]


def _made_again(run: Reported, record: Record) -> Page:
    inputs = report_inputs(record["params"])
    page, failed = make_page(inputs, read_table(inputs.store, PROPOSAL_SCHEMA), run.content)
    if failed:
        raise RuntimeError(
            f"the figure {failed[0].figure} cannot be drawn again ({failed[0].reason})"
        )
    return parted(page)


def _words(name: str, record: Record, told: Page, again: Page) -> Check:
    pairs = list(zip_longest(told.words, again.words, fillvalue=""))
    other = [number for number, (one, two) in enumerate(pairs) if one != two]
    if not other:
        return Check(name, _COMPARED, "PASS", f"{len(told.words):,} lines are equal.")
    lines = "1 line differs" if len(other) == 1 else f"{len(other):,} lines differ"
    here, there = _apart(*pairs[other[0]])
    said = f"{lines}, the first {other[0] + 1}: it has {here!r}, and made again {there!r}."
    if reason := _other_code(record):
        return skipped(name, _COMPARED, f"{reason} {said}")
    return Check(name, _COMPARED, "FAIL", said)


def _figures(name: str, record: Record, told: Page, again: Page) -> Check:
    pairs = list(zip_longest(told.figures, again.figures, fillvalue=("", "")))
    other = [alt or alt_again for (one, alt), (two, alt_again) in pairs if one != two]
    if not other:
        return Check(name, _COMPARED, "PASS", f"{len(pairs)} figures are equal to the byte.")
    one, more = "1 figure differs from the one", f"{len(other)} figures differ from those"
    said = f"{one if len(other) == 1 else more} made again, the first: {_short(other[0])!r}."
    if reason := _other_code(record) or _other_machine(record):
        return skipped(name, _COMPARED, f"{reason} {said}")
    return Check(name, _COMPARED, "FAIL", said)


def _other_code(record: Record) -> str:
    """A sentence where the page was made by other code than this, which may make another page of the same run."""
    then, now = record["environment"]["code"]["commit"], environment()["code"]["commit"]
    if then == now:
        return ""
    return (
        f"The page was made by the code of {then}, and this is {now}: check that out to compare the"
        " page."
    )


def _other_machine(record: Record) -> str:
    if same_machine(record["environment"], environment()):
        return ""
    return (
        "The page was made on another processor or with other packages, which may draw other bytes."
    )


def _apart(one: str, two: str) -> tuple[str, str]:
    """Both lines from a little before the first character that differs."""
    place = next(
        (place for place, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]),
        None,
    )
    start = max(0, (min(len(one), len(two)) if place is None else place) - _LONGEST // 2)
    return _short(one[start:]), _short(two[start:])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
