import re

import pytest

from soco.config import ProbeConfig, load_config
from soco.transfer.probe.probe import probe_backbone


@pytest.fixture
def page(repository):
    return (repository / "docs/probes.md").read_text()


def test_the_page_documents_every_key_of_the_metrics(page, settings):
    found = probe_backbone(settings.model_copy(update={"epochs": 1}), None, "resnet18", seed=1)
    rows = [line for line in page.split("\n") if line.startswith("| `")]
    listed = set(re.findall(r"`([a-z0-9_.]+)`", " ".join(rows)))
    nested = {key for name in ("knn", "linear") for key in found[name]}
    missing = {"probe", "initialisation", *found, *nested} - {name.split(".")[0] for name in listed}
    assert missing == set()


def test_the_overlay_on_the_page_is_valid(page, repository, tmp_path):
    (tmp_path / "mine.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    probes = load_config(repository / "config.yaml", tmp_path / "mine.yaml").probes
    assert list(probes) == ["mine"]
    assert (probes["mine"].short_side, probes["mine"].crop) == (256, 224)


def test_the_commands_on_the_page_use_known_options(page):
    known = {f"--{key.replace('_', '-')}" for key in ProbeConfig.model_fields} | {
        "--backbone",
        "--seed",
        "--out",
    }
    commands = re.findall(r"^soco probe .*(?:\\\n.*)?", page, re.MULTILINE)
    assert len(commands) == 2
    assert {option for command in commands for option in re.findall(r"--[a-z-]+", command)} <= known
