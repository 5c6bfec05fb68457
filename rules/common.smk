# What all stages share: the checked configuration, the folder of results, and the checks of the
# user's files.
#
# In:  config, from --configfile (by default config.yaml), overridden by --config.
# Out: config with every key present; `checked`, the same as an object; RESULTS and SHARDS; the
#      functions that give rules their input and params.

try:
    checked = check_config(config)
except UserError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(checked.model_dump(mode="json"))

# The user's files by the keys that name them, and the keys of those that were checked.
INPUTS = {each.key: each for each in inputs_of(checked)}
CHECKED_KEYS = set()

RESULTS = config["results"]
SHARDS = [f"{number:04d}" for number in range(config["images"]["shards"])]


wildcard_constraints:
    shard=r"\d+",
    run="|".join(config["pretrain"]) or "none",
    task="|".join(config["finetune"]) or "none",
    pretrained="|".join([*config["pretrain"], *config["weights"]]) or "none",
    initialisation="|".join(["scratch", *config["pretrain"], *config["weights"]]),
    seed=r"\d+",
    dataset="|".join(config["datasets"]) or "none",
    probe="|".join(config["probes"]) or "none",


def search_settings():
    """The section `proposals` with only the keys of the chosen engine."""
    keys = {
        "soco": ("scale", "sigma", "min_size"),
        "opencv": ("opencv_mode",),
        "imported": ("file",),
    }
    engine = config["proposals"]["engine"]
    return {key: config["proposals"][key] for key in ("engine", *keys[engine])}


def pretrain_settings(wildcards):
    """The run's keys that affect its result; the script reads the others from the configuration."""
    return identity(checked.pretrain[wildcards.run], "pretrain")


def pretrain_seed(wildcards):
    """The run's own seed, or the top-level one."""
    return checked.pretrain[wildcards.run].seed_or(config["seed"])


def made_by_demo(path):
    """Whether rule demo_data makes the path."""
    if not config["demo"]:
        return False
    return any(
        Path(path).is_relative_to(Path(config["demo"]["path"], part))
        for part in ("images", "shapes", "classes")
    )


def initial_weights(wildcards):
    """The weights that {run} begins with: another run's, or a prepared file; nothing if drawn."""
    name = config["pretrain"][wildcards.run]["initial_weights"]
    if name is None:
        return []
    prepared = rules.prepare_weights.output.weights.format(pretrained=name)
    trained = rules.pretrain_model.output.weights.format(run=name)
    return once_listed(prepared if name in config["weights"] else trained)(wildcards)


def given(path, key):
    """The path, if the demo makes it or it is what the configuration says; else list all faults."""
    # The process of a job builds the graph again, but the main process has checked the files.
    if key in CHECKED_KEYS or made_by_demo(path) or is_job_process(workflow):
        return path
    if INPUTS[key].fault():
        raise WorkflowError(faults_of(list(INPUTS.values()), INPUTS[key], made_by_demo))
    CHECKED_KEYS.add(key)
    return path


def images_state(wildcards):
    """A digest that changes when the images do; empty for images that rule demo_data makes."""
    if made_by_demo(config["images"]["path"]):
        return ""
    from soco.data import open_source

    return open_source(checked.images).state()


def listing_settings():
    """The keys of the section `images` that say where the images are and in which layout."""
    return {key: config["images"][key] for key in ("path", "layout", "names", "column")}


WAIT_FOR_LISTING = CheckpointWait(checkpoints, "shard_images")


def once_listed(paths):
    """An input function: one or more paths, resolved after the images were listed again.

    A new listing leaves most shards unchanged. Since shard_images is a checkpoint, and every later
    rule takes its input through this function, Snakemake then decides again which jobs to run, and
    skips those of unchanged shards. On the first run, or if a shard is missing, every job has to
    run, and Snakemake plans all of them at once.
    """
    listed = all(Path(output).exists() for output in rules.shard_images.output)

    def resolved(wildcards):
        if listed:
            WAIT_FOR_LISTING()
        named = dict(wildcards.items())
        return (
            paths.format(**named)
            if isinstance(paths, str)
            else [path.format(**named) for path in paths]
        )

    return resolved
