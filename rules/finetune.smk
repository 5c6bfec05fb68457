# Check detection sets, fine-tune detectors on them with detectron2, and evaluate the detectors.
#
# In:  the detection set of the task (annotation files and image folders), and the converted weights
#      of {initialisation}, a pretraining or a given file; none for `scratch`.
# Out: {results}/datasets/{dataset}/train.json and val.json, the annotations as they are used: the
#      files themselves, or repaired copies; findings.json, the faults that were found;
#      {results}/finetune/{task}/{initialisation}/seed_{seed}/weights.pth, the detector, with
#      loading.json (which tensors were loaded), history.jsonl (losses), ap.jsonl (AP during
#      training) and training.json (the protocol as it was run);
#      {results}/evaluate/{task}/{initialisation}/seed_{seed}/metrics.json, box and mask AP on the
#      validation split, with detections.json, the detections in COCO's result format.
# Checkpoints are in {results}/checkpoints/finetune/. They are not an output, so that an interrupted
# run can resume. {results}/decoded_images/{dataset}/ lists the images that were decoded, so that a
# later check decodes only changed ones; it is not an output either, and `soco check-data` shares
# it.


rule check_dataset:
    """Check a detection set, report the findings, and repair in a copy what can be repaired."""
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
        dataset=lambda wildcards: set_settings(wildcards.dataset),
        seed=subset_seed,
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
        runtime=1440,  # a retry resumes from its checkpoint
        gpu=detector_gpus,
    params:
        settings=task_settings("finetune"),
        detector=config["detector"],
        dataset=dataset_of,
        seed=lambda wildcards: int(wildcards.seed),
        checkpoints=f"{RESULTS}/checkpoints/finetune/{{task}}/{{initialisation}}/seed_{{seed}}",
    script:
        "../workflow_scripts/finetune_detector.py"


rule evaluate_detector:
    """Score a fine-tuned detector on the validation split of its set."""
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
        settings=task_settings("evaluate"),
        detector=config["detector"],
        dataset=dataset_of,
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../workflow_scripts/evaluate_detector.py"
