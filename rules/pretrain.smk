# Pretraining without labels: minutes for the demo, GPU days for the paper's recipes.
#
# In:  {results}/proposals/store.arrow, and the images; with `initial_weights` the weights of another
#      run, or a file of the section `weights`, {pretrained}.
# Out: {results}/initial_weights/{pretrained}.safetensors, what that file has of our model, under the
#      release's parameter names;
#      {results}/pretrain/{run}/weights.safetensors, under the same names; log.jsonl, a line every
#      few steps; metrics.json, a summary.
# Checkpoints are in {results}/checkpoints/pretrain/ and are not outputs: Snakemake removes the
# outputs of a failed job, and a stopped run resumes from its last checkpoint. Before the time limit
# of a Slurm job, training saves a checkpoint and requeues the job. TensorBoard events are in
# {results}/tensorboard/{run}.


rule prepare_weights:
    """Read a file of weights, in whatever format, for the pretrainings that begin with it."""
    input:
        weights=lambda wildcards: pretrained_weights(wildcards.pretrained),
    output:
        weights=f"{RESULTS}/initial_weights/{{pretrained}}.safetensors",
        origin=f"{RESULTS}/origins/prepare_weights/{{pretrained}}.json",
    log:
        f"{RESULTS}/logs/prepare_weights/{{pretrained}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_weights/{{pretrained}}.tsv"
    wildcard_constraints:
        pretrained="|".join(config["weights"]) or "none",
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        holds=lambda wildcards: config["weights"][wildcards.pretrained]["holds"],
    script:
        "../workflow_scripts/prepare_weights.py"


rule pretrain_model:
    """Pretrain backbone, FPN and box head of one run in the configuration."""
    input:
        store=once_listed(rules.merge_proposals.output.arrow),
        initial=initial_weights,
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
