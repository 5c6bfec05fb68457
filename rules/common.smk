# What all stages share: the checked configuration, the folder of results, and where input of the user's must lie.
#
# In:  config, from config.yaml of the working folder, or else of the Snakefile's, and what --configfile and --config lay
#      over it.
# Out: the same with every key present; RESULTS and SHARDS; the functions that rules take their input and params from.

from snakemake.exceptions import IncompleteCheckpointException

try:
    checked = check_config(config)
except UserError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(checked.model_dump(mode="json"))

# The user's files by the keys that name them; each is looked at once.
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
    """The section `proposals` with the keys of the chosen engine alone."""
    keys = {
        "soco": ("scale", "sigma", "min_size"),
        "opencv": ("opencv_mode",),
        "imported": ("file",),
    }
    engine = config["proposals"]["engine"]
    return {key: config["proposals"][key] for key in ("engine", *keys[engine])}


def pretrain_settings(wildcards):
    """The run's section but for HOW_IT_RUNS, which the script takes from the configuration: no params, no rerun."""
    return {
        key: value
        for key, value in config["pretrain"][wildcards.run].items()
        if key not in HOW_IT_RUNS
    }


def made_by_demo(path):
    """Whether rule demo_data makes the path."""
    if not config["demo"]:
        return False
    return any(
        Path(path).is_relative_to(Path(config["demo"]["path"], part))
        for part in ("images", "shapes", "classes")
    )


def given(path, key):
    """The path, if it is there and what it is said to be, or the demo makes it; else all that is wrong is told."""
    # A job's own process builds the graph anew, and what is given was looked at before the first job.
    if key in SOUND or made_by_demo(path) or not workflow.is_main_process:
        return path
    if INPUTS[key].fault():
        raise WorkflowError(faults_of(list(INPUTS.values()), INPUTS[key], made_by_demo))
    SOUND.add(key)
    return path


def images_state(wildcards):
    """Tells one state of the images from another; the demo's own are rule demo_data's to answer for."""
    if made_by_demo(config["images"]["path"]):
        return ""
    from soco.config import ImagesConfig
    from soco.data import open_source

    return open_source(ImagesConfig.model_validate(config["images"])).state()


def listing_settings():
    """The keys of the section `images` that say where they are and how they lie."""
    return {key: config["images"][key] for key in ("path", "layout", "names", "column")}


def once_listed(paths):
    """An input function: a path or several, to be judged after the images were listed again.

    A new listing leaves most shards as they were. shard_images is a checkpoint, and every later rule takes its input
    through here, so that Snakemake judges anew what there is to do and repeats nothing for those. On the first run, and
    where a shard is missing, there is nothing to judge, and it sees all jobs at once.
    """
    listed = all(Path(output).exists() for output in rules.shard_images.output)

    def judged(wildcards):
        if listed:
            wait_for_listing()
        named = dict(wildcards.items())
        return (
            paths.format(**named)
            if isinstance(paths, str)
            else [path.format(**named) for path in paths]
        )

    return judged


ANSWERS = {}


def wait_for_listing():
    """Ask the checkpoint whether the listing stands, once for each state of the DAG: it goes through all its shards."""
    state = len(checkpoints.created_output)
    if state not in ANSWERS:
        try:
            ANSWERS[state] = checkpoints.shard_images.get()
        except IncompleteCheckpointException as not_yet:
            ANSWERS[state] = not_yet
    if isinstance(ANSWERS[state], Exception):
        raise ANSWERS[state]
