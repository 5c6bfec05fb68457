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
    ProposalsConfig,
    QualityConfig,
    SplitConfig,
    ViewConfig,
)

__all__ = [
    "Config",
    "DatasetConfig",
    "DemoConfig",
    "DetectorConfig",
    "FilterConfig",
    "FinetuneConfig",
    "PicturesConfig",
    "PretrainConfig",
    "ProposalsConfig",
    "QualityConfig",
    "SplitConfig",
    "ViewConfig",
    "check_config",
    "load_config",
]
