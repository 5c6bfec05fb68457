"""Check one split of a detection set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import joblib

from soco.config import SplitConfig
from soco.config.known import KnownSplit
from soco.data.checks.categories import check_categories, note_unused
from soco.data.checks.findings import Finding, Findings
from soco.data.checks.images import Images, check_images
from soco.data.checks.objects import check_objects
from soco.data.checks.subset import Subset, keep_subset
from soco.data.checks.tables import Tables, encoding, read_tables

_COUNTED = {"images": "images", "objects": "annotations", "categories": "categories"}


@dataclass(frozen=True)
class CheckedSplit:
    """One split after the check.

    Attributes:
        config: Where it is.
        content: The tables as they are used.
        images: Its images.
        findings: What was found in it.
        is_part: Whether only some of its images are used.
    """

    config: SplitConfig
    content: Tables
    images: Images
    findings: Findings
    is_part: bool = False

    def counts(self) -> dict[str, int]:
        """Images, objects and categories as they are used."""
        return _counts(self.content)


@dataclass(frozen=True)
class SplitJob:
    """What is checked, and how.

    Attributes:
        config: Where the split is.
        form: The format of its annotations.
        known: The published split that it should be; None: it is the user's own.
        threads: How many images are decoded at once; None: one for each core.
        cache: Parquet file of the decoded images; None: no cache.
        subset: Which images are used; None: all.
    """

    config: SplitConfig
    form: Literal["coco", "lvis"]
    known: KnownSplit | None
    threads: int | None
    cache: Path | None
    subset: Subset | None = None


def check_split(job: SplitJob, findings: Findings) -> CheckedSplit | None:
    """Read and check one split.

    Args:
        job: What to check.
        findings: Receives what was found.

    Returns:
        The repaired split; None if the categories or the published counts are refused, since all
        further findings would be unreliable.

    Raises:
        UserError: The annotation file or the image folder cannot be read.
    """
    config = job.config
    content = read_tables(config)
    encoded = encoding(Path(config.annotations))
    if encoded != "utf-8":
        findings.add("file.encoding", [config.annotations], encoding=encoded)
    if job.known:
        _refuse_other_counts(content, job.known, config.annotations, findings)
    categories = check_categories(content, findings)
    if findings.has("refused"):
        return None
    threads = job.threads or joblib.cpu_count()
    images = check_images(content, Path(config.images), findings, threads, job.cache)
    content["images"] = list(images.usable.values())
    content["annotations"] = check_objects(
        content["annotations"], images, categories, job.form, job.known is not None, findings
    )
    if content["annotations"]:
        if job.subset:
            images = keep_subset(content, images, job.subset, findings)
        note_unused(content, job.form, findings)
    elif images.usable:
        findings.add("file.no_usable_object", [config.annotations])
    return CheckedSplit(config, content, images, findings, is_part=job.subset is not None)


def _refuse_other_counts(content: Tables, known: KnownSplit, path: str, findings: Findings) -> None:
    """Refuse a file that does not list the same number of entries as the published one."""
    counts, expected = _counts(content), known.counts.model_dump()
    if counts == expected:
        return
    sentence = (
        f"{path} lists {_in_words(counts)}, but {known.annotations.title} has {_in_words(expected)}"
        f" ({known.annotations.source}); download it again, or set `known_as` of this set to null."
    )
    wrong = sum(counts[name] != expected[name] for name in _COUNTED)
    findings.all.append(Finding("refused", findings.split, wrong, sentence, "file.other_counts"))


def _counts(content: Tables) -> dict[str, int]:
    return {name: len(content[table]) for name, table in _COUNTED.items()}


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
