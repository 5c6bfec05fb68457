"""`soco probe`: its arguments and its output."""

import argparse
import typing
from pathlib import Path

from soco.config import DetectorConfig, ProbeConfig, check_config
from soco.errors import UserError

SCRATCH = "scratch"
_NAME = "command"  # the probe's name in the configuration that validates the options


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Add the options of a probe: the keys of `ProbeConfig`, the weights and the output."""
    weights = (
        "scratch, a run's weights.safetensors or checkpoint, a released .pth or .pkl, another"
        " library's ResNet"
    )
    parser.add_argument("weights", metavar="WEIGHTS", help=weights)
    backbones = typing.get_args(DetectorConfig.model_fields["backbone"].annotation)
    parser.add_argument(
        "--backbone",
        choices=backbones,
        help="the ResNet for scratch [resnet50]; with a file, the ResNet that it must contain",
    )
    for key, field in ProbeConfig.model_fields.items():
        if key == "initialisations":
            continue
        default = "" if field.is_required() else f" [{_plain(field.default)}]"
        # No types here: values are validated like a configuration's.
        several: dict[str, typing.Any] = {"nargs": "+"} if isinstance(field.default, tuple) else {}
        option = f"--{key.replace('_', '-')}"
        parser.add_argument(
            option, required=field.is_required(), help=f"{field.description}{default}", **several
        )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="seed of fresh weights and of the order of training [1]",
    )
    parser.add_argument("--out", type=Path, help="JSON file that receives all results")


def run_probe(chosen: argparse.Namespace) -> None:
    """Probe, print the accuracies, and write them to the `--out` file if there is one.

    Raises:
        UserError: An option is invalid, or the folders or the weights cannot be used.
    """
    # Imported here: it loads torch, which `soco keys` does not need.
    from soco.io import write_json
    from soco.transfer.probe.probe import probe_backbone

    settings = _settings(chosen)
    weights = None if chosen.weights == SCRATCH else Path(chosen.weights)
    result = probe_backbone(settings, weights, chosen.backbone, chosen.seed)
    print(describe(result))
    if chosen.out:
        write_json(chosen.out, {"probe": None, "initialisation": chosen.weights, **result})


def describe(result: dict[str, typing.Any]) -> str:
    """The results of a probe in three lines."""
    images, skipped = result["images"], sum(result["skipped"].values())
    lines = [
        f"{result['backbone']}, {result['classes']} classes, {images['train']} training and"
        f" {images['val']} validation images ({skipped} skipped); always predicting the most"
        f" common class: {result['commonest_class']:.1f} %"
    ]
    for name, detail in (("knn", "neighbours"), ("linear", "base_lr")):
        scores = result[name]
        top5 = "" if scores["top5"] is None else f", top-5 {scores['top5']:.1f} %"
        lines.append(f"{name:<6}  top-1 {scores['top1']:.1f} %{top5} ({detail} {scores[detail]})")
    return "\n".join(lines)


def _settings(chosen: argparse.Namespace) -> ProbeConfig:
    given = {
        key: getattr(chosen, key)
        for key in ProbeConfig.model_fields
        if getattr(chosen, key, None) is not None
    }
    if chosen.seed < 0:
        raise UserError(
            "probe.negative_seed", "--seed is {seed}; give 0 or more.", seed=chosen.seed
        )
    raw = {"images": {"path": "."}, "probes": {_NAME: {**given, "initialisations": []}}}
    return check_config(raw).probes[_NAME]


def _plain(value: typing.Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
