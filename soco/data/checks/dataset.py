"""Check both splits of a detection set, describe the findings, and write the copies to use."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soco.config import Config, DatasetConfig
from soco.config.known import KNOWN
from soco.data.checks.categories import match_categories
from soco.data.checks.findings import Finding, Findings, SplitName
from soco.data.checks.images import Images, shown_name
from soco.data.checks.split import CheckedSplit, SplitJob, check_split
from soco.data.checks.subset import Subset
from soco.data.checks.tables import lvis_faults
from soco.errors import UserError, printable
from soco.io import Origin, atomic_write, origin_inside, write_json


@dataclass(frozen=True)
class CheckedDataset:
    """A detection set after the check.

    Attributes:
        splits: `train` and `val`, without those whose file or categories cannot be read.
        findings: Everything that was found, in each split and then in both together.
    """

    splits: dict[SplitName, CheckedSplit]
    findings: list[Finding]

    @property
    def refused(self) -> list[Finding]:
        """The findings that make the set unusable."""
        return [finding for finding in self.findings if finding.kind == "refused"]

    def describe(self, name: str) -> str:
        """The findings as lines of text; `name` is the set's."""
        return "\n".join(map(printable, _lines(self, name)))

    def write(self, train: Path, val: Path, report: Path, origin: Origin | None = None) -> None:
        """Write what training and evaluation read.

        Args:
            train: Receives the training split: the file itself, byte for byte, if nothing was
                repaired or left out.
            val: Receives the validation split.
            report: Receives the findings as JSON.
            origin: What makes the files.

        Raises:
            UserError: The set is refused.
        """
        if self.refused:
            raise UserError(
                "checks.refused",
                "The detection set cannot be used. {reasons}",
                reasons=" ".join(finding.sentence for finding in self.refused),
            )
        for split, path in ((self.splits["train"], train), (self.splits["val"], val)):
            with atomic_write(path) as temporary:
                if self.is_repaired(split) or split.is_part:
                    temporary.write_text(json.dumps({**split.content, **origin_inside(origin)}))
                else:
                    shutil.copyfile(split.config.annotations, temporary)
        write_json(report, self.as_json(), origin)

    def is_repaired(self, split: CheckedSplit) -> bool:
        """Whether the copy of a split repairs what its file says."""
        together = any(
            finding.kind == "repaired" and finding.split == "both" for finding in self.findings
        )
        return together or split.findings.has("repaired")

    def as_json(self) -> dict[str, Any]:
        """The findings as plain data."""
        return {
            "splits": {
                name: split.counts()
                | {"annotations": split.config.annotations, "repaired": self.is_repaired(split)}
                | {"part": split.is_part}
                for name, split in self.splits.items()
            },
            "findings": [vars(finding) for finding in self.findings],
        }


def check_dataset(
    dataset: DatasetConfig,
    threads: int | None = None,
    cache: Path | None = None,
    seed: int = 1,
) -> CheckedDataset:
    """Check a detection set without changing any of the user's files.

    Reads both annotation files and decodes every image. Objects, images and ids that would stop
    training or distort AP are repaired in the returned copies if their meaning is clear. A set with
    `known_as` is refused if its counts are not those of the published set.

    Args:
        dataset: The set.
        threads: How many images are decoded at once; None: one for each core.
        cache: Folder of the cache of decoded images, see `decoded_folder`; None: no cache.
        seed: Chooses the training images that are used, if `max_train_images` limits them.
    """
    splits: dict[SplitName, CheckedSplit] = {}
    findings: list[Finding] = []
    known = KNOWN.datasets[dataset.known_as] if dataset.known_as else None
    most = dataset.max_train_images
    subsets = {"train": Subset(most, seed)} if most else {}
    names: tuple[SplitName, ...] = ("train", "val")
    for name in names:
        job = SplitJob(
            config=getattr(dataset, name),
            form=dataset.format,
            known=getattr(known, name, None),
            threads=threads,
            cache=cache / f"{name}.parquet" if cache else None,
            subset=subsets.get(name),
        )
        in_split = Findings(name)
        try:
            split = check_split(job, in_split)
            findings += in_split.all
        except UserError as error:
            findings.append(Finding("refused", name, 1, str(error), error.code))
        else:
            if split:
                splits[name] = split
    if len(splits) == 2:
        together = Findings("both")
        match_categories(splits["train"].content, splits["val"].content, together)
        if dataset.format == "lvis":
            for table, key, ids in lvis_faults(splits["val"].content):
                together.add("lvis.missing_key", ids, table=table, key=key)
        _note_copies(splits["train"].images, splits["val"].images, together)
        findings += together.all
    return CheckedDataset(splits, findings)


def check_data(config: Config) -> None:
    """`soco check-data`: print what is found in each detection set of a configuration.

    Writes nothing but the cache of decoded images, in `results`.

    Raises:
        UserError: A set is refused, or the configuration has none.
    """
    if not config.datasets:
        raise UserError(
            "checks.no_dataset", "The configuration has no detection set; add one to `datasets`."
        )
    refused = []
    for name, dataset in config.datasets.items():
        cache = decoded_folder(config.results, name)
        checked = check_dataset(dataset, cache=cache, seed=config.seed)
        print(checked.describe(name))
        if checked.refused:
            refused.append(name)
    if refused:
        raise UserError(
            "checks.unusable_datasets",
            "These detection sets cannot be used: {names}; correct what is refused above.",
            names=", ".join(refused),
        )


def decoded_folder(results: str | Path, name: str) -> Path:
    """The folder in `results` with the cache of a set's decoded images; not an output of a rule."""
    return Path(results, "decoded_images", name)


def with_annotations(dataset: DatasetConfig, val: Path, train: Path | None = None) -> DatasetConfig:
    """Return the set with the annotation files that `CheckedDataset.write` wrote.

    Args:
        dataset: The set.
        val: The written validation split.
        train: The written training split; None keeps the user's file.
    """
    paths = {"train": train, "val": val}
    changed = {
        name: getattr(dataset, name).model_copy(update={"annotations": str(path)})
        for name, path in paths.items()
        if path
    }
    return dataset.model_copy(update=changed)


def _note_copies(train: Images, val: Images, findings: Findings) -> None:
    """Note images with the same bytes in both splits."""
    known = {content: key for key, content in train.contents.items()}
    copies = [
        f"{shown_name(train.usable[known[content]])} and {shown_name(val.usable[key])}"
        for key, content in val.contents.items()
        if content in known
    ]
    findings.add("image.in_both_splits", copies, total=len(val.usable))


def _lines(checked: CheckedDataset, name: str) -> Iterator[str]:
    titles: dict[SplitName, str] = {
        "train": "training split",
        "val": "validation split",
        "both": "both splits",
    }
    for split, title in titles.items():
        of_split = [finding for finding in checked.findings if finding.split == split]
        if split in checked.splits:
            usable = checked.splits[split]
            counts = ", ".join(f"{count} {what}" for what, count in usable.counts().items())
            yield f"{name}, {title} ({usable.config.annotations}): {counts}."
        elif of_split:
            yield f"{name}, {title}:"
        yield from (f"  {finding.kind}: {finding.sentence}" for finding in of_split)
    totals = ", ".join(
        f"{sum(finding.kind == kind for finding in checked.findings)} {kind}"
        for kind in ("refused", "repaired", "noted")
    )
    if checked.refused:
        yield f"{name} cannot be used: {totals}."
    else:
        classes = len(checked.splits["train"].content["categories"])
        yield f"{name} can be used: {totals}; {classes} classes."
