# Pretraining without labels: minutes for the demo, GPU days for the paper's recipes.
#
# In:  {results}/proposals/store.arrow, and the images.
# Out: {results}/pretrain/{run}/weights.safetensors, under the release's parameter names; log.jsonl,
#      a line every few steps; metrics.json, a summary.
# Checkpoints are in {results}/checkpoints/pretrain/ and are not outputs: Snakemake removes the
# outputs of a failed job, and a stopped run resumes from its last checkpoint. Before the time limit
# of a Slurm job, training saves a checkpoint and requeues the job. TensorBoard events are in
# {results}/tensorboard/{run}.


rule pretrain_model:
    """Pretrain backbone, FPN and box head of one run in the configuration."""
    input:
        store=once_listed(rules.merge_proposals.output.arrow),
        images=ancient(lambda wildcards: given(config["images"]["path"], "images.path")),
    output:
        weights=f"{RESULTS}/pretrain/{{run}}/weights.safetensors",
        log=report(
            f"{RESULTS}/pretrain/{{run}}/log.jsonl",
            caption="captions/pretraining_log.rst",
            category="Pretraining",
            subcategory="Log",
            labels={"log of": "{run}"},
        ),
        metrics=report(
            f"{RESULTS}/pretrain/{{run}}/metrics.json",
            caption="captions/pretraining.rst",
            category="Pretraining",
            subcategory="Summary",
            labels=pretraining_row,
        ),
        origin=f"{RESULTS}/origins/pretrain_model/{{run}}.json",
    log:
        f"{RESULTS}/logs/pretrain_model/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain_model/{{run}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: pretrain_threads
    resources:
        mem_mb=growing(pretrain_memory),
        runtime=1440,  # it resumes in another job
        gpu=pretrain_gpus,
        nodes=on_several_nodes("nodes"),
        tasks=on_several_nodes("tasks"),
        tasks_per_gpu=on_several_nodes("tasks_per_gpu"),
        mpi=on_several_nodes("mpi"),
    params:
        settings=pretrain_settings,
        detector=config["detector"],
        seed=pretrain_seed,
        checkpoints=f"{RESULTS}/checkpoints/pretrain/{{run}}",
        tensorboard=f"{RESULTS}/tensorboard/{{run}}",
    script:
        "../workflow_scripts/pretrain_model.py"
