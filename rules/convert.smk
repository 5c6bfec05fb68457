# Convert pretrained weights for other libraries; takes seconds. Each result is loaded into its
# library, and its features are compared with the pretrained model's.
#
# In:  {results}/pretrain/{run}/weights.safetensors, from rule pretrain_model, or a file of the
#      section `weights`;
#      {pretrained} is the name of either.
# Out: {results}/convert/{pretrained}/detectron2_{kind}.pkl, for detectron2's MODEL.WEIGHTS, and
#      detectron2_{kind}.json: the number and names of its tensors, those left behind with the
#      reason, and by how much the features differ. kind is fpn_head (ResNet, FPN and box head; only
#      for architecture fpn) or c4 (the ResNet). On demand the same for other libraries:
#      mmdetection.pth and torchvision.safetensors (only for architecture fpn),
#      torchvision_resnet.safetensors and timm.safetensors, each with a summary such as
#      timm.safetensors.json.


rule convert_weights:
    """Rename pretrained weights for detectron2."""
    input:
        weights=to_convert,
    output:
        weights=f"{RESULTS}/convert/{{pretrained}}/detectron2_{{kind}}.pkl",
        summary=report(
            f"{RESULTS}/convert/{{pretrained}}/detectron2_{{kind}}.json",
            caption="captions/conversion.rst",
            category="Conversion",
            labels=conversion_row,
        ),
        origin=f"{RESULTS}/origins/convert_weights/{{pretrained}}/{{kind}}.json",
    log:
        f"{RESULTS}/logs/convert_weights/{{pretrained}}/{{kind}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_weights/{{pretrained}}/{{kind}}.tsv"
    wildcard_constraints:
        kind="fpn_head|c4",
    conda:
        "../envs/soco.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        target=lambda wildcards: {"fpn_head": "detectron2", "c4": "detectron2_c4"}[wildcards.kind],
    script:
        "../workflow_scripts/convert_weights.py"


# The same for other libraries, when a file is requested by its name.
use rule convert_weights as convert_for with:
    output:
        weights=f"{RESULTS}/convert/{{pretrained}}/{{converted}}",
        summary=f"{RESULTS}/convert/{{pretrained}}/{{converted}}.json",
        origin=f"{RESULTS}/origins/convert_for/{{pretrained}}/{{converted}}.json",
    log:
        f"{RESULTS}/logs/convert_for/{{pretrained}}/{{converted}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_for/{{pretrained}}/{{converted}}.tsv"
    wildcard_constraints:
        converted=r"mmdetection\.pth|(torchvision|torchvision_resnet|timm)\.safetensors",
    params:
        target=lambda wildcards: wildcards.converted.split(".")[0],
