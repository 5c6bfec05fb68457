# What the stages after pretraining share: which files are converted, which detectors are trained and on what, and which
# backbones are probed.
#
# In:  the checked configuration, and what rules/common.smk defines.
# Out: the functions that conversion, fine-tuning, evaluation, recall, probes and report take their input and params from.


def conversion_kinds(name):
    """The kinds of file that a pretraining, or a file of weights, can be converted to, the richest first."""
    if name in config["weights"]:
        of_detector = config["weights"][name]["holds"] == "detector"
    else:
        of_detector = config["pretrain"][name]["architecture"] == "fpn"
    return ["fpn_head", "c4"] if of_detector else ["c4"]


def pretrained_weights(name):
    """The file of a pretraining's weights, or the file that the configuration gives by that name."""
    if name in config["weights"]:
        return given(config["weights"][name]["path"], f"weights.{name}.path")
    return rules.pretrain_model.output.weights.format(run=name)


def to_convert(wildcards):
    """The weights that {pretrained} names."""
    return once_listed(pretrained_weights(wildcards.pretrained))(wildcards)


def pretrained_file(wildcards):
    """The weights, as they were before any conversion, that {initialisation} names; nothing for scratch."""
    name = wildcards.initialisation
    return [] if name == "scratch" else once_listed(pretrained_weights(name))(wildcards)


def without_known(name):
    """A detection set's section but for `known_as`, which decides nothing of what is trained."""
    return {key: value for key, value in config["datasets"][name].items() if key != "known_as"}


def dataset_of(wildcards):
    """The detection set that the task names."""
    return without_known(config["finetune"][wildcards.task]["dataset"])


def given_split(half, part):
    """An input function: the `images` or `annotations` of a half of the set {dataset}, as the configuration has them."""

    def path(wildcards):
        name = wildcards.dataset
        return given(config["datasets"][name][half][part], f"datasets.{name}.{half}.{part}")

    return path


def checked_annotations(name, half):
    """The annotations of a half of a set as they are used, checked and mended."""
    return getattr(rules.check_dataset.output, half).format(dataset=name)


def images_of(half):
    """An input function: the images of the training or validation half of the task's set."""

    def path(wildcards):
        name = config["finetune"][wildcards.task]["dataset"]
        return given(config["datasets"][name][half]["images"], f"datasets.{name}.{half}.images")

    return path


def checked_split(half):
    """An input function: the checked annotations of the training or validation half of the task's set."""
    return lambda wildcards: checked_annotations(
        config["finetune"][wildcards.task]["dataset"], half
    )


def validation_half(part):
    """An input function: the `images` or checked `annotations` of the validation half of the set {dataset}."""
    if part == "annotations":
        return lambda wildcards: checked_annotations(wildcards.dataset, "val")
    return given_split("val", part)


def converted_weights(wildcards):
    """The converted file that the fine-tuning starts from, the richest that its detector takes; none for scratch."""
    name = wildcards.initialisation
    if name == "scratch":
        return []
    kinds = conversion_kinds(name)
    kind = kinds[0] if config["finetune"][wildcards.task]["architecture"] == "fpn" else kinds[-1]
    return once_listed(rules.convert_weights.output.weights.format(pretrained=name, kind=kind))(
        wildcards
    )


def finetune_settings(wildcards, leave_out=()):
    """The task's section for this one initialisation and seed, so that adding another to the list reruns nothing."""
    section = config["finetune"][wildcards.task]
    settings = {
        key: value for key, value in section.items() if key not in (*leave_out, *HOW_IT_RUNS)
    }
    return settings | {
        "initialisations": [wildcards.initialisation],
        "seeds": [int(wildcards.seed)],
    }


def training_settings(wildcards):
    """The task's section without the keys that only evaluation reads: a new score threshold trains nothing again."""
    return finetune_settings(
        wildcards, leave_out=("test_short_side", "score_threshold", "detections_per_image")
    )


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
        path.format(task=task, initialisation=start, seed=seed) for task, start, seed in EVALUATIONS
    ]


def validation_halves(part):
    """An input function: the `images` or checked `annotations` that each evaluation reads."""
    names = [config["finetune"][task]["dataset"] for task, *_ in EVALUATIONS]
    if part == "annotations":
        return lambda wildcards: [checked_annotations(name, "val") for name in names]
    return lambda wildcards: [
        given(config["datasets"][name]["val"][part], f"datasets.{name}.val.{part}")
        for name in names
    ]


def labelled_half(half):
    """An input function: the folder of a probe's training or validation images."""
    return lambda wildcards: given(
        config["probes"][wildcards.probe][half], f"probes.{wildcards.probe}.{half}"
    )


def labelled_state(wildcards):
    """Tells one state of a probe's folders from another, by the folders' times; rule demo_data answers for its own."""
    from soco.config import ImagesConfig
    from soco.data import open_source

    halves = [config["probes"][wildcards.probe][half] for half in ("train", "val")]
    sources = [
        ImagesConfig(path=half, watch="folders") for half in halves if not made_by_demo(half)
    ]
    return [open_source(source).state() for source in sources]


def probe_settings(wildcards):
    """The probe's section for this one initialisation, without the keys that change no figure."""
    section = config["probes"][wildcards.probe]
    kept = {key: value for key, value in section.items() if key not in HOW_IT_RUNS}
    return kept | {"initialisations": [wildcards.initialisation]}


PROBES = [
    (probe, start)
    for probe, settings in config["probes"].items()
    for start in settings["initialisations"]
]


def of_probes(path):
    """The path for each initialisation of each probe."""
    return [
        path.format(probe=probe, initialisation=initialisation) for probe, initialisation in PROBES
    ]
