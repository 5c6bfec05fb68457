"""Crowd regions: objects that are neither trained on nor scored.

And `ignore`, which makes an object one.
"""

from typing import Any

from soco.data.checks.boxes import Faults
from soco.data.checks.findings import Findings
from soco.data.checks.tables import Entry

MOST_CROWDS = 0.1
"""Share of crowd regions above which a half is noted; COCO has 1 %."""

_TRUE = ("1", "1.0", "true", "yes")
_FALSE = ("0", "0.0", "false", "no")


class Crowds:
    """Repairs `iscrowd` and `ignore` of one object after the other.

    Judges a half when all are seen.
    """

    def __init__(self, faults: Faults) -> None:
        """Start with no object.

        Args:
            faults: Receives the labels of the objects with faults.
        """
        self._faults = faults
        self._ignored: set[int] = set()

    def mend(self, entry: Entry, label: Any) -> None:
        """Make `iscrowd` of an object of a COCO set 0 or 1."""
        if type(entry.get("iscrowd")) is not int or entry["iscrowd"] not in (0, 1):
            self._faults["no iscrowd"].append(label)
            entry["iscrowd"] = int(_word(entry.get("iscrowd")) in _TRUE)
        if "ignore" not in entry or (type(entry["ignore"]) is int and entry["ignore"] == 0):
            return
        if entry["ignore"] is None or _word(entry["ignore"]) in _FALSE:
            self._faults["unclear ignore"].append(label)
        else:
            self._faults["ignored"].append(label)
            self._ignored.add(id(entry))
            entry["iscrowd"] = 1
        del entry["ignore"]

    def drop(self, entry: Entry, label: Any) -> None:
        """Take `iscrowd` off an object of an LVIS set, which knows no crowd regions."""
        if entry.get("iscrowd", 0) != 0:
            self._faults["crowd in LVIS"].append(label)
            del entry["iscrowd"]

    def judge(self, kept: list[Entry], findings: Findings) -> None:
        """Take a half of crowd regions alone for one of single objects; note a half with many."""
        crowds = [entry for entry in kept if entry.get("iscrowd")]
        if not crowds:
            return
        marked = [entry for entry in crowds if id(entry) not in self._ignored]
        if len(crowds) < len(kept):
            if len(crowds) > MOST_CROWDS * len(kept):
                what = f"Objects with `iscrowd` 1, {len(crowds) / len(kept):.0%} of all"
                use = "trained on" if findings.half == "train" else "scored"
                then = (
                    f"crowd regions are not {use}: if each is a single object (CVAT's brush masks"
                    " are), set it to 0"
                )
                findings.add("noted", what, _ids(crowds), then)
        elif marked:
            for entry in marked:
                entry["iscrowd"] = 0
            what = "Objects with `iscrowd` 1, in a half without any other"
            then = "taken for single objects, as CVAT exports brush masks: `iscrowd` set to 0"
            findings.add("mended", what, _ids(marked), then)
        else:
            then = (
                f"nothing is left to {'train on' if findings.half == 'train' else 'score'}: take"
                " `ignore` off"
            )
            findings.add(
                "refused", "Objects with `ignore`, in a half without any other", _ids(crowds), then
            )


def _ids(entries: list[Entry]) -> list[Any]:
    return [entry.get("id") for entry in entries]


def _word(value: Any) -> str:
    return str(value).strip().lower()
