# The embedded demo's data. Included only if the configuration has `demo`.
#
# in:  photographs that the packages mvtb-data, scikit-image and scikit-learn install
# out: {demo.path}/images               unlabelled images, which proposals and pretraining read
#      {demo.path}/shapes/{train,val}   labelled images, which fine-tuning and evaluation read
#      {demo.path}/shapes/*.json        their annotations: 6 categories in COCO format, 16 in LVIS
#      v1 format
#      {demo.path}/classes/{train,val}  cut-outs of their objects, in one folder per category, which
#      probes read
#      {demo.path}/sources.csv          the photographs, with their origin and use

DEMO = config["demo"]["path"]


rule demo_data:
    """Make unlabelled images, two small detection sets and cut-outs of their objects."""
    output:
        images=directory(f"{DEMO}/images"),
        train=directory(f"{DEMO}/shapes/train"),
        val=directory(f"{DEMO}/shapes/val"),
        coco_train=f"{DEMO}/shapes/coco_train.json",
        coco_val=f"{DEMO}/shapes/coco_val.json",
        lvis_train=f"{DEMO}/shapes/lvis_v1_train.json",
        lvis_val=f"{DEMO}/shapes/lvis_v1_val.json",
        classes_train=directory(f"{DEMO}/classes/train"),
        classes_val=directory(f"{DEMO}/classes/val"),
        sources=f"{DEMO}/sources.csv",
        origin=f"{RESULTS}/origins/demo_data.json",
    log:
        f"{RESULTS}/logs/demo_data.log",
    benchmark:
        f"{RESULTS}/benchmarks/demo_data.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        settings=config["demo"],
        seed=config["seed"],
    script:
        "../workflow_scripts/demo_data.py"
