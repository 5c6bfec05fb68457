# Fine-tuning and its evaluation, with detectron2.
#
# In:  the detection set that the task names (annotation files and picture folders), and the converted weights of the
#      pretraining run that {initialisation} names; none when it is `scratch`.
# Out: {results}/finetune/{task}/{initialisation}/weights.pth, the detector;
#      loading.json there, which of its tensors started from the converted weights; history.jsonl, the losses;
#      {results}/evaluate/{task}/{initialisation}/metrics.json, box and mask AP on the validation half;
#      detections.json there, what was detected, in COCO's result format.
# Checkpoints lie in {results}/checkpoints/finetune/, no output: a run that was stopped goes on from the last.


rule finetune_detector:
    """Train Mask R-CNN on a detection set, from scratch or from converted weights."""
    input:
        weights=converted_weights,
        train=split_of("train", "annotations"),
        val=split_of("val", "annotations"),
        train_images=ancient(split_of("train", "images")),
        val_images=ancient(split_of("val", "images")),
    output:
        weights=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/weights.pth",
        loading=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/loading.json",
        history=f"{RESULTS}/finetune/{{task}}/{{initialisation}}/history.jsonl",
    log:
        f"{RESULTS}/logs/finetune_detector/{{task}}/{{initialisation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune_detector/{{task}}/{{initialisation}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 8
    resources:
        mem_mb=16000,
        runtime=1440,
    params:
        settings=training_settings,
        detector=config["detector"],
        dataset=dataset_of,
        seed=config["seed"],
        checkpoints=f"{RESULTS}/checkpoints/finetune/{{task}}/{{initialisation}}",
    script:
        "../workflow_scripts/finetune_detector.py"


rule evaluate_detector:
    """Score a fine-tuned detector on the validation half of its set."""
    input:
        weights=once_listed(rules.finetune_detector.output.weights),
        val=split_of("val", "annotations"),
        val_images=ancient(split_of("val", "images")),
    output:
        metrics=f"{RESULTS}/evaluate/{{task}}/{{initialisation}}/metrics.json",
        detections=f"{RESULTS}/evaluate/{{task}}/{{initialisation}}/detections.json",
    log:
        f"{RESULTS}/logs/evaluate_detector/{{task}}/{{initialisation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_detector/{{task}}/{{initialisation}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 4
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        settings=finetune_settings,
        detector=config["detector"],
        dataset=dataset_of,
        seed=config["seed"],
    script:
        "../workflow_scripts/evaluate_detector.py"
