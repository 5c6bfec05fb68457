"""Make the embedded demo's pictures and annotations; run by rule `demo_data`."""

from soco.config import DemoConfig
from soco.demo import make_demo
from soco.logs import stage_log

with stage_log(snakemake.log[0]):
    make_demo(DemoConfig.model_validate(snakemake.params.settings), seed=snakemake.params.seed)
    print(f"The demo's data lie in {snakemake.params.settings['path']}.")
