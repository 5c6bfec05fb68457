"""The configuration: its keys (`schema`), and reading and checking it (`load`)."""

from soco.config.effects import identity
from soco.config.filter_strategy import Strategy
from soco.config.finetune import DatasetConfig, FinetuneConfig, SplitConfig, WeightsConfig
from soco.config.load import check_config, load_config, recipe
from soco.config.pretrain import PretrainConfig, ViewConfig
from soco.config.probe import ProbeConfig
from soco.config.schema import (
    Config,
    DemoConfig,
    DetectorConfig,
    FilterConfig,
    ImagesConfig,
    ProposalsConfig,
    QualityConfig,
)

__all__ = [
    "Config",
    "DatasetConfig",
    "DemoConfig",
    "DetectorConfig",
    "FilterConfig",
    "FinetuneConfig",
    "ImagesConfig",
    "PretrainConfig",
    "ProbeConfig",
    "ProposalsConfig",
    "QualityConfig",
    "SplitConfig",
    "Strategy",
    "ViewConfig",
    "WeightsConfig",
    "check_config",
    "identity",
    "load_config",
    "recipe",
]
