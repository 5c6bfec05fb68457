"""Whether an annotation file holds what the published one holds."""

from soco.config.known import KnownSplit
from soco.data.checks.findings import Finding, Findings
from soco.data.checks.tables import Tables

_TABLES = {"images": "images", "objects": "annotations", "categories": "categories"}


def refuse_other_counts(content: Tables, known: KnownSplit, path: str, findings: Findings) -> None:
    """Refuse a file whose tables are not as long as the published ones.

    Args:
        content: The tables as the file has them, before anything is mended.
        known: The published half.
        path: The file, for the sentence.
        findings: Receives one finding, where a count differs.
    """
    found = {name: len(content[table]) for name, table in _TABLES.items()}
    expected = known.counts.model_dump()
    if found == expected:
        return
    sentence = (
        f"{path} lists {_words(found)}, and {known.annotations.title} {_words(expected)}"
        f" ({known.annotations.source}); fetch it again, or set `known_as` of this set to null."
    )
    wrong = sum(found[name] != expected[name] for name in _TABLES)
    findings.all.append(Finding("refused", findings.half, wrong, sentence))


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
