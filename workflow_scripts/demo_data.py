"""Make the embedded demo's pictures and annotations."""

from soco.config.schema import DemoConfig
from soco.demo import make_demo

make_demo(DemoConfig(**snakemake.params.settings), seed=snakemake.params.seed)
