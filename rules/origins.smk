# The jobs that a report is about: the records that are inputs of rule report.
#
# In:  the checked configuration, the definitions of rules/common.smk and rules/detectors.smk, every rule of the run.
# Out: all_origins().

CHECKED = list(dict.fromkeys([*DATASETS, *config["quality"]["recall"]]))


def uses_demo():
    """Whether any job of the report reads the demo's data."""
    splits = [config["datasets"][name][split] for name in CHECKED for split in ("train", "val")]
    parts = [split[part] for split in splits for part in ("images", "annotations")]
    labelled = [config["probes"][name][split] for name, _ in PROBES for split in ("train", "val")]
    return any(made_by_demo(path) for path in [config["images"]["path"], *parts, *labelled])


def all_origins():
    """The records of all jobs of this configuration (none of an earlier run), in the order of the stages.

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
        *of_runs(rules.pretrain_model.output.origin),
        *of_conversions(rules.convert_weights.output.origin),
        *of_evaluations(rules.finetune_detector.output.origin),
        *of_evaluations(rules.evaluate_detector.output.origin),
        *of_probes(rules.probe_backbone.output.origin),
    ]
