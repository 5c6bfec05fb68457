# The columns of `snakemake --report FILE.html`, Snakemake's own report. Its texts are in rules/captions/.
#
# In:  the configuration and, when the report is written, the results.
# Out: the functions of the rules' `labels`: the columns in which a result is listed, with its main figures. Snakemake
#      calls them only when it writes the report, so no job depends on them.
#
# Snakemake's page turns a column with two values, each in half of the rows, into a switch, and stays blank if the rows
# of the two sides do not pair. So no two kinds of result share a column, and invisible spaces at the end make all values
# of a column differ. The page never makes a switch of the first column.

import json


def row(place, first, **columns):
    """The labels of the result at this place among its kind; `first` is name and value of the first column."""
    padded = {name.replace("_", " "): f"{value}{' ' * place}" for name, value in columns.items()}
    return {first[0]: first[1], **padded}


def place_of(key, keys):
    """The index of a key, or after all others."""
    return [*keys, key].index(key)


def read_json(path):
    """The content of a result."""
    return json.loads(Path(path).read_text())


def figure(value, form=".1f"):
    """A figure in words; a dash for None."""
    return "–" if value is None else format(value, form)


def pretraining_row(wildcards, output):
    """The pretraining, its length and final loss."""
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
    """The weights, the kind of file, and how much the features differ from the original's."""
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
    """Probe, backbone and both accuracies."""
    found = read_json(output.metrics)
    return row(
        place_of((wildcards.probe, wildcards.initialisation), PROBES),
        ("probe", wildcards.probe),
        backbone_from=wildcards.initialisation,
        kNN_top_1=figure(found["knn"]["top1"]),
        linear_top_1=figure(found["linear"]["top1"]),
    )


def findings_row(wildcards, output):
    """The detection set, its size, and how many findings there are."""
    found = read_json(output.findings)
    train, val = found["splits"]["train"], found["splits"]["val"]
    return row(
        place_of(wildcards.dataset, config["datasets"]),
        ("detection set", wildcards.dataset),
        training_images=train["images"],
        validation_images=val["images"],
        validation_objects=val["objects"],
        findings=len(found["findings"]),
    )


def counts_row(wildcards, output):
    """Counts of the store of proposals."""
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
    """Medians of the proposals: number per image, size and shape."""
    found = read_json(output.statistics)["proposals"]
    return row(
        0,
        ("proposals per image", figure(found["per_image"]["median"], "g")),
        relative_size=figure(found["relative_size"]["median"], ".2f"),
        width_to_height=figure(found["aspect_ratio"]["median"], ".2f"),
    )


def recall_row(wildcards, output):
    """The detection set, and the share of its objects that four boxes of each engine find."""
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
