# What jobs request: cores, memory, time, GPUs, nodes. On one machine, Snakemake shares the cores
# and runs one GPU job at a time; Slurm gets all of these as requests.
#
# In:  the checked configuration.
# Out: the functions that give rules their threads and resources.

share_resources(workflow)


def growing(amount):
    """A resource that grows with each attempt, for jobs that ran out of memory or time."""
    return lambda wildcards, attempt: attempt * (amount(wildcards) if callable(amount) else amount)


def pretrain_threads(wildcards):
    """On each node, a core for each process that trains or makes views."""
    settings = config["pretrain"][wildcards.run]
    return max(8, settings["processes"] // settings["nodes"] * (1 + settings["workers"]))


def pretrain_memory(wildcards):
    """In MB on each node: about 8000 for each process with its workers, but at least 16000."""
    settings = config["pretrain"][wildcards.run]
    return max(16000, 8000 * settings["processes"] // settings["nodes"])


def pretrain_gpus(wildcards):
    """On all nodes, a GPU for each process."""
    return config["pretrain"][wildcards.run]["processes"]


def on_several_nodes(resource):
    """A Slurm request of a pretraining on several nodes; None on a single node.

    There is one task per node: the job starts them with srun, for which Snakemake's plugin has the
    resource `mpi`.
    """

    def requested(wildcards):
        nodes = config["pretrain"][wildcards.run]["nodes"]
        if nodes == 1:
            return None
        return {"nodes": nodes, "tasks": nodes, "tasks_per_gpu": 0, "mpi": "srun"}[resource]

    return requested


def check_memory(wildcards):
    """In MB: ten times the annotation files, which become Python objects, but at least 8000."""
    files = [
        Path(config["datasets"][wildcards.dataset][split]["annotations"])
        for split in ("train", "val")
    ]
    return max(8000, 10 * sum(file.stat().st_size for file in files if file.exists()) // 10**6)


def detector_threads(wildcards):
    """`threads`, or at least 8, and a core for each process that trains or loads images."""
    settings = config["finetune"][wildcards.task]
    return max(settings["threads"] or 8, settings["processes"] * (1 + settings["workers"]))


def evaluation_memory(wildcards):
    """In MB: LVIS v1's evaluator takes about 30000 for 300 detections on each of 19,809 images."""
    dataset = config["finetune"][wildcards.task]["dataset"]
    return 48000 if config["datasets"][dataset]["format"] == "lvis" else 16000


def detector_memory(wildcards):
    """In MB: about 16000 for each process, plus the evaluator's if it evaluates during training."""
    settings = config["finetune"][wildcards.task]
    return 16000 * settings["processes"] + (
        evaluation_memory(wildcards) if settings["evaluate_every"] else 0
    )


def detector_gpus(wildcards):
    """A GPU for each process."""
    return config["finetune"][wildcards.task]["processes"]


def block_of_shards(wildcards):
    """The group of a shard's jobs: a Slurm job takes as many shards as group-components says."""
    return block_group(workflow, "shards", int(wildcards.shard))
