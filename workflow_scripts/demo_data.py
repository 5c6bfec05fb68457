"""Make the embedded demo's images and annotations; run by rule `demo_data`."""

from soco.config import DemoConfig
from soco.demo import make_demo
from soco.jobs import stage

with stage(snakemake):
    make_demo(DemoConfig.model_validate(snakemake.params.settings), seed=snakemake.params.seed)
    print(f"The demo's data are in {snakemake.params.settings['path']}.")
