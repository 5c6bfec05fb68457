# The columns of `snakemake --report FILE.html`, Snakemake's own report. Its texts are in
# rules/captions/.
#
# In:  the configuration and, when the report is written, the results.
# Out: the functions of the rules' `labels`: the columns in which a result is listed, with its main
#      numbers. Snakemake calls them only when it writes the report, so no job depends on them.
#
# Snakemake's page turns a column with two values, each in half of the rows, into a switch, and
# stays blank if the rows of the two sides do not pair up. So no two kinds of result share a column,
# and invisible trailing spaces make all values of a column differ. The page never turns the first
# column into a switch.

import json


def row(index, first, **columns):
    """The labels of a result, by its index among its kind; `first` is the first column."""
    padded = {name.replace("_", " "): f"{value}{' ' * index}" for name, value in columns.items()}
    return {first[0]: first[1], **padded}


def index_of(key, keys):
    """The index of a key; the number of keys if it is not among them."""
    return [*keys, key].index(key)


def read_json(path):
    """The content of a result."""
    return json.loads(Path(path).read_text())


def number_text(value, form=".1f"):
    """A number as text; a dash for None."""
    return "–" if value is None else format(value, form)


def pretraining_row(wildcards, output):
    """The pretraining, its length and final loss."""
    content = read_json(output.metrics)
    return row(
        index_of(wildcards.run, config["pretrain"]),
        ("pretraining", wildcards.run),
        epochs=number_text(content["epochs"], "g"),
        steps=content["steps"],
        last_loss=number_text(content["final_loss"], ".3f"),
        images_per_second=number_text(content["images_per_second"]),
    )


def conversion_row(wildcards, output):
    """The weights, the kind of file, and how much the features differ from the original's."""
    content = read_json(output.summary)
    return row(
        index_of((wildcards.pretrained, wildcards.kind), CONVERSIONS),
        ("weights", wildcards.pretrained),
        kind=wildcards.kind,
        tensors=content["converted"],
        largest_difference=number_text(
            max(content["feature_differences"].values(), default=None), ".1g"
        ),
    )


def evaluation_row(wildcards, output):
    """Task, initialisation and seed of a detector, and its AP."""
    content = read_json(output.metrics)
    return row(
        index_of((wildcards.task, wildcards.initialisation, int(wildcards.seed)), EVALUATIONS),
        ("task", wildcards.task),
        initialisation=wildcards.initialisation,
        seed=wildcards.seed,
        box_AP=number_text(content["box"]["AP"]),
        box_AP50=number_text(content["box"]["AP50"]),
        mask_AP=number_text(content["mask"]["AP"]),
    )


def probe_row(wildcards, output):
    """Probe, backbone and both accuracies."""
    content = read_json(output.metrics)
    return row(
        index_of((wildcards.probe, wildcards.initialisation), PROBES),
        ("probe", wildcards.probe),
        backbone_from=wildcards.initialisation,
        kNN_top_1=number_text(content["knn"]["top1"]),
        linear_top_1=number_text(content["linear"]["top1"]),
    )


def findings_row(wildcards, output):
    """The detection set, its size, and how many findings there are."""
    content = read_json(output.findings)
    train, val = content["splits"]["train"], content["splits"]["val"]
    return row(
        index_of(wildcards.dataset, config["datasets"]),
        ("detection set", wildcards.dataset),
        training_images=train["images"],
        validation_images=val["images"],
        validation_objects=val["objects"],
        findings=len(content["findings"]),
    )


def counts_row(wildcards, output):
    """Counts of the store of proposals."""
    content = read_json(output.summary)
    return row(
        0,
        ("images", str(content["images"])),
        skipped=content["skipped"],
        regions=content["regions"],
        proposals=content["proposals_after_fallbacks"],
        images_without=content["images_without_proposals_after_fallbacks"],
    )


def statistics_row(wildcards, output):
    """Medians of the proposals: number per image, size and shape."""
    content = read_json(output.statistics)["proposals"]
    return row(
        0,
        ("proposals per image", number_text(content["per_image"]["median"], "g")),
        relative_size=number_text(content["relative_size"]["median"], ".2f"),
        width_to_height=number_text(content["aspect_ratio"]["median"], ".2f"),
    )


def recall_row(wildcards, output):
    """The detection set, and the share of its objects that four boxes of each engine find."""
    content = read_json(output.recall)
    shares = {
        each["engine"]: dict(zip(content["drawn"], each["proposals"]["recall_50"]["drawn"]))
        for each in content["engines"]
    }
    return row(
        index_of(wildcards.dataset, config["quality"]["recall"]),
        ("searched set", wildcards.dataset),
        objects=content["objects"],
        **{f"{engine} %": number_text(100 * share[4]) for engine, share in shares.items()},
    )
