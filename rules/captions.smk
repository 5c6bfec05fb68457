# What `snakemake --report FILE.html`, Snakemake's own report, shows of the results. The texts are in rules/captions/.
#
# In:  the configuration and, once a report is asked for, the results themselves.
# Out: the columns by which a result is listed there, its figures among them: as a rule's `labels`. A function of these
#      is called when the page is written and never before, so that no job depends on it.
#
# A column whose values are two, each in half of the rows, is made a switch by the page, which goes blank where the rows
# of both sides do not pair. So the kinds of result share no column, and spaces at a value's end, which nobody sees, make
# every value of a column differ; of the first column the page makes no switch, and of two at once neither.

import json


def row(place, first, **columns):
    """The labels of the result at this place among its kind; `first` is the first column, a name and its value."""
    padded = {name.replace("_", " "): f"{value}{' ' * place}" for name, value in columns.items()}
    return {first[0]: first[1], **padded}


def place_of(key, keys):
    """The place of a key; after all others, if it is not among them."""
    return [*keys, key].index(key)


def read_json(path):
    """What a result holds."""
    return json.loads(Path(path).read_text())


def figure(value, form=".1f"):
    """A figure as it is shown; a dash where there is none."""
    return "–" if value is None else format(value, form)


def pretraining_row(wildcards, output):
    """The pretraining, its length and last loss."""
    found = read_json(output.metrics)
    return row(
        place_of(wildcards.run, config["pretrain"]),
        ("pretraining", wildcards.run),
        epochs=found["epochs"],
        steps=found["steps"],
        last_loss=figure(found["final_loss"], ".3f"),
        images_a_second=figure(found["images_per_second"]),
    )


def conversion_row(wildcards, output):
    """The weights, which part of them was converted, and how far features are from the original's."""
    found = read_json(output.summary)
    return row(
        place_of((wildcards.pretrained, wildcards.kind), CONVERSIONS),
        ("weights", wildcards.pretrained),
        kind=wildcards.kind,
        tensors=found["converted"],
        largest_difference=figure(max(found["feature_differences"].values(), default=None), ".1g"),
    )


def evaluation_row(wildcards, output):
    """Task, initialisation and seed of a detector, and its AP."""
    found = read_json(output.metrics)
    return row(
        place_of((wildcards.task, wildcards.initialisation, int(wildcards.seed)), EVALUATIONS),
        ("task", wildcards.task),
        initialisation=wildcards.initialisation,
        seed=wildcards.seed,
        box_AP=figure(found["box"]["AP"]),
        box_AP50=figure(found["box"]["AP50"]),
        mask_AP=figure(found["mask"]["AP"]),
    )


def probe_row(wildcards, output):
    """Probe and backbone, and both accuracies."""
    found = read_json(output.metrics)
    return row(
        place_of((wildcards.probe, wildcards.initialisation), PROBES),
        ("probe", wildcards.probe),
        backbone_from=wildcards.initialisation,
        kNN_top_1=figure(found["knn"]["top1"]),
        linear_top_1=figure(found["linear"]["top1"]),
    )


def findings_row(wildcards, output):
    """The detection set, its size, and how much was found in it."""
    found = read_json(output.findings)
    sizes = {half: found["halves"][half] for half in ("train", "val")}
    return row(
        place_of(wildcards.dataset, config["datasets"]),
        ("detection set", wildcards.dataset),
        training_images=sizes["train"]["images"],
        validation_images=sizes["val"]["images"],
        validation_objects=sizes["val"]["objects"],
        findings=len(found["findings"]),
    )


def counts_row(wildcards, output):
    """The store of proposals in figures."""
    found = read_json(output.summary)
    return row(
        0,
        ("images", str(found["images"])),
        skipped=found["skipped"],
        regions=found["regions"],
        proposals=found["proposals_after_fallbacks"],
        images_without=found["images_without_proposals_after_fallbacks"],
    )


def statistics_row(wildcards, output):
    """The usual proposal: how many an image, how large, of which shape."""
    found = read_json(output.statistics)["proposals"]
    return row(
        0,
        ("proposals an image", figure(found["per_image"]["median"], "g")),
        relative_size=figure(found["relative_size"]["median"], ".2f"),
        width_to_height=figure(found["aspect_ratio"]["median"], ".2f"),
    )


def recall_row(wildcards, output):
    """The set that was searched, and the share of its objects that four boxes of each engine find."""
    found = read_json(output.recall)
    shares = {
        each["engine"]: dict(zip(found["drawn"], each["proposals"]["recall_50"]["drawn"]))
        for each in found["engines"]
    }
    return row(
        place_of(wildcards.dataset, config["quality"]["recall"]),
        ("searched set", wildcards.dataset),
        objects=found["objects"],
        **{f"{engine} %": figure(100 * share[4]) for engine, share in shares.items()},
    )
