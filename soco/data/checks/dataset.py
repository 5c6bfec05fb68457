"""Check both halves of a detection set, tell what was found, and write the copies that are used."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from soco.config import DatasetConfig, SplitConfig
from soco.config.known import KNOWN, KnownSplit
from soco.data.checks.categories import check_categories, match_categories, note_unused
from soco.data.checks.counts import refuse_other_counts
from soco.data.checks.findings import Finding, Findings, HalfName
from soco.data.checks.images import Images, check_images
from soco.data.checks.objects import check_objects
from soco.data.checks.tables import Entry, Tables, encoding, lvis_faults, read_tables
from soco.errors import UserError, printable
from soco.io import atomic_write, origin_inside, write_result


@dataclass(frozen=True)
class CheckedHalf:
    """One half, checked.

    Attributes:
        split: Where it lies.
        content: The tables as they are used.
        images: Its images.
        findings: What was found in it.
    """

    split: SplitConfig
    content: Tables
    images: Images
    findings: Findings

    def counts(self) -> dict[str, int]:
        """Images, objects and categories as they are used."""
        tables = {"images": "images", "objects": "annotations", "categories": "categories"}
        return {name: len(self.content[table]) for name, table in tables.items()}


@dataclass(frozen=True)
class CheckedDataset:
    """A detection set, checked.

    Attributes:
        halves: `train` and `val`; a half whose file or categories cannot be read is not among them.
        findings: All that was found, halves first, then what concerns both.
    """

    halves: dict[HalfName, CheckedHalf]
    findings: list[Finding]

    @property
    def refused(self) -> list[Finding]:
        """What forbids to use the set."""
        return [finding for finding in self.findings if finding.kind == "refused"]

    def describe(self, name: str) -> str:
        """What was found, as lines of text."""
        return "\n".join(map(printable, _lines(self, name)))

    def write(self, train: Path, val: Path, report: Path) -> None:
        """Write what training and evaluation read.

        Args:
            train: Receives the training half: the file itself, byte for byte, where nothing had to
                be mended.
            val: Receives the validation half.
            report: Receives the findings as JSON.

        Raises:
            UserError: The set is refused.
        """
        if self.refused:
            raise UserError(
                "The detection set is refused. "
                + " ".join(found.sentence for found in self.refused)
            )
        for half, path in ((self.halves["train"], train), (self.halves["val"], val)):
            with atomic_write(path) as temporary:
                if self.is_mended(half):
                    temporary.write_text(json.dumps({**half.content, **origin_inside()}))
                else:
                    shutil.copyfile(half.split.annotations, temporary)
        write_result(report, self.as_json())

    def is_mended(self, half: CheckedHalf) -> bool:
        """Whether a half is used otherwise than its file has it."""
        together = any(
            finding.kind == "mended" and finding.half == "both" for finding in self.findings
        )
        return together or half.findings.has("mended")

    def as_json(self) -> dict[str, Any]:
        """The findings as plain data."""
        return {
            "halves": {
                name: half.counts()
                | {"annotations": half.split.annotations, "mended": self.is_mended(half)}
                for name, half in self.halves.items()
            },
            "findings": [vars(finding) for finding in self.findings],
        }


def check_dataset(
    dataset: DatasetConfig, threads: int | None = None, cache: Path | None = None
) -> CheckedDataset:
    """Check a detection set; nothing of the user's is written to.

    Reads both annotation files and decodes every image. Objects, images and ids that would stop
    training or spoil its figures are mended in the copies that it returns, as far as the meaning is
    beyond doubt. A set that is said to be a published one (`known_as`) is refused where its files
    list other numbers than that.

    Args:
        dataset: The set.
        threads: How many images are decoded at once; None: one for each core.
        cache: Folder that remembers which images were decoded, such as `decoded_folder`; None
            decodes all.
    """
    halves: dict[HalfName, CheckedHalf] = {}
    findings: list[Finding] = []
    known = KNOWN.datasets[dataset.known_as] if dataset.known_as else None
    for name, split in (("train", dataset.train), ("val", dataset.val)):
        half_name: HalfName = "train" if name == "train" else "val"
        found = Findings(half_name)
        try:
            half = _check_half(
                split, dataset.format, getattr(known, name, None), found, threads, cache
            )
            findings += found.all
        except UserError as error:
            findings.append(Finding("refused", half_name, 1, str(error)))
        else:
            if half:
                halves[half_name] = half
    if len(halves) == 2:
        together = Findings("both")
        match_categories(halves["train"].content, halves["val"].content, together)
        if dataset.format == "lvis":
            _refuse_unscored(halves["val"].content, together)
        _tell_copies(halves["train"].images, halves["val"].images, together)
        findings += together.all
    return CheckedDataset(halves, findings)


def decoded_folder(results: str | Path, name: str) -> Path:
    """The folder of results that remembers which images of a detection set were decoded.

    No output of a rule.
    """
    return Path(results, "decoded_images", name)


def with_annotations(dataset: DatasetConfig, val: Path, train: Path | None = None) -> DatasetConfig:
    """The set with other annotation files, those that `CheckedDataset.write` wrote say.

    The images stay.
    """
    halves = {"train": train, "val": val}
    changed = {
        name: getattr(dataset, name).model_copy(update={"annotations": str(path)})
        for name, path in halves.items()
        if path
    }
    return dataset.model_copy(update=changed)


def _check_half(
    split: SplitConfig,
    form: str,
    known: KnownSplit | None,
    findings: Findings,
    threads: int | None,
    cache: Path | None,
) -> CheckedHalf | None:
    content = read_tables(split)
    coded = encoding(Path(split.annotations))
    if coded != "utf-8":
        then = "read so, and used as a copy that every tool reads"
        findings.add(
            "mended",
            f"Annotation files in {coded} and not in plain UTF-8",
            [split.annotations],
            then,
        )
    if known:
        refuse_other_counts(content, known, split.annotations, findings)
    categories = check_categories(content, findings)
    if findings.has("refused"):
        return None  # without sound ids, all that could be said of the objects is wrong
    remembered = cache / f"{findings.half}.parquet" if cache else None
    images = check_images(
        content, Path(split.images), findings, threads or joblib.cpu_count(), remembered
    )
    content["images"] = list(images.usable.values())
    content["annotations"] = check_objects(
        content["annotations"],
        images.usable,
        images.unusable,
        categories,
        crowds=form == "coco",
        published=known is not None,
        findings=findings,
    )
    if content["annotations"]:
        note_unused(content, form == "lvis", findings)
    elif images.usable:
        findings.add(
            "refused",
            "Files without an object that can be used",
            [split.annotations],
            "annotate some",
        )
    return CheckedHalf(split, content, images, findings)


def _refuse_unscored(content: Tables, findings: Findings) -> None:
    for table, key, ids in lvis_faults(content):
        then = "LVIS's evaluation needs it: add it, or set `format: coco` for this set"
        findings.add(
            "refused", f"Entries of the validation half's `{table}` without `{key}`", ids, then
        )


def _tell_copies(train: Images, val: Images, findings: Findings) -> None:
    known = {content: key for key, content in train.contents.items()}
    copies = [
        f"{_name(train.usable[known[content]])} and {_name(val.usable[key])}"
        for key, content in val.contents.items()
        if content in known
    ]
    then = "WARNING: an AP over images that were trained on says nothing; take them out of one half"
    findings.add(
        "noted", f"Validation images, of {len(val.usable)}, that are in both halves", copies, then
    )


def _name(image: Entry) -> str:
    return str(image.get("file_name") or image.get("coco_url"))


def _lines(checked: CheckedDataset, name: str) -> Iterator[str]:
    titles = {"train": "training half", "val": "validation half", "both": "both halves"}
    for half, title in titles.items():
        found = [finding for finding in checked.findings if finding.half == half]
        known = checked.halves.get(half)  # type: ignore[call-overload]
        if known:
            told = ", ".join(f"{count} {what}" for what, count in known.counts().items())
            yield f"{name}, {title} ({known.split.annotations}): {told}."
        elif found:
            yield f"{name}, {title}:"
        yield from (f"  {finding.kind}: {finding.sentence}" for finding in found)
    kinds = ("refused", "mended", "noted")
    sums = ", ".join(
        f"{sum(found.kind == kind for found in checked.findings)} {kind}" for kind in kinds
    )
    if checked.refused:
        yield f"{name} cannot be used: {sums}."
    else:
        yield (
            f"{name} can be used: {sums}; {len(checked.halves['train'].content['categories'])}"
            " classes."
        )
