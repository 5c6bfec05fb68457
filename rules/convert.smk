# Conversion, a stage that takes seconds.
#
# In:  {results}/pretrain/{run}/weights.safetensors, from rule pretrain_model.
# Out: {results}/convert/{run}/detectron2_{kind}.pkl, which detectron2 takes as MODEL.WEIGHTS, and beside it
#      detectron2_{kind}.json: how many tensors it carries, under which names, and what was left behind and why.
#      kind is fpn_head (ResNet, FPN and box head; runs of architecture fpn only) or c4 (the ResNet alone).


rule convert_weights:
    """Rename a pretraining's weights for detectron2."""
    input:
        weights=once_listed(rules.pretrain_model.output.weights),
    output:
        weights=f"{RESULTS}/convert/{{run}}/detectron2_{{kind}}.pkl",
        summary=f"{RESULTS}/convert/{{run}}/detectron2_{{kind}}.json",
    log:
        f"{RESULTS}/logs/convert_weights/{{run}}/{{kind}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_weights/{{run}}/{{kind}}.tsv"
    wildcard_constraints:
        kind="fpn_head|c4",
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    script:
        "../workflow_scripts/convert_weights.py"
