"""Crowd regions, which are neither trained on nor scored, and `ignore`, which makes one."""

from typing import Any

from soco.data.checks.boxes import Faults
from soco.data.checks.findings import Findings
from soco.data.checks.tables import Entry

MOST_CROWDS = 0.1
"""Share of crowd regions above which a split gets a note; COCO has 1 %."""

_TRUE = ("1", "1.0", "true", "yes")
_FALSE = ("0", "0.0", "false", "no")


class Crowds:
    """Repairs `iscrowd` and `ignore` of each object, and judges the split once it has seen all."""

    def __init__(self, faults: Faults) -> None:
        """Take the mapping that receives the labels of objects with faults."""
        self._faults = faults
        self._ignored: set[int] = set()

    def repair(self, entry: Entry, label: Any) -> None:
        """Make `iscrowd` of an object of a COCO set 0 or 1."""
        if type(entry.get("iscrowd")) is not int or entry["iscrowd"] not in (0, 1):
            self._faults["crowd.no_iscrowd"].append(label)
            entry["iscrowd"] = int(_word(entry.get("iscrowd")) in _TRUE)
        if "ignore" not in entry or (type(entry["ignore"]) is int and entry["ignore"] == 0):
            return
        if entry["ignore"] is None or _word(entry["ignore"]) in _FALSE:
            self._faults["crowd.unclear_ignore"].append(label)
        else:
            self._faults["crowd.ignore"].append(label)
            self._ignored.add(id(entry))
            entry["iscrowd"] = 1
        del entry["ignore"]

    def remove(self, entry: Entry, label: Any) -> None:
        """Remove `iscrowd` from an object of an LVIS set, which has no crowd regions."""
        if entry.get("iscrowd", 0) != 0:
            self._faults["crowd.in_lvis"].append(label)
            del entry["iscrowd"]

    def judge(self, kept: list[Entry], findings: Findings) -> None:
        """Note a split with many crowd regions; use one of crowd regions only as single objects."""
        crowds = [entry for entry in kept if entry.get("iscrowd")]
        marked = [entry for entry in crowds if id(entry) not in self._ignored]
        train = findings.split == "train"
        if not crowds:
            return
        if len(crowds) < len(kept):
            share = len(crowds) / len(kept)
            if len(crowds) > MOST_CROWDS * len(kept):
                use = "trained on" if train else "scored"
                findings.add("crowd.many", _ids(crowds), share=share, use=use)
        elif marked:
            for entry in marked:
                entry["iscrowd"] = 0
            findings.add("crowd.all", _ids(marked))
        else:
            use = "train on" if train else "score"
            findings.add("crowd.all_ignored", _ids(crowds), use=use)


def _ids(entries: list[Entry]) -> list[Any]:
    return [entry.get("id") for entry in entries]


def _word(value: Any) -> str:
    return str(value).strip().lower()
