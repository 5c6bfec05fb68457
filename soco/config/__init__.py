"""The configuration: every key with its sentence (`schema`), read and checked (`load`)."""

from soco.config.finetune import DatasetConfig, FinetuneConfig, SplitConfig, WeightsConfig
from soco.config.load import check_config, load_config
from soco.config.probe import ProbeConfig
from soco.config.schema import (
    Config,
    DemoConfig,
    DetectorConfig,
    FilterConfig,
    ImagesConfig,
    PretrainConfig,
    ProposalsConfig,
    QualityConfig,
    ViewConfig,
)
from soco.config.strategy import Strategy

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
    "load_config",
]
