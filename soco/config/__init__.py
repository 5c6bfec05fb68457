"""The configuration: every key with its sentence (`schema`), read and checked (`load`)."""

from soco.config.load import check_config, load_config
from soco.config.schema import (
    Config,
    DatasetConfig,
    DemoConfig,
    DetectorConfig,
    FilterConfig,
    FinetuneConfig,
    PicturesConfig,
    PretrainConfig,
    ProbeConfig,
    ProposalsConfig,
    QualityConfig,
    SplitConfig,
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
    "PicturesConfig",
    "PretrainConfig",
    "ProbeConfig",
    "ProposalsConfig",
    "QualityConfig",
    "SplitConfig",
    "Strategy",
    "ViewConfig",
    "check_config",
    "load_config",
]
