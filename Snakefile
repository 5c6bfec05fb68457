# SoCo, from photographs to an AP and a report. The stages, in the order of the data flow:
#
#   (demo) -> shards -> proposals -> pretrain -> convert -> finetune -> report
#
# Each is a target of that name. Other targets: quality measures the proposals for the report;
# probes classify labelled images with the pretrained backbones; claim is a report that compares
# initialisations; audit checks a finished run without changing it; crate packs a finished run.

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from soco.config import check_config, identity
from soco.config.inputs import faults_of, inputs_of
from soco.config.load import check_files, default_file
from soco.errors import UserError
from soco.snakemake_compat import (
    CheckpointWait,
    block_group,
    given_entries,
    given_files,
    is_job_process,
    share_resources,
)

min_version("9.0")

# A configuration is self-contained: config.yaml, the demo, is read only without --configfile.
FILES = given_files(workflow) or [default_file(Path(workflow.basedir))]

try:
    check_files(FILES, given_entries(workflow))
except UserError as error:
    raise WorkflowError(str(error)) from None


if not given_files(workflow):

    configfile: str(FILES[0])


# What Snakemake's own report, `snakemake --report FILE.html`, opens with.
report: "rules/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/detectors.smk"
include: "rules/captions.smk"


if config["demo"]:

    include: "rules/demo.smk"


include: "rules/shards.smk"
include: "rules/proposals.smk"
include: "rules/quality.smk"
include: "rules/pretrain.smk"
include: "rules/convert.smk"
include: "rules/finetune.smk"
include: "rules/probe.smk"
include: "rules/report_inputs.smk"
include: "rules/report.smk"
include: "rules/audit.smk"
include: "rules/crate.smk"


rule all:
    """Everything: the report needs every other stage."""
    default_target: True
    input:
        rules.report.output,


rule shards:
    """The images, listed and split into shards."""
    input:
        rules.shard_images.output,


rule proposals:
    """The store of proposals that pretraining reads."""
    input:
        rules.merge_proposals.output,


rule quality:
    """How good those proposals are, and the recall of each engine."""
    input:
        rules.describe_proposals.output.statistics,
        expand(rules.measure_recall.output.recall, dataset=config["quality"]["recall"]),


rule pretrain:
    """The weights of every pretraining in the configuration."""
    input:
        expand(rules.pretrain_model.output.weights, run=config["pretrain"]),


rule convert:
    """Those weights under detectron2's names."""
    input:
        of_conversions(rules.convert_weights.output.weights),


rule finetune:
    """The AP of every detection set and initialisation."""
    input:
        of_evaluations(rules.evaluate_detector.output.metrics),


rule probes:
    """The accuracies of every probe and initialisation."""
    input:
        of_probes(rules.probe_backbone.output.metrics),


rule claim:
    """The report, with the section "Does pretraining help?"."""
    input:
        compared_report,


rule crate:
    """The run as a Workflow Run RO-Crate."""
    input:
        rules.export_crate.output,
