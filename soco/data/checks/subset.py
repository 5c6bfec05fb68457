"""Use only some images of a training split: the seed chooses which."""

from dataclasses import dataclass

from soco.data.checks.findings import Findings
from soco.data.checks.images import Images, shown_name
from soco.data.checks.tables import Tables
from soco.seeds import generator


@dataclass(frozen=True)
class Subset:
    """Which images of a split are used.

    Attributes:
        count: How many.
        seed: The seed that chooses them; a smaller number is a subset of a larger one.
    """

    count: int
    seed: int


def keep_subset(content: Tables, images: Images, subset: Subset, findings: Findings) -> Images:
    """Drop the images that are not chosen, and their objects.

    Images without an object, or with crowd regions only, are never chosen: training skips them.

    Args:
        content: The checked tables; `images` and `annotations` are changed in place.
        images: The checked images.
        subset: How many to keep.
        findings: Receives the images that are left out, or why the subset is refused.

    Returns:
        The images that are used.
    """
    labelled = {entry["image_id"] for entry in content["annotations"] if not entry.get("iscrowd")}
    candidates = [key for key in images.usable if key in labelled]
    names = {key: shown_name(entry) for key, entry in images.usable.items()}
    if len(candidates) < subset.count:
        shown = [names[key] for key in candidates]
        findings.add("subset.too_few", shown, count=subset.count)
        return images
    # A prefix of one permutation, so that the subsets of one seed are nested.
    order = generator(subset.seed, "max_train_images").permutation(len(candidates))
    chosen = {candidates[place] for place in order[: subset.count]}
    left_out = [names[key] for key in images.usable if key not in chosen]
    findings.add("subset.left_out", left_out, count=subset.count)
    content["images"] = [entry for key, entry in images.usable.items() if key in chosen]
    content["annotations"] = [
        entry for entry in content["annotations"] if entry["image_id"] in chosen
    ]
    return Images(
        usable={key: entry for key, entry in images.usable.items() if key in chosen},
        unusable=images.unusable,
        contents={key: digest for key, digest in images.contents.items() if key in chosen},
    )
