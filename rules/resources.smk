# What jobs ask for: cores, memory, time, GPUs, nodes. On one machine Snakemake gives what there is of cores, and one job
# at a time the GPUs; Slurm is asked for all of it.
#
# In:  the checked configuration.
# Out: the functions that rules take their threads and resources from.

if workflow.is_main_process and workflow.resource_settings.max_threads:
    # slurm/ gives the cores of a node as max-threads. profiles/default gives those of this machine, which only submits.
    workflow.register_resource("_cores", workflow.resource_settings.max_threads)
elif workflow.is_main_process and workflow.global_resources.get("gpu").value is None:
    # Every job sees all GPUs of the machine and begins with the first.
    workflow.register_resource("gpu", 1)


def growing(amount):
    """A resource that grows with each attempt: what failed for want of memory or time is given more."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def pretrain_threads(wildcards):
    """On each node, a core for each process that computes or makes views."""
    settings = config["pretrain"][wildcards.run]
    return max(8, settings["processes"] // settings["nodes"] * (1 + settings["workers"]))


def pretrain_memory(wildcards):
    """In MB on each node: about 8000 for a process with its workers, and no less than 16000."""
    settings = config["pretrain"][wildcards.run]
    return max(16000, 8000 * settings["processes"] // settings["nodes"])


def pretrain_gpus(wildcards):
    """On all nodes, a GPU for each process."""
    return config["pretrain"][wildcards.run]["processes"]


def on_several_nodes(resource):
    """What Slurm is asked for when a pretraining takes several nodes; nothing when it takes one.

    One task a node: the job starts them by srun, for which Snakemake's plugin has the resource `mpi`.
    """

    def asked(wildcards):
        nodes = config["pretrain"][wildcards.run]["nodes"]
        if nodes == 1:
            return None
        return {"nodes": nodes, "tasks": nodes, "tasks_per_gpu": 0, "mpi": "srun"}[resource]

    return asked


def check_memory(wildcards):
    """In MB: ten times the annotation files, which are held as Python's objects, and no less than 8000."""
    files = [
        Path(config["datasets"][wildcards.dataset][half]["annotations"])
        for half in ("train", "val")
    ]
    return max(8000, 10 * sum(file.stat().st_size for file in files if file.exists()) // 10**6)


def detector_threads(wildcards):
    """A core for each process that trains or loads images."""
    settings = config["finetune"][wildcards.task]
    return max(8, settings["processes"] * (1 + settings["workers"]))


def evaluation_memory(wildcards):
    """In MB: LVIS v1's evaluator takes about 30000 for 300 detections on each of its 19,809 images."""
    dataset = config["finetune"][wildcards.task]["dataset"]
    return 48000 if config["datasets"][dataset]["format"] == "lvis" else 16000


def detector_memory(wildcards):
    """In MB: about 16000 for each training process, and room for the evaluator where it scores meanwhile."""
    settings = config["finetune"][wildcards.task]
    return 16000 * settings["processes"] + (
        evaluation_memory(wildcards) if settings["evaluate_every"] else 0
    )


def detector_gpus(wildcards):
    """A GPU for each process."""
    return config["finetune"][wildcards.task]["processes"]


def block_of_shards(wildcards):
    """The group of a shard's jobs: as many neighbouring shards as the profile's group-components says are one Slurm job.

    Snakemake groups anew when a checkpoint was reached, and merges the groups that it made before: with one name for
    all shards, into a single job. With a name for each block that changes nothing.
    """
    block = int(wildcards.shard) // workflow.group_settings.group_components.get("shards", 1)
    workflow.parent_groupids[f"shards_{block}"] = "shards"
    return f"shards_{block}"
