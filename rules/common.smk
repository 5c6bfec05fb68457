# What all stages share: the checked configuration, the folder of results, and the checks of the user's files.
#
# In:  config, from --configfile, or from config.yaml where none is given, with --config laid over it.
# Out: the same with every key present; `checked`, the same as an object; RESULTS and SHARDS; the functions that rules
#      take their input and params from.

try:
    checked = check_config(config)
except UserError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(checked.model_dump(mode="json"))

# The user's files by the keys that name them; each is checked once.
INPUTS = {each.key: each for each in inputs_of(checked)}
SOUND = set()

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
    """The keys of the run that affect its result; the script takes the others from the configuration."""
    return identity(checked.pretrain[wildcards.run], "pretrain")


def made_by_demo(path):
    """Whether rule demo_data makes the path."""
    if not config["demo"]:
        return False
    return any(
        Path(path).is_relative_to(Path(config["demo"]["path"], part))
        for part in ("images", "shapes", "classes")
    )


def given(path, key):
    """The path, if it exists and is what the configuration says, or the demo makes it; else list every fault."""
    # The process of a job builds the graph again; the first process has checked the files already.
    if key in SOUND or made_by_demo(path) or is_job_process(workflow):
        return path
    if INPUTS[key].fault():
        raise WorkflowError(faults_of(list(INPUTS.values()), INPUTS[key], made_by_demo))
    SOUND.add(key)
    return path


def images_state(wildcards):
    """A digest that changes when the images do; empty for the demo's images, which rule demo_data makes."""
    if made_by_demo(config["images"]["path"]):
        return ""
    from soco.data import open_source

    return open_source(checked.images).state()


def listing_settings():
    """The keys of the section `images` that say where the images are and in which layout."""
    return {key: config["images"][key] for key in ("path", "layout", "names", "column")}


WAIT_FOR_LISTING = CheckpointWait(checkpoints, "shard_images")


def once_listed(paths):
    """An input function: a path or several, resolved after the images were listed again.

    A new listing leaves most shards unchanged. shard_images is a checkpoint, and every later rule takes its input
    through here, so that Snakemake then decides again which jobs to run, and skips those of unchanged shards. On the
    first run, and where a shard is missing, every job has to run, and Snakemake sees all of them at once.
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
