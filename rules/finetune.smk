# Detection sets are checked; then fine-tuning and its evaluation, with detectron2.
#
# In:  the detection set that the task names (annotation files and image folders), and the converted weights of the
#      pretraining, or of the given file, that {initialisation} names; none when it is `scratch`.
# Out: {results}/datasets/{dataset}/train.json and val.json, the annotations as they are used: the files themselves, or
#      copies in which faults are mended; findings.json there, what was found;
#      {results}/finetune/{task}/{initialisation}/seed_{seed}/weights.pth, the detector;
#      loading.json there, which of its tensors started from the converted weights; history.jsonl, the losses;
#      ap.jsonl, AP while it trained; training.json, the protocol as it was run;
#      {results}/evaluate/{task}/{initialisation}/seed_{seed}/metrics.json, box and mask AP on the validation half;
#      detections.json there, what was detected, in COCO's result format.
# Checkpoints lie in {results}/checkpoints/finetune/, no output: a run that was stopped goes on from the last.
# Which images of a set were decoded is remembered in {results}/decoded_images/{dataset}/, no output either:
# `soco check-data` shares it, and a later check decodes only what changed.


rule check_dataset:
    """Check a detection set, report what was found, and repair what can be repaired in a copy."""
    input:
        train=given_split("train", "annotations"),
        val=given_split("val", "annotations"),
        train_images=ancient(given_split("train", "images")),
        val_images=ancient(given_split("val", "images")),
    output:
        train=f"{RESULTS}/datasets/{{dataset}}/train.json",
        val=f"{RESULTS}/datasets/{{dataset}}/val.json",
        findings=report(
            f"{RESULTS}/datasets/{{dataset}}/findings.json",
            caption="captions/detection_set.rst",
            category="Detection sets",
            labels=findings_row,
        ),
        origin=f"{RESULTS}/origins/check_dataset/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/check_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_dataset/{{dataset}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 2
    resources:
        mem_mb=growing(check_memory),
        runtime=growing(60),
    params:
        dataset=lambda wildcards: without_known(wildcards.dataset),
    script:
        "../workflow_scripts/check_dataset.py"


rule finetune_detector:
    """Train Mask R-CNN on a detection set, from scratch or from converted weights."""
    input:
        weights=converted_weights,
        train=checked_split("train"),
        val=checked_split("val"),
        train_images=ancient(images_of("train")),
        val_images=ancient(images_of("val")),
    output:
        weights=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/seed_{{seed}}/weights.pth",
        loading=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/seed_{{seed}}/loading.json",
        history=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/seed_{{seed}}/history.jsonl",
        curve=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/seed_{{seed}}/ap.jsonl",
        training=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/seed_{{seed}}/training.json",
        origin=f"{RESULTS}/origins/finetune_detector/{{task}}/{{initialisation}}/{{seed}}.json",
    log:
        f"{RESULTS}/logs/finetune_detector/{{task}}/{{initialisation}}/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune_detector/{{task}}/{{initialisation}}/{{seed}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: detector_threads
    resources:
        mem_mb=growing(detector_memory),
        runtime=1440,  # it goes on from its checkpoint
        gpu=detector_gpus,
    params:
        settings=training_settings,
        detector=config["detector"],
        dataset=dataset_of,
        seed=lambda wildcards: int(wildcards.seed),
        checkpoints=f"{RESULTS}/checkpoints/finetune/{{task}}/{{initialisation}}/seed_{{seed}}",
    script:
        "../workflow_scripts/finetune_detector.py"


rule evaluate_detector:
    """Score a fine-tuned detector on the validation half of its set."""
    input:
        weights=once_listed(rules.finetune_detector.output.weights),
        training=once_listed(rules.finetune_detector.output.training),
        val=checked_split("val"),
        val_images=ancient(images_of("val")),
    output:
        metrics=report(
            f"{RESULTS}/evaluate/{{task}}/{{initialisation}}/seed_{{seed}}/metrics.json",
            caption="captions/evaluation.rst",
            category="Detection",
            labels=evaluation_row,
        ),
        detections=f"{RESULTS}/evaluate/{{task}}/{{initialisation}}/seed_{{seed}}/detections.json",
        origin=f"{RESULTS}/origins/evaluate_detector/{{task}}/{{initialisation}}/{{seed}}.json",
    log:
        f"{RESULTS}/logs/evaluate_detector/{{task}}/{{initialisation}}/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_detector/{{task}}/{{initialisation}}/{{seed}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 4
    resources:
        mem_mb=growing(evaluation_memory),
        runtime=growing(240),
        gpu=1,
    params:
        settings=finetune_settings,
        detector=config["detector"],
        dataset=dataset_of,
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../workflow_scripts/evaluate_detector.py"
