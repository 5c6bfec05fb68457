# Probe backbones without a detector: classify labelled images by frozen features.
#
# In:  the labelled folders of the probe, and the weights of {initialisation}, a pretraining or a
#      given file; none for `scratch`.
# Out: {results}/probe/{probe}/{initialisation}/metrics.json, accuracies of kNN and of a linear
#      layer.
# Memory grows with the training images: 8 kB each with a ResNet-50, 10 GB for ImageNet.


rule probe_backbone:
    """Classify labelled images by a frozen backbone's features: kNN and a linear layer."""
    input:
        weights=pretrained_file,
        train=labelled_split("train"),
        val=labelled_split("val"),
    output:
        metrics=report(
            f"{RESULTS}/probe/{{probe}}/{{initialisation}}/metrics.json",
            caption="captions/probe.rst",
            category="Probes",
            labels=probe_row,
        ),
        origin=f"{RESULTS}/origins/probe_backbone/{{probe}}/{{initialisation}}.json",
    log:
        f"{RESULTS}/logs/probe_backbone/{{probe}}/{{initialisation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/probe_backbone/{{probe}}/{{initialisation}}.tsv"
    conda:
        "../envs/soco.yaml"
    threads: 8
    resources:
        mem_mb=growing(24000),
        runtime=growing(720),
        gpu=1,
    params:
        settings=probe_settings,
        backbone=config["detector"]["backbone"],
        seed=config["seed"],
        images=labelled_state,
    script:
        "../workflow_scripts/probe_backbone.py"
