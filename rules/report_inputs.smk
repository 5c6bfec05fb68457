# What the report reads: files by field of soco.report.inputs.ReportInputs, and the records of jobs.
#
# In:  the checked configuration, the definitions of rules/common.smk and rules/detectors.smk, every
#      rule of the run.
# Out: REPORT, report_files(), report_paths(); all_origins().

CHECKED = list(dict.fromkeys([*DATASETS, *config["quality"]["recall"]]))
# The files of `weights` that pretrainings begin with.
PREPARED = [
    name
    for name in config["weights"]
    if name in [settings["initial_weights"] for settings in config["pretrain"].values()]
]


def uses_demo():
    """Whether any job of the report reads the demo's data."""
    splits = [config["datasets"][name][split] for name in CHECKED for split in ("train", "val")]
    parts = [split[part] for split in splits for part in ("images", "annotations")]
    labelled = [config["probes"][name][split] for name, _ in PROBES for split in ("train", "val")]
    return any(made_by_demo(path) for path in [config["images"]["path"], *parts, *labelled])


def all_origins():
    """The records of all jobs of this configuration, in the order of the stages.

    A rule whose outputs the report shows adds its record here.
    """
    demo = [rules.demo_data.output.origin] if uses_demo() else []
    if config["proposals"]["engine"] == "imported":
        searched = [rules.import_regions.output.origin]
    else:
        searched = expand(rules.search_regions.output.origin, shard=SHARDS)
    return [
        *demo,
        rules.shard_images.output.origin,
        *searched,
        *expand(rules.filter_regions.output.origin, shard=SHARDS),
        *expand(rules.apply_fallbacks.output.origin, shard=SHARDS),
        rules.merge_proposals.output.origin,
        rules.describe_proposals.output.origin,
        *expand(rules.check_dataset.output.origin, dataset=CHECKED),
        *expand(rules.measure_recall.output.origin, dataset=config["quality"]["recall"]),
        *expand(rules.prepare_weights.output.origin, pretrained=PREPARED),
        *of_runs(rules.pretrain_model.output.origin),
        *of_conversions(rules.convert_weights.output.origin),
        *of_evaluations(rules.finetune_detector.output.origin),
        *of_evaluations(rules.evaluate_detector.output.origin),
        *of_probes(rules.probe_backbone.output.origin),
    ]


def validation_files(task, initialisation, seed):
    """The names of one evaluation, its detection set and the folder of its validation images."""
    dataset = config["finetune"][task]["dataset"]
    return {
        "task": task,
        "initialisation": initialisation,
        "seed": seed,
        "dataset": dataset,
        "images": config["datasets"][dataset]["val"]["images"],
    }


# By field of soco.report.inputs.ReportInputs: a path; or the names of each entry and the path
# patterns of all entries.
REPORT = {
    "summary": rules.merge_proposals.output.summary,
    "store": rules.merge_proposals.output.store,
    "arrow": rules.merge_proposals.output.arrow,
    "skipped": rules.merge_proposals.output.skipped,
    "statistics": rules.describe_proposals.output.statistics,
    "recall": (
        [{"dataset": dataset} for dataset in config["quality"]["recall"]],
        {"recall": rules.measure_recall.output.recall},
    ),
    "pretrain": (
        [{"run": run} for run in config["pretrain"]],
        {
            "log": rules.pretrain_model.output.log,
            "metrics": rules.pretrain_model.output.metrics,
            "weights": rules.pretrain_model.output.weights,
        },
    ),
    "conversions": (
        [{"pretrained": name, "kind": kind} for name, kind in CONVERSIONS],
        {
            "summary": rules.convert_weights.output.summary,
            "weights": rules.convert_weights.output.weights,
        },
    ),
    "evaluations": (
        [validation_files(*evaluation) for evaluation in EVALUATIONS],
        {
            "annotations": rules.check_dataset.output.val,
            "metrics": rules.evaluate_detector.output.metrics,
            "detections": rules.evaluate_detector.output.detections,
            "curve": rules.finetune_detector.output.curve,
            "loading": rules.finetune_detector.output.loading,
            "weights": rules.finetune_detector.output.weights,
        },
    ),
    "findings": (
        [{"dataset": dataset} for dataset in DATASETS],
        {"findings": rules.check_dataset.output.findings},
    ),
    "probes": (
        [{"probe": probe, "initialisation": name} for probe, name in PROBES],
        {"metrics": rules.probe_backbone.output.metrics},
    ),
}


def report_files():
    """The files of the report as `soco.report.report_inputs` takes them."""
    return {
        field: (
            str(given)
            if isinstance(given, str)
            else [
                names | {part: str(path).format(**names) for part, path in given[1].items()}
                for names in given[0]
            ]
        )
        for field, given in REPORT.items()
    }


def compared_report(wildcards):
    """The report, if it can compare initialisations: some fine-tuning has two, and two seeds."""
    tasks = config["finetune"].values()
    if any(min(len(task["seeds"]), len(task["initialisations"])) > 1 for task in tasks):
        return rules.report.output
    raise WorkflowError(
        "There is nothing to compare: no entry of finetune has at least two seeds and two"
        " initialisations. Add them, or give --configfile recipes/claim.yaml."
    )


def report_paths():
    """The same paths as a list; each is the output of a rule."""
    for given in REPORT.values():
        if isinstance(given, str):
            yield str(given)
        else:
            yield from (path.format(**names) for names in given[0] for path in given[1].values())
