# What the stages after pretraining share: which files are converted, which detectors are trained on
# which set, and which backbones are probed.
#
# In:  the checked configuration, and what rules/common.smk defines.
# Out: the functions that give the rules of these stages, and of the report, their input and params.


def conversion_kinds(name):
    """The kinds of file that weights convert to, the one with the most tensors first."""
    if name in config["weights"]:
        of_detector = config["weights"][name]["holds"] == "detector"
    else:
        of_detector = config["pretrain"][name]["architecture"] == "fpn"
    return ["fpn_head", "c4"] if of_detector else ["c4"]


def pretrained_weights(name):
    """The weights of a pretraining, or the configured file of weights with that name."""
    if name in config["weights"]:
        return given(config["weights"][name]["path"], f"weights.{name}.path")
    return rules.pretrain_model.output.weights.format(run=name)


def to_convert(wildcards):
    """The weights that {pretrained} names, before conversion."""
    return once_listed(pretrained_weights(wildcards.pretrained))(wildcards)


def pretrained_file(wildcards):
    """The weights that {initialisation} names, before conversion; nothing for scratch."""
    name = wildcards.initialisation
    return [] if name == "scratch" else once_listed(pretrained_weights(name))(wildcards)


def set_settings(name):
    """The keys of a detection set that affect what is trained and scored on it."""
    return identity(checked.datasets[name], "finetune")


def subset_seed(wildcards):
    """The seed that chooses the training images of {dataset}; None if all are used."""
    return config["seed"] if config["datasets"][wildcards.dataset]["max_train_images"] else None


def dataset_of(wildcards):
    """The keys of the task's detection set that affect what is trained and scored on it."""
    return set_settings(config["finetune"][wildcards.task]["dataset"])


def given_split(split, part):
    """An input function: the configured `images` or `annotations` of a split of {dataset}."""

    def path(wildcards):
        name = wildcards.dataset
        return given(config["datasets"][name][split][part], f"datasets.{name}.{split}.{part}")

    return path


def checked_annotations(name, split):
    """The annotations of a split of a set after the check, with what it repaired."""
    return getattr(rules.check_dataset.output, split).format(dataset=name)


def images_of(split):
    """An input function: the images of the train or val split of the task's set."""

    def path(wildcards):
        name = config["finetune"][wildcards.task]["dataset"]
        return given(config["datasets"][name][split]["images"], f"datasets.{name}.{split}.images")

    return path


def checked_split(split):
    """An input function: the checked annotations of the train or val split of the task's set."""
    return lambda wildcards: checked_annotations(
        config["finetune"][wildcards.task]["dataset"], split
    )


def val_split(part):
    """An input function: the `images` or checked `annotations` of the val split of {dataset}."""
    if part == "annotations":
        return lambda wildcards: checked_annotations(wildcards.dataset, "val")
    return given_split("val", part)


def converted_weights(wildcards):
    """The converted file that initialises a fine-tuning: the largest that fits its detector."""
    name = wildcards.initialisation
    if name == "scratch":
        return []
    kinds = conversion_kinds(name)
    kind = kinds[0] if config["finetune"][wildcards.task]["architecture"] == "fpn" else kinds[-1]
    return once_listed(rules.convert_weights.output.weights.format(pretrained=name, kind=kind))(
        wildcards
    )


def task_settings(stage):
    """A params function: the task's keys that affect a stage, for one initialisation and seed.

    Thus adding an initialisation to the list reruns no finished job, and another score threshold
    reruns no training.
    """

    def settings(wildcards):
        own = {"initialisations": (wildcards.initialisation,), "seeds": (int(wildcards.seed),)}
        return identity(checked.finetune[wildcards.task].model_copy(update=own), stage)

    return settings


CONVERSIONS = [
    (name, kind)
    for name in [*config["pretrain"], *config["weights"]]
    for kind in conversion_kinds(name)
]
EVALUATIONS = [
    (task, initialisation, seed)
    for task, settings in config["finetune"].items()
    for initialisation in settings["initialisations"]
    for seed in settings["seeds"] or [config["seed"]]
]
DATASETS = list(dict.fromkeys(settings["dataset"] for settings in config["finetune"].values()))


def of_runs(path):
    """The path for each pretraining, in the configuration's order."""
    return expand(path, run=config["pretrain"])


def of_conversions(path):
    """The path for each converted file."""
    return [path.format(pretrained=name, kind=kind) for name, kind in CONVERSIONS]


def of_evaluations(path):
    """The path for each initialisation and seed of each fine-tuning."""
    return [
        path.format(task=task, initialisation=initialisation, seed=seed)
        for task, initialisation, seed in EVALUATIONS
    ]


def val_splits(part):
    """An input function: the `images` or checked `annotations` that each evaluation reads."""
    names = [config["finetune"][task]["dataset"] for task, *_ in EVALUATIONS]
    if part == "annotations":
        return lambda wildcards: [checked_annotations(name, "val") for name in names]
    return lambda wildcards: [
        given(config["datasets"][name]["val"][part], f"datasets.{name}.val.{part}")
        for name in names
    ]


def labelled_split(split):
    """An input function: the folder of a probe's training or validation images."""
    return lambda wildcards: given(
        config["probes"][wildcards.probe][split], f"probes.{wildcards.probe}.{split}"
    )


def labelled_state(wildcards):
    """Digests of a probe's folders by modification time, except those that rule demo_data makes."""
    from soco.config import ImagesConfig
    from soco.data import open_source

    folders = [config["probes"][wildcards.probe][split] for split in ("train", "val")]
    sources = [
        ImagesConfig(path=folder, watch="folders") for folder in folders if not made_by_demo(folder)
    ]
    return [open_source(source).state() for source in sources]


def probe_settings(wildcards):
    """The probe's keys that affect its accuracies, with only the job's own initialisation."""
    own = {"initialisations": (wildcards.initialisation,)}
    return identity(checked.probes[wildcards.probe].model_copy(update=own), "probe")


PROBES = [
    (probe, initialisation)
    for probe, settings in config["probes"].items()
    for initialisation in settings["initialisations"]
]


def of_probes(path):
    """The path for each initialisation of each probe."""
    return [
        path.format(probe=probe, initialisation=initialisation) for probe, initialisation in PROBES
    ]
